/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/keeper.h"

#include "format/log_format.h"
#include "log.h"
#include "store/breaker.h"
#include "store/keeper_internal.h"
#include "store/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void publish(const struct sl_kept_lane *kept)
{
	uint64_t bytes = 0, indexed_count = 0;

	for (uint32_t i = 0; i < kept->sealed_count; i++) {
		bytes += kept->sealed[i].disk_bytes;
		indexed_count += kept->sealed[i].index_state == SL_INDEX_THERE;
	}
	SL_STORE(kept->config.shm->segments_indexed, indexed_count);
	SL_STORE(kept->config.shm->segment_count, (uint64_t)kept->sealed_count + kept->open_count);
	SL_STORE(kept->config.shm->segment_bytes_total, bytes + kept->open_bytes);
	SL_STORE(kept->config.shm->spare_ready,
		kept->config.lane != NULL &&
			(SL_LOAD(kept->config.lane->spare) != NULL || kept->forming != NULL));
}

static int remember_sealed(
	struct sl_kept_lane *kept, const struct sl_segment *segment, uint64_t disk_bytes)
{
	struct sl_segment_entry *grown =
		realloc(kept->sealed, (kept->sealed_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	kept->sealed = grown;
	kept->sealed[kept->sealed_count++] = (struct sl_segment_entry){
		.number = segment->number,
		.file_bytes = segment->file_bytes,
		.disk_bytes = disk_bytes,
		.sealed = true,
		.time_last_ns = segment->time_last_ns,
		.event_count = segment->event_count,
	};
	return 0;
}

static void take_back(struct sl_lane *lane, struct sl_segment *segment)
{
	SL_STORE_RELEASE(lane->closing, NULL);
	sl_segment_close(segment);
}

// The footer (or the removal) is tried again: nothing is lost meanwhile, for the batches in front
// of it are where they are, but the lane may not open its next segment. Not so when their own flush
// failed and they were not flushed one by one.
static void note_seal_error(struct sl_keeper *keeper, struct sl_kept_lane *kept,
	struct sl_segment *segment, const struct sl_err *err)
{
	struct sl_lane *lane = kept->config.lane;
	uint64_t wait_ns = sl_backoff_ns(kept->seal_failure_count, keeper->config.backoff_ns_min,
		keeper->config.backoff_ns_max);

	if (kept->seal_failure_count++ == 0)
		sl_log_error("store", "%s", err->text);
	kept->seal_error = err->code;
	kept->seal_wait_turns = wait_ns / SL_KEEPER_TURN_NS;
	SL_STORE_RELEASE(lane->stuck_segment, segment->number);
	if (segment->is_void || segment->is_flushed || lane->durability == SL_DURABILITY_DURABLE)
		return;
	SL_STORE_RELEASE(lane->seal_error, err->code);
	take_back(lane, segment);
}

static int close_segment(struct sl_keeper *keeper, struct sl_kept_lane *kept,
	struct sl_segment *segment, struct sl_err *err)
{
	struct sl_lane *lane = kept->config.lane;
	uint64_t disk_bytes;
	int result;

	if (segment->is_void) {
		result = sl_segment_discard(kept->config.path, segment->number, err);
		if (result == 0)
			SL_STORE(lane->stuck_segment, 0);
		return result;
	}
	disk_bytes = sl_segment_trim(segment);
	result = sl_segment_seal(segment, lane->lane, lane->epoch, keeper->config.salt_crc, err);
	if (result != 0)
		return result;
	if (remember_sealed(kept, segment, disk_bytes) != 0)
		sl_log_warning("store",
			"lane %u: out of memory: segment %lu will not expire before the next start",
			lane->lane, segment->number);
	SL_STORE_RELEASE(lane->synced_number, segment->last_number);
	SL_STORE(lane->stuck_segment, 0);
	SL_STORE_RELEASE(lane->sealed_segment, segment->number);
	return 0;
}

// Takes what the lane has left: seals it, or removes it when it is void.
static void take_closing(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_lane *lane = kept->config.lane;
	struct sl_segment *segment = SL_LOAD_ACQUIRE(lane->closing);
	struct sl_err err = {0};

	if (segment == NULL)
		return;
	if (kept->seal_wait_turns > 0) {
		kept->seal_wait_turns--;
		return;
	}
	if (close_segment(keeper, kept, segment, &err) != 0) {
		note_seal_error(keeper, kept, segment, &err);
		return;
	}
	if (kept->seal_failure_count > 0)
		sl_log_notice("store", "lane %u: segment %lu is closed after all", lane->lane,
			segment->number);
	kept->seal_failure_count = 0;
	kept->open_count--;
	kept->open_bytes -= segment->file_bytes;
	take_back(lane, segment);
}

// What may be written ahead in this turn, saved up for at most a tenth of a second.
static void earn_format_credit(struct sl_keeper *keeper)
{
	uint64_t rate = keeper->config.format_bytes_per_s;
	uint64_t earned = rate / (SL_NS_PER_S / SL_KEEPER_TURN_NS);

	keeper->format_credit_bytes = SL_MIN(keeper->format_credit_bytes + earned,
		SL_MAX(rate / 10, (uint64_t)SL_KEEPER_FORMAT_BYTES));
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

// Ages are those of receive times, which follow the wall clock.
static void watch(struct sl_keeper *keeper, uint64_t now_ns)
{
	// A clock that was set back is no reason to look away.
	if (now_ns < keeper->watch_due_ns && now_ns + SL_KEEPER_WATCH_NS >= keeper->watch_due_ns)
		return;
	keeper->watch_due_ns = now_ns + SL_KEEPER_WATCH_NS;
	sl_keeper_watch_drives(keeper);
	sl_keeper_expire_aged(keeper, now_ns);
}

static void turn(struct sl_keeper *keeper)
{
	watch(keeper, wall_ns());
	earn_format_credit(keeper);
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		struct sl_kept_lane *kept = &keeper->lanes[i];

		if (kept->config.lane != NULL) {
			take_closing(keeper, kept);
			sl_keeper_keep_spare(keeper, kept);
		}
	}
	sl_keeper_expire(keeper);
	for (uint32_t i = 0; i < keeper->lane_count; i++)
		publish(&keeper->lanes[i]);
}

// There is no later turn: what cannot be closed now is left for the next start to recover.
static void close_last(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_lane *lane = kept->config.lane;
	struct sl_segment *segment;

	kept->seal_wait_turns = 0;
	take_closing(keeper, kept);
	segment = SL_LOAD_ACQUIRE(lane->closing);
	if (segment == NULL)
		return;
	SL_STORE_RELEASE(lane->seal_error, kept->seal_error);
	take_back(lane, segment);
}

static void *run(void *argument)
{
	struct sl_keeper *keeper = argument;
	const struct timespec pause = {.tv_nsec = SL_KEEPER_TURN_NS};

	for (uint32_t i = 0; i < keeper->lane_count; i++)
		sl_keeper_index_begin(&keeper->lanes[i]);
	while (!SL_LOAD_ACQUIRE(keeper->stop)) {
		turn(keeper);
		if (keeper->config.on_turn != NULL)
			keeper->config.on_turn(keeper->config.context);
		sl_keeper_index(keeper);
		nanosleep(&pause, NULL);
	}
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		if (keeper->lanes[i].config.lane != NULL)
			close_last(keeper, &keeper->lanes[i]);
		publish(&keeper->lanes[i]);
	}
	return NULL;
}

static void remove_spare(struct sl_kept_lane *kept, struct sl_segment *spare)
{
	struct sl_err err = {0};

	if (spare == NULL)
		return;
	if (sl_segment_remove(kept->config.path, spare->number, &err) != 0)
		sl_log_warning("store", "lane %u: %s", kept->config.number, err.text);
	kept->open_count--;
	kept->open_bytes -= spare->file_bytes;
	sl_segment_close(spare);
}

static void remove_spares(struct sl_kept_lane *kept)
{
	remove_spare(kept, SL_LOAD_ACQUIRE(kept->config.lane->spare));
	SL_STORE(kept->config.lane->spare, NULL);
	remove_spare(kept, kept->forming);
	kept->forming = NULL;
}

static void remove_all_spares(struct sl_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		if (keeper->lanes[i].config.lane != NULL)
			remove_spares(&keeper->lanes[i]);
		publish(&keeper->lanes[i]);
	}
}

int sl_keeper_start(struct sl_keeper *keeper, struct sl_err *err)
{
	int result;

	// The first turn here: a lane has its spare before the appliance says that it is ready.
	turn(keeper);
	result = pthread_create(&keeper->thread, NULL, run, keeper);
	if (result != 0) {
		remove_all_spares(keeper);
		return sl_err_set(
			err, -result, "cannot start the keeper thread: %s", strerror(result));
	}
	pthread_setname_np(keeper->thread, "sluice-keeper");
	keeper->is_running = true;
	return 0;
}

void sl_keeper_stop(struct sl_keeper *keeper)
{
	if (!keeper->is_running)
		return;
	SL_STORE_RELEASE(keeper->stop, true);
	pthread_join(keeper->thread, NULL);
	keeper->is_running = false;
	remove_all_spares(keeper);
}
