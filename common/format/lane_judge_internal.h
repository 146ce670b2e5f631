/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that judge one lane: lane_judge.c (the chain), lane_judge_hole.c (where it is
// broken), lane_judge_states.c (what the batches say of partitions),
// lane_judge_index.c (the indices).
#pragma once

#include "format/lane_judge.h"
#include "format/lane_reader.h"
#include "format/segment_file.h"
#include "format/segment_index.h"
#include "format/segment_list.h"

// A partition as the batches of the lane so far leave it.
struct sl_judge_state {
	uint64_t next_offset, term_start;
	uint32_t term;
	bool is_known;
	uint32_t settled_count; // holes of the lane in front of its last word
};

// What a footer repeats about its segment.
struct sl_judge_tally {
	uint64_t first_number, event_count, time_first_ns, time_last_ns;
	bool has_hole; // so that the sums cannot be held against it
};

struct sl_lane_judge {
	const struct sl_lane_judge_config *config;
	struct sl_judgement *judgement;
	struct sl_err *err;
	struct sl_segment_list segments;
	size_t index; // of the segment at hand, in segments
	struct sl_segment_file *file;
	uint64_t end; // of the batches in file
	uint64_t position;
	struct sl_judge_tally tally;
	// The index of the segment at hand, and what of it was held against its batches.
	struct sl_segment_index segment_index;
	bool has_index;
	uint32_t index_batch;
	uint64_t index_entry_count;
	struct sl_takeover takeover; // the lowest behind file, while that is not sealed
	uint32_t later_count; // segments behind file that count, while that is not sealed; spares
			      // do not
	bool has_whole_head; // of the segment at hand
	// The first sealed segment behind the last whole checkpoint; 0: none. Its place in
	// segments.
	uint64_t headless_number; // of its first batch
	size_t headless_index;
	bool is_done; // the log has ended, or number_max was seen
	// The chain so far.
	bool is_chained;
	bool has_lost_base; // the checkpoint of the oldest segment is gone
	uint64_t last_number, last_epoch, last_segment, time_last_ns;
	uint32_t last_body_crc;
	uint64_t mark_max;
	uint64_t epoch_max; // of any header
	uint64_t fenced_count; // events that fences say are lost
	struct sl_judge_state *states; // by partition
	// Holes that took, or may have taken, events: indices of findings.
	size_t *holes;
	uint32_t hole_count, hole_capacity;
};

const char *sl_lane_judge_segment_path(
	const struct sl_lane_judge *judge, uint64_t segment, char path[SL_PATH_BYTES_MAX]);

// The header at the judge's position, and its body unless only_header. *batch is NULL when the
// verdict is bad.
enum sl_batch_verdict sl_lane_judge_look(struct sl_lane_judge *judge, uint64_t position,
	bool only_header, const struct sl_batch_header **batch);

bool sl_lane_judge_follows(const struct sl_lane_judge *judge, const struct sl_batch_header *batch);

// Sets judge->takeover. 0 or a negative errno.
int sl_lane_judge_find_takeover(struct sl_lane_judge *judge);

// What does not check stands at the judge's position: the end of the log, the end of the segment,
// or a hole, behind which the judge then stands. Returns 0 or a negative errno.
int sl_lane_judge_break(struct sl_lane_judge *judge, enum sl_batch_verdict verdict);

// The first batch of a segment is right, but is not the next of the chain.
int sl_lane_judge_gap(struct sl_lane_judge *judge, const struct sl_batch_header *batch);

// Segments behind the end of the log.
int sl_lane_judge_behind(struct sl_lane_judge *judge);

// Takes what a batch says of partitions; its runs add up.
int sl_lane_judge_take(struct sl_lane_judge *judge, const struct sl_batch_header *batch);

// The states so far, for a checkpoint that is gone.
int sl_lane_judge_keep_states(struct sl_lane_judge *judge, struct sl_finding *finding);

// Behind the last batch: what may be lost of partitions that say nothing behind a hole.
int sl_lane_judge_settle(struct sl_lane_judge *judge);

// The index of the segment at hand: read, held against each of its batches, and given back.
void sl_lane_judge_index_open(struct sl_lane_judge *judge);
void sl_lane_judge_index_take(struct sl_lane_judge *judge, const struct sl_batch_header *batch);
void sl_lane_judge_index_close(struct sl_lane_judge *judge);
