/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by lane_reader.c (the chain) and lane_takeover.c (segments that overlap). Nobody else
// includes this.
#pragma once

#include "format/lane_reader.h"

int sl_lane_reader_list_again(struct sl_lane_reader *reader, struct sl_err *err);
int sl_lane_reader_open_segment(struct sl_lane_reader *reader, uint64_t number,
	struct sl_segment_file **file, struct sl_err *err);
void sl_lane_reader_leave_segment(struct sl_lane_reader *reader);

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
