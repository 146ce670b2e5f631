/* SPDX-License-Identifier: BSD-3-Clause */
// From one segment to the next: the new one opens with a checkpoint, the old one goes to the keeper
// once all its batches are retired.
#include "store/checkpoint.h"
#include "store/lane_internal.h"

#include <errno.h>

#include "hotpath.h"

static bool has_room(const struct sl_lane *lane)
{
	return lane->position + lane->batch_bytes + SL_LANE_END_BYTES <=
		sl_segment_usable_bytes(lane->segment);
}

void sl_lane_write_states(struct sl_lane *lane, enum sl_batch_kind kind, uint64_t now_ns)
{
	uint32_t count = sl_checkpoint_batch_count(lane->owned_count, lane->batch_bytes);

	for (uint32_t i = 0; i < count; i++) {
		struct sl_batch *batch = sl_lane_take_batch(lane);
		uint32_t run_count;
		uint32_t runs_end = sl_checkpoint_fill(batch->data, lane->batch_bytes, i,
			lane->partitions, lane->owned, lane->owned_count, &run_count);
		uint8_t flags = i + 1 == count ? SL_BATCH_FLAG_CHECKPOINT_END : 0;

		lane->time_base_ns = lane->time_last_ns;
		sl_lane_finish_batch(lane, batch, kind, flags, runs_end, run_count, now_ns);
	}
}

// No room for it is an operating state, anything else is trouble of the drive, which the keeper has
// logged.
enum sl_drop_reason sl_lane_spare_refusal(struct sl_lane *lane, enum sl_drop_reason otherwise)
{
	int error = SL_LOAD(lane->spare_error);

	if (error == 0)
		return otherwise;
	if (error != -ENOSPC && error != -EDQUOT)
		return SL_DROP_DRIVE_FAILED;
	SL_STORE(lane->shm->state, SL_LANE_DISK_FULL);
	return SL_DROP_DISK_FULL;
}

void sl_lane_enter_segment(struct sl_lane *lane, struct sl_segment *segment)
{
	lane->segment = segment;
	lane->is_stuck = false;
	lane->segment_since_ns = 0;
	lane->position = 0;
	SL_STORE(lane->shm->segment, segment->number);
	SL_STORE(lane->shm->unwritten_extents, sl_lane_meets_unwritten(lane));
	SL_STORE(lane->shm->segments_rolled, lane->shm->segments_rolled + 1);
}

// No third segment opens before the first of the three is sealed: recovery reads at most two.
static bool may_roll(const struct sl_lane *lane)
{
	return lane->full_segment == NULL &&
		SL_LOAD_ACQUIRE(lane->sealed_segment) >= lane->previous_segment &&
		lane->free_count >= lane->checkpoint_batch_count + 1;
}

static void enter_spare(struct sl_lane *lane, struct sl_segment *spare, uint64_t now_ns)
{
	SL_STORE_RELEASE(lane->spare, NULL);
	SL_STORE(lane->shm->state, SL_LANE_ACTIVE);
	lane->full_segment = lane->segment;
	lane->previous_segment = lane->segment->number;
	sl_lane_enter_segment(lane, spare);
	sl_lane_wind_incoming(lane, false);
	sl_lane_write_states(lane, SL_BATCH_CHECKPOINT, now_ns);
	sl_lane_wind_incoming(lane, true);
}

// The footer of the segment before this one fails: as little can be written here as to a drive that
// takes no writes.
static void wait_for_footer(struct sl_lane *lane)
{
	lane->is_stuck = true;
	lane->refusal = SL_DROP_DRIVE_FAILED;
	SL_STORE(lane->halt_error, -EIO); // the keeper has said what it was
	SL_STORE(lane->shm->state, SL_LANE_HALTED);
}

// False when its partitions go elsewhere because it was stuck, or some store.meta may say so.
static bool stays(struct sl_lane *lane)
{
	return sl_likely(SL_LOAD_ACQUIRE(lane->leaving) == SL_LEAVING_NONE && !lane->is_promised) ||
		(sl_lane_withdraw(lane) && !lane->is_promised);
}

bool sl_lane_may_roll(const struct sl_lane *lane)
{
	return may_roll(lane) && SL_LOAD_ACQUIRE(lane->spare) != NULL;
}

void sl_lane_roll_early(struct sl_lane *lane, uint64_t now_ns)
{
	if (lane->open_batch != NULL)
		sl_lane_seal(lane, now_ns);
	enter_spare(lane, SL_LOAD_ACQUIRE(lane->spare), now_ns);
}

bool sl_lane_roll(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_segment *spare;

	if (sl_likely(has_room(lane)))
		return true;
	if (!may_roll(lane)) {
		if (SL_LOAD(lane->stuck_segment) != 0)
			wait_for_footer(lane);
		return false;
	}
	spare = SL_LOAD_ACQUIRE(lane->spare);
	if (spare == NULL) {
		lane->refusal = sl_lane_spare_refusal(lane, lane->refusal);
		// Not taken back here: what was asked for may have been granted meanwhile.
		lane->is_stuck |= SL_LOAD(lane->spare_error) != 0;
		return false;
	}
	if (!stays(lane))
		return false;
	enter_spare(lane, spare, now_ns);
	return true;
}

bool sl_lane_roll_aged(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_segment *spare;

	if (lane->segment_since_ns == 0 || now_ns < lane->segment_since_ns + lane->segment_age_ns ||
		!may_roll(lane))
		return false;
	// Without a spare, or a place in flight for the open batch, it is older a little later.
	spare = SL_LOAD_ACQUIRE(lane->spare);
	if (spare == NULL || (lane->open_batch != NULL && lane->unretired >= lane->in_flight_max) ||
		!stays(lane))
		return false;
	if (lane->open_batch != NULL)
		sl_lane_seal(lane, now_ns);
	enter_spare(lane, spare, now_ns);
	SL_STORE(lane->shm->segments_aged, lane->shm->segments_aged + 1);
	return true;
}
