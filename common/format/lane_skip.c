/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/lane_skip.h"

#include "format/lane_reader.h"

#include <stdlib.h>

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
}

void sl_lane_skip_leave(struct sl_lane_reader *reader)
{
	free(reader->skip.bitmap);
	reader->skip.bitmap = NULL;
	sl_segment_index_free(&reader->skip.index);
}

static bool must_be_read(const struct sl_lane_skip *skip, uint32_t batch)
{
	return (skip->bitmap[batch / 8] & 1u << batch % 8) != 0;
}

void sl_lane_skip_ahead(struct sl_lane_reader *reader)
{
	struct sl_lane_skip *skip = &reader->skip;
	const struct sl_segment_index_batch *batches = skip->index.batches;
	uint32_t count, next = skip->next_batch;

	// The first batch says whether the segment follows the one before: always read.
	if (skip->bitmap == NULL || reader->position == 0)
		return;
	count = skip->index.header->batch_count;
	while (next < count && batches[next].position < reader->position)
		next++;
	if (next == count || batches[next].position != reader->position) {
		sl_lane_skip_leave(reader);
		return;
	}
	for (skip->next_batch = next; next < count && !must_be_read(skip, next); next++)
		reader->skipped_batch_count++;
	if (next == skip->next_batch)
		return;
	skip->next_batch = next;
	reader->position =
		next < count ? batches[next].position : reader->file->footer.end_position;
	reader->last_number = reader->file->footer.first_number + next - 1;
	reader->last_body_crc = batches[next - 1].body_crc;
}
