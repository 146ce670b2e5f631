/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by lane_reader.c (the chain), lane_reader_break.c (where it does not go on) and
// lane_takeover.c (segments that overlap). Nobody else includes this.
#pragma once

#include "format/lane_reader.h"

int sl_lane_reader_list_again(struct sl_lane_reader *reader, struct sl_err *err);
int sl_lane_reader_open_segment(struct sl_lane_reader *reader, uint64_t number,
	struct sl_segment_file **file, struct sl_err *err);
void sl_lane_reader_leave_segment(struct sl_lane_reader *reader);

// Whether the batch is the next of the chain.
static inline bool sl_lane_reader_continues(
	const struct sl_lane_reader *reader, const struct sl_batch_header *batch)
{
	if (!reader->is_chained)
		return true;
	return batch->number == reader->last_number + 1 &&
		batch->prev_body_crc == reader->last_body_crc && batch->epoch >= reader->last_epoch;
}

static inline bool sl_lane_reader_is_at_footer(const struct sl_lane_reader *reader)
{
	return reader->file->is_sealed && reader->position == reader->file->footer.end_position;
}

// A segment was taken by retention: nothing can be held against what comes next.
void sl_lane_reader_note_expired(struct sl_lane_reader *reader);

// All batches up to mark are on stable storage: what stands at this position says so.
void sl_lane_reader_note_mark(
	struct sl_lane_reader *reader, uint64_t mark, uint64_t segment, uint64_t position);

// Leaves a segment at its footer, whose word on the chain must be the reader's. 0 or a negative
// errno.
int sl_lane_reader_leave_sealed(struct sl_lane_reader *reader, struct sl_err *err);

// What stands at the reader's position is not the next batch of the chain. Returns 1 to look again
// (or in the next segment), 0 for the end of the log, or a negative errno for damage.
int sl_lane_reader_break(
	struct sl_lane_reader *reader, enum sl_batch_verdict verdict, struct sl_err *err);

// Sets reader->takeover from the segments behind the current one. 0 or a negative errno.
int sl_lane_reader_find_takeover(struct sl_lane_reader *reader, struct sl_err *err);

// Whether the batch at the reader's position, in a segment without a footer, was written again to a
// later one.
bool sl_lane_reader_is_taken_over(
	const struct sl_lane_reader *reader, const struct sl_batch_header *batch);

// At a break: when a later segment has taken over what was read already, the reader goes back to
// the batch in front of it, and leaves its segment. 1 when it did, 0, or a negative errno.
int sl_lane_reader_go_back(struct sl_lane_reader *reader, struct sl_err *err);

// Remembers a batch that was accepted.
void sl_lane_reader_remember(struct sl_lane_reader *reader, const struct sl_batch_header *batch);

// Whether the batch that was accepted is a copy of one that was handed out already.
bool sl_lane_reader_is_copy(struct sl_lane_reader *reader, const struct sl_batch_header *batch);
