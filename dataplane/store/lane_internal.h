/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the lane: batches, rolling, completion. Nobody else includes
// this.
#pragma once

#include "store/lane.h"
#include "store/segment.h"

// Behind limit a run may not end: one table entry, a source run, a time run, alignment, and copies
// that overshoot by up to 64 bytes.
#define SL_LANE_TAIL_BYTES (16 + 32 + 20 + 8 + 64)

// Room that stays in each segment for the end of a lane: its last ledger and the mark of a clean
// stop.
#define SL_LANE_END_BYTES (2 * SL_BLOCK_BYTES)

// Batches of another lane that a target may have under way besides its own (lane_leave.c).
#define SL_LANE_INCOMING_BATCH_COUNT 2

static_assert(SL_LANE_BATCH_COUNT_MAX >= SL_IN_FLIGHT_COUNT_MAX + 1 +
			SL_PARTITION_COUNT_MAX * 24 / (SL_BATCH_BYTES_MIN - 4096) + 1 +
			SL_LANE_INCOMING_BATCH_COUNT,
	"a lane's batches: under way, open, a checkpoint's, and another lane's");

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

// Appends a run that belongs to no partition to the open batch, opening one as needed. False when
// there is no room for it now, or the lane is halted.
bool sl_lane_append_run(struct sl_lane *lane, enum sl_run_type type, const void *data,
	uint32_t bytes, uint64_t now_ns);

// Writes the ledger that was set as a batch of its own, if there is one and it has room. No batch
// may be open.
void sl_lane_write_ledger(struct sl_lane *lane, uint64_t now_ns);

// Whether the next write may be the first on its blocks.
static inline bool sl_lane_meets_unwritten(const struct sl_lane *lane)
{
	return SL_MIN(lane->position + lane->batch_bytes, lane->segment->file_bytes) >
		lane->segment->formatted_bytes;
}

// The batch takes the next number and the next place in the segment; its header says so.
void sl_lane_link_batch(struct sl_lane *lane, struct sl_batch *batch, uint32_t block_bytes);

// What a halted lane does once a turn: waits for the writes under way, leaves its segments to the
// keeper, and writes what is not retired again, to the next segment, when backoff and breaker let
// it. Returns the work done.
uint32_t sl_lane_mend(struct sl_lane *lane, uint64_t now_ns);

// For a halted lane whose drive does not take its events: asks the keeper for a lane of another
// drive. False when there is none to ask for.
bool sl_lane_ask_to_leave(struct sl_lane *lane);

// For a lane that is stuck: once nothing of it is under way, asks the keeper for a lane of another
// drive, and halts when that has it in hand. Returns the work done.
uint32_t sl_lane_look_elsewhere(struct sl_lane *lane);

// True when the lane may go on by itself, or be given up: it does not ask any more. False while the
// keeper, or the target, has it in hand.
bool sl_lane_withdraw(struct sl_lane *lane);

// True of a lane that has left a full drive, its segments closed: it waits for room, and may end
// so.
bool sl_lane_is_idle_for_room(const struct sl_lane *lane);

// What a lane does once a turn while the keeper or the target has it in hand. Returns the work
// done.
uint32_t sl_lane_leave(struct sl_lane *lane, uint64_t now_ns);

// Partitions whose lane comes here are set back to what is in this lane of them, for a checkpoint;
// or forth again.
void sl_lane_wind_incoming(struct sl_lane *lane, bool forth);

// Sets the partitions of a table to their offsets before its events, or behind them.
void sl_lane_set_offsets(struct sl_lane *lane, const struct sl_batch_table_entry *table,
	uint32_t count, bool behind);

// Whether the next segment can be entered now.
bool sl_lane_may_roll(const struct sl_lane *lane);

// Enters it before the current one is full; the open batch is sealed into that. Only when it may.
void sl_lane_roll_early(struct sl_lane *lane, uint64_t now_ns);

// A write has succeeded after a failure: the probe, or the last of those that were written again.
void sl_lane_note_success(struct sl_lane *lane, uint64_t now_ns);

// Opens segment as the current one.
void sl_lane_enter_segment(struct sl_lane *lane, struct sl_segment *segment);

// Why there is no spare, as lane->refusal; leaves it when the spare is merely late.
enum sl_drop_reason sl_lane_spare_refusal(struct sl_lane *lane, enum sl_drop_reason otherwise);
// Notes the events of the open batch, or of one under way, as a gap: they are lost with the lane.
void sl_lane_note_open_lost(struct sl_lane *lane, enum sl_drop_reason reason);
void sl_lane_note_batch_lost(
	struct sl_lane *lane, const struct sl_batch *batch, enum sl_drop_reason reason);

// Queues a batch's write; a full queue leaves it for the next tick.
void sl_lane_send(struct sl_lane *lane, struct sl_batch *batch, uint64_t now_ns);
