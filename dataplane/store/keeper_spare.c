/* SPDX-License-Identifier: BSD-3-Clause */
// The next segment of each lane: recycled from an expired one when its class is at its limit, else
// new, and written once ahead while the lane can wait for it.
#include "log.h"
#include "store/keeper_internal.h"

#include <errno.h>

// A birth that failed, for want of room as a rule, is tried again after this.
#define BIRTH_RETRY_TURNS 50
// A lane with less before it than a quarter of a segment, or than it fills in so many turns of this
// thread at its pace, gets its spare as it is: the thread may be at a flush when it should look.
#define HUNGRY_TURNS 16
// The pace falls by this part a turn: a burst is remembered for some 50 ms.
#define PACE_DECAY 16

// Says it when the trouble begins, not at every try.
static void note_birth_error(struct sl_kept_lane *kept, int error, const char *text)
{
	struct sl_lane *lane = kept->config.lane;

	if (SL_LOAD(lane->spare_error) != error)
		sl_log_error(
			"store", "lane %u: cannot make its next segment: %s", lane->lane, text);
	SL_STORE(lane->spare_error, error);
	// Whatever bears this number could not be taken back: numbers may have gaps.
	if (error == -EEXIST)
		kept->config.next_segment++;
	kept->birth_wait_turns = BIRTH_RETRY_TURNS;
}

static struct sl_segment *recycle(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	uint64_t limit_bytes = kept->config.class_index < SL_CLASS_COUNT_MAX
		? keeper->config.retention_bytes[kept->config.class_index]
		: 0;
	struct sl_kept_lane *oldest;
	struct sl_segment *segment;
	struct sl_err err = {0};

	if (limit_bytes == 0 ||
		sl_keeper_class_bytes(keeper, kept->config.class_index) +
				keeper->config.segment_bytes <=
			limit_bytes)
		return NULL;
	oldest = sl_keeper_find_recyclable(
		keeper, kept->config.class_index, kept->config.drive_index);
	if (oldest == NULL)
		return NULL;
	sl_keeper_index_drop(oldest, oldest->sealed[0].number);
	segment = sl_segment_recycle(oldest->config.path, oldest->sealed[0].number,
		kept->config.path, kept->config.next_segment, keeper->config.segment_bytes, &err);
	if (segment == NULL) {
		// A reader holds it, or it is of another size: it expires as usual, by its name
		// alone. So does one whose name is gone already, for want of a flushed directory.
		sl_log_debug("store", "lane %u: %s", kept->config.number, err.text);
		return NULL;
	}
	sl_log_debug("store", "lane %u: segment %lu of lane %u recycled as %lu",
		kept->config.number, oldest->sealed[0].number, oldest->config.number,
		segment->number);
	sl_keeper_forget_first(oldest);
	SL_STORE(oldest->config.shm->segments_expired, oldest->config.shm->segments_expired + 1);
	SL_STORE(kept->config.shm->segments_recycled, kept->config.shm->segments_recycled + 1);
	return segment;
}

static bool begin_forming(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_lane *lane = kept->config.lane;
	struct sl_segment *segment = recycle(keeper, kept);
	struct sl_err err = {0};

	if (segment == NULL && sl_keeper_check_room(keeper, kept, &err) == 0)
		segment = sl_segment_create(kept->config.path, kept->config.next_segment,
			keeper->config.segment_bytes, &err);
	if (segment == NULL) {
		note_birth_error(kept, err.code, err.text);
		return false;
	}
	if (SL_LOAD(lane->spare_error) != 0)
		sl_log_notice("store", "lane %u: its next segment can be made again", lane->lane);
	SL_STORE(lane->spare_error, 0);
	kept->config.next_segment++;
	kept->open_count++;
	kept->open_bytes += segment->file_bytes;
	kept->forming = segment;
	return true;
}

// What the lane has filled since the last turn, or did lately.
static void note_pace(struct sl_kept_lane *kept)
{
	uint64_t position = SL_LOAD(kept->config.shm->position);
	uint64_t filled_bytes =
		position >= kept->seen_position ? position - kept->seen_position : position;

	kept->seen_position = position;
	kept->pace_bytes = SL_MAX(filled_bytes, kept->pace_bytes - kept->pace_bytes / PACE_DECAY);
}

static bool is_hungry(const struct sl_kept_lane *kept)
{
	uint64_t file_bytes = kept->forming->file_bytes;
	uint64_t margin_bytes = SL_MAX(file_bytes / 4, HUNGRY_TURNS * kept->pace_bytes);

	return kept->seen_position + margin_bytes >= file_bytes;
}

// True when the segment may be handed over.
static bool is_formed(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_segment *segment = kept->forming;
	struct sl_err err = {0};

	if (segment->formatted_bytes == segment->file_bytes ||
		keeper->config.format_bytes_per_s == 0 || is_hungry(kept) ||
		SL_LOAD(kept->config.lane->wants_spare))
		return true;
	if (keeper->format_credit_bytes < SL_KEEPER_FORMAT_BYTES)
		return false;
	keeper->format_credit_bytes -= SL_KEEPER_FORMAT_BYTES;
	if (sl_segment_format_step(segment, keeper->zeros, SL_KEEPER_FORMAT_BYTES, &err) == 0)
		return false;
	// The lane will find out by itself whether the drive takes its own writes.
	sl_log_warning("store", "lane %u: %s", kept->config.number, err.text);
	return true;
}

void sl_keeper_keep_spare(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_lane *lane = kept->config.lane;
	struct sl_segment *segment;

	note_pace(kept);
	if (SL_LOAD_ACQUIRE(lane->spare) != NULL || SL_LOAD(lane->shm->state) == SL_LANE_FAILED)
		return;
	if (kept->birth_wait_turns > 0) {
		kept->birth_wait_turns--;
		return;
	}
	if (kept->forming == NULL && !begin_forming(keeper, kept))
		return;
	if (!is_formed(keeper, kept))
		return;
	segment = kept->forming;
	kept->forming = NULL;
	if (segment->formatted_bytes < segment->file_bytes)
		SL_STORE(kept->config.shm->segments_unwritten,
			kept->config.shm->segments_unwritten + 1);
	SL_STORE_RELEASE(lane->spare, segment);
}
