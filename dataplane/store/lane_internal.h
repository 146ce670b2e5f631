/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the lane: batches, rolling, completion. Nobody else includes
// this.
#pragma once

#include "store/lane.h"
#include "store/segment.h"

// Behind limit a run may not end: one table entry, a source run, a time run, alignment, and copies
// that overshoot by up to 64 bytes.
#define SL_LANE_TAIL_BYTES (16 + 32 + 20 + 8 + 64)

static_assert(SL_LANE_BATCH_COUNT_MAX >= SL_IN_FLIGHT_COUNT_MAX + 1 +
			SL_PARTITION_COUNT_MAX * 24 / (SL_BATCH_BYTES_MIN - 4096) + 1,
	"a lane's batches: under way, open, and a checkpoint's");

// Takes a free batch and writes its body prefix. There must be one.
struct sl_batch *sl_lane_take_batch(struct sl_lane *lane);

// Finishes header and checksums of a batch whose runs end at runs_end and queues its write; assigns
// number, position and chain. A batch of events brings its table.
void sl_lane_finish_batch(struct sl_lane *lane, struct sl_batch *batch, enum sl_batch_kind kind,
	uint8_t flags, uint32_t runs_end, uint32_t run_count, uint64_t now_ns);

// Opens the next segment with its checkpoint when the current one has no room for another batch.
// Returns false with lane->refusal set when it cannot be done now.
bool sl_lane_roll(struct sl_lane *lane, uint64_t now_ns);

// Leaves the current segment when its first event is older than the class's segment_age_s and
// another can be entered now; the open batch is sealed into it. Returns whether it did. Only for
// lanes with a segment_age_ns.
bool sl_lane_roll_aged(struct sl_lane *lane, uint64_t now_ns);

// Writes the states of the lane's partitions as a checkpoint or an epoch start. Enough batches must
// be free, and none open.
void sl_lane_write_states(struct sl_lane *lane, enum sl_batch_kind kind, uint64_t now_ns);

// Queues a batch's write; a full queue leaves it for the next tick.
void sl_lane_send(struct sl_lane *lane, struct sl_batch *batch, uint64_t now_ns);
