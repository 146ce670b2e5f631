/* SPDX-License-Identifier: BSD-3-Clause */
// What a lane does by itself, once a turn: linger, retries, marks, the age of segments, and handing
// full segments to the keeper.
#include "store/lane_internal.h"

#include "hotpath.h"

static bool is_due(const struct sl_lane *lane, uint64_t now_ns)
{
	if (lane->unretired >= lane->in_flight_max)
		return false;
	if (now_ns >= lane->open_since_ns + lane->linger_ns)
		return true;
	return lane->unretired == 0 && !lane->is_hurried &&
		lane->cursor - lane->open_batch->data >= SL_LANE_EAGER_BYTES;
}

static uint32_t send_again(struct sl_lane *lane, uint64_t now_ns)
{
	uint32_t work = 0;

	lane->retry_ns = 0;
	for (uint64_t number = lane->watermark_number + 1; number < lane->next_number; number++) {
		struct sl_batch *batch = lane->by_number[number % SL_LANE_BATCH_COUNT_MAX];

		if (batch->state != SL_BATCH_RETRY)
			continue;
		sl_lane_send(lane, batch, now_ns);
		work++;
	}
	return work;
}

// An empty batch that says how far the lane is durable: without it, rot in the last batches before
// a pause could not be told from a torn tail.
static void write_mark(struct sl_lane *lane, uint64_t now_ns)
{
	lane->time_base_ns = lane->time_last_ns;
	sl_lane_finish_batch(
		lane, sl_lane_take_batch(lane), SL_BATCH_MARK, 0, SL_BATCH_RUNS_OFFSET, 0, now_ns);
}

static bool wants_mark(const struct sl_lane *lane, uint64_t now_ns)
{
	return lane->durability == SL_DURABILITY_DURABLE && lane->unretired == 0 &&
		lane->open_batch == NULL && lane->last_kind == SL_BATCH_EVENTS &&
		now_ns >= lane->last_seal_ns + SL_LANE_IDLE_MARK_NS &&
		lane->position + SL_BLOCK_BYTES + SL_LANE_END_BYTES <=
		sl_segment_usable_bytes(lane->segment);
}

static uint32_t hand_over_full_segment(struct sl_lane *lane)
{
	// Its batches have lower numbers than the checkpoint behind them, so they are retired when
	// that is.
	if (lane->segment->first_number == 0 || SL_LOAD_ACQUIRE(lane->closing) != NULL)
		return 0;
	SL_STORE_RELEASE(lane->closing, lane->full_segment);
	lane->full_segment = NULL;
	return 1;
}

bool sl_lane_is_idle_for_room(const struct sl_lane *lane)
{
	return lane->is_halted && lane->halt_refusal == SL_DROP_DISK_FULL &&
		lane->owned_count == 0 && lane->segment == NULL &&
		SL_LOAD_ACQUIRE(lane->leaving) == SL_LEAVING_NONE;
}

uint32_t sl_lane_tick(struct sl_lane *lane, uint64_t now_ns)
{
	uint32_t work = 0;

	if (sl_unlikely(lane->failed))
		return 0;
	if (sl_unlikely(SL_LOAD_ACQUIRE(lane->seal_error) != 0 && !lane->is_halted)) {
		SL_STORE(lane->halt_error, lane->seal_error);
		lane->halt_refusal = SL_DROP_DRIVE_FAILED;
		lane->is_halted = true;
	}
	if (sl_unlikely(lane->is_halted))
		return sl_lane_mend(lane, now_ns);
	if (sl_unlikely(lane->is_stuck))
		work += sl_lane_look_elsewhere(lane);
	if (sl_unlikely(lane->retry_ns != 0 && now_ns >= lane->retry_ns))
		work += send_again(lane, now_ns);
	if (lane->open_batch != NULL && is_due(lane, now_ns)) {
		sl_lane_seal(lane, now_ns);
		work++;
	}
	if (lane->segment_age_ns != 0)
		work += sl_lane_roll_aged(lane, now_ns);
	if (sl_unlikely(lane->full_segment != NULL))
		work += hand_over_full_segment(lane);
	if (lane->durability != SL_DURABILITY_DURABLE)
		lane->durable_mark = SL_LOAD_ACQUIRE(lane->synced_number);
	if (sl_unlikely(wants_mark(lane, now_ns))) {
		write_mark(lane, now_ns);
		work++;
	}
	return work;
}

bool sl_lane_is_quiet(const struct sl_lane *lane)
{
	if (lane->failed)
		return lane->under_way == 0;
	return lane->open_batch == NULL && lane->unretired == 0 && lane->full_segment == NULL &&
		(!lane->is_halted || sl_lane_is_idle_for_room(lane));
}
