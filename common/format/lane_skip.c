/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/lane_skip.h"

#include "format/lane_reader.h"

#include <stdlib.h>

#define AHEAD_BYTES_MAX (2ull * 1024 * 1024)

static bool must_be_read(const struct sl_lane_skip *skip, uint32_t batch)
{
	return (skip->bitmap[batch / 8] & 1u << batch % 8) != 0;
}

static uint64_t position_of(const struct sl_lane_reader *reader, uint32_t batch)
{
	const struct sl_segment_index *index = &reader->skip.index;

	return batch < index->header->batch_count ? index->batches[batch].position
						  : reader->file->footer.end_position;
}

// One read takes the batches that are wanted in a row, and no other.
static void limit_ahead(struct sl_lane_reader *reader, uint32_t batch)
{
	uint32_t count = reader->skip.index.header->batch_count, end = batch + 1;
	uint64_t start = position_of(reader, batch);

	while (end < count && must_be_read(&reader->skip, end) &&
		position_of(reader, end) - start < AHEAD_BYTES_MAX)
		end++;
	reader->file->ahead_bytes =
		(size_t)SL_MIN(position_of(reader, end) - start, AHEAD_BYTES_MAX);
}

void sl_lane_skip_enter(struct sl_lane_reader *reader)
{
	struct sl_lane_skip *skip = &reader->skip;
	struct sl_err err;

	// Not there yet, or of no use: the segment is scanned.
	if (!skip->is_on || !reader->file->is_sealed ||
		sl_segment_index_read(&skip->index, reader->path, reader->file, &err) < 0)
		return;
	skip->bitmap = sl_segment_index_select(&skip->index, &skip->wanted);
	skip->next_batch = 0;
	if (skip->bitmap == NULL)
		sl_lane_skip_leave(reader);
	else
		limit_ahead(reader, 0);
}

void sl_lane_skip_leave(struct sl_lane_reader *reader)
{
	if (reader->file != NULL)
		reader->file->ahead_bytes = 0;
	free(reader->skip.bitmap);
	reader->skip.bitmap = NULL;
	sl_segment_index_free(&reader->skip.index);
}

void sl_lane_skip_ahead(struct sl_lane_reader *reader)
{
	struct sl_lane_skip *skip = &reader->skip;
	uint32_t count, next = skip->next_batch;

	// The first batch says whether the segment follows the one before: always read.
	if (skip->bitmap == NULL || reader->position == 0)
		return;
	count = skip->index.header->batch_count;
	while (next < count && position_of(reader, next) < reader->position)
		next++;
	if (next == count || position_of(reader, next) != reader->position) {
		sl_lane_skip_leave(reader);
		return;
	}
	for (skip->next_batch = next; next < count && !must_be_read(skip, next); next++)
		reader->skipped_batch_count++;
	if (next < count)
		limit_ahead(reader, next);
	if (next == skip->next_batch)
		return;
	skip->next_batch = next;
	reader->position = position_of(reader, next);
	reader->last_number = reader->file->footer.first_number + next - 1;
	reader->last_body_crc = skip->index.batches[next - 1].body_crc;
}
