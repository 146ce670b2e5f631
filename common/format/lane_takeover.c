/* SPDX-License-Identifier: BSD-3-Clause */
// Where segments overlap: after a failed write a lane goes on in its next segment, at the number of
// the failed batch, whatever the old one may hold from there on (docs/format.md, "The chain").
#include "format/lane_reader_internal.h"

#include <errno.h>

int sl_takeover_read(struct sl_segment_file *file, struct sl_takeover *takeover, struct sl_err *err)
{
	struct sl_takeover head = {0};
	uint64_t position = 0, number = 0;

	*takeover = head;
	for (;;) {
		const struct sl_batch_header *batch;
		enum sl_batch_verdict verdict;
		int result = sl_segment_file_batch(file, position, false, &batch, &verdict, err);

		if (result < 0)
			return result;
		if (verdict != SL_BATCH_OK || batch->kind != SL_BATCH_CHECKPOINT ||
			(number != 0 && batch->number != number + 1))
			return 0;
		if (number == 0)
			head = (struct sl_takeover){.number = batch->number,
				.epoch = batch->epoch,
				.prev_body_crc = batch->prev_body_crc};
		if (batch->flags & SL_BATCH_FLAG_CHECKPOINT_END) {
			*takeover = head;
			return 0;
		}
		number = batch->number;
		position += sl_batch_block_bytes(batch);
	}
}

int sl_lane_reader_find_takeover(struct sl_lane_reader *reader, struct sl_err *err)
{
	reader->takeover.number = 0;
	for (size_t i = reader->next_index; i < reader->segments.count; i++) {
		struct sl_takeover takeover;
		struct sl_segment_file *file;
		int result = sl_lane_reader_open_segment(
			reader, reader->segments.numbers[i], &file, err);

		if (result == -ENOENT)
			continue;
		if (result == 0)
			result = sl_takeover_read(file, &takeover, err);
		sl_segment_file_close(file);
		if (result < 0)
			return result;
		if (takeover.number != 0 &&
			(reader->takeover.number == 0 ||
				takeover.number <= reader->takeover.number))
			reader->takeover = takeover;
	}
	return 0;
}

bool sl_lane_reader_is_taken_over(
	const struct sl_lane_reader *reader, const struct sl_batch_header *batch)
{
	const struct sl_takeover *takeover = &reader->takeover;

	if (reader->file->is_sealed || takeover->number == 0 || batch->number < takeover->number)
		return false;
	// One that does not follow what is in front of it takes over nothing.
	return !reader->is_chained || reader->last_number + 1 != takeover->number ||
		(takeover->prev_body_crc == reader->last_body_crc &&
			takeover->epoch >= reader->last_epoch);
}

static struct sl_recent_batch *recent(struct sl_lane_reader *reader, uint64_t number)
{
	return &reader->recent[number % SL_LANE_READER_RECENT_COUNT];
}

int sl_lane_reader_go_back(struct sl_lane_reader *reader, struct sl_err *err)
{
	const struct sl_takeover *takeover = &reader->takeover;
	const struct sl_recent_batch *before;
	int result = sl_lane_reader_list_again(reader, err);

	if (result == 0)
		result = sl_lane_reader_find_takeover(reader, err);
	if (result < 0)
		return result;
	if (takeover->number == 0 || !reader->is_chained || takeover->number > reader->last_number)
		return 0;
	before = recent(reader, takeover->number - 1);
	if (before->number != takeover->number - 1 || before->body_crc != takeover->prev_body_crc ||
		takeover->epoch < before->epoch)
		return 0;
	reader->skip_epoch = reader->last_epoch;
	for (uint64_t number = takeover->number; number <= reader->last_number; number++)
		reader->skip_count += !recent(reader, number)->is_checkpoint;
	reader->last_number = before->number;
	reader->last_epoch = before->epoch;
	reader->last_body_crc = before->body_crc;
	sl_lane_reader_leave_segment(reader);
	return 1;
}

void sl_lane_reader_remember(struct sl_lane_reader *reader, const struct sl_batch_header *batch)
{
	*recent(reader, batch->number) = (struct sl_recent_batch){
		.number = batch->number,
		.epoch = batch->epoch,
		.body_crc = batch->body_crc,
		.is_checkpoint = batch->kind == SL_BATCH_CHECKPOINT,
	};
}

bool sl_lane_reader_is_copy(struct sl_lane_reader *reader, const struct sl_batch_header *batch)
{
	if (reader->skip_count == 0)
		return false;
	// Another start writes nothing again.
	if (batch->epoch != reader->skip_epoch) {
		reader->skip_count = 0;
		return false;
	}
	reader->skip_count -= batch->kind != SL_BATCH_CHECKPOINT;
	return batch->kind != SL_BATCH_CHECKPOINT;
}
