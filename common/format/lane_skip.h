/* SPDX-License-Identifier: BSD-3-Clause */
// How a lane reader uses the indexes of sealed segments: it jumps over batches that its caller does
// not want, and the chain goes on behind them by the checksums that the index repeats. Thread rule:
// the lane reader's.
#pragma once

#include "format/segment_index.h"

struct sl_lane_reader;

struct sl_lane_skip {
	bool is_on;
	struct sl_index_wanted wanted;
	struct sl_segment_index index; // of the segment at hand
	uint8_t *bitmap; // of its batches that must be read
	uint32_t next_batch; // in the index: at the reader's position, or before it
};

// The reader has opened a segment; takes its index when there is one that checks.
void sl_lane_skip_enter(struct sl_lane_reader *reader);

// Moves the reader from an unwanted batch to the next wanted one, or to the end of the segment.
void sl_lane_skip_ahead(struct sl_lane_reader *reader);

void sl_lane_skip_leave(struct sl_lane_reader *reader);
