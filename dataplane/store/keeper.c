/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/keeper.h"

#include "format/log_format.h"
#include "log.h"
#include "store/keeper_internal.h"
#include "store/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// How often the thread looks at the lanes' hand-over words. A 1 GiB segment lasts 300 ms at the
// fastest rate these drives take.
#define TURN_NS (2 * SL_NS_PER_MS)
// A birth that failed, for want of room as a rule, is tried again after this.
#define BIRTH_RETRY_TURNS 50

static void publish(const struct sl_kept_lane *kept)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < kept->sealed_count; i++)
		bytes += kept->sealed[i].file_bytes;
	SL_STORE(kept->config.shm->segment_count, (uint64_t)kept->sealed_count + kept->open_count);
	SL_STORE(kept->config.shm->segment_bytes_total, bytes + kept->open_bytes);
	SL_STORE(kept->config.shm->spare_ready,
		kept->config.lane != NULL && SL_LOAD(kept->config.lane->spare) != NULL);
}

static int remember_sealed(struct sl_kept_lane *kept, const struct sl_segment *segment)
{
	struct sl_segment_entry *grown =
		realloc(kept->sealed, (kept->sealed_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	kept->sealed = grown;
	kept->sealed[kept->sealed_count++] = (struct sl_segment_entry){
		.number = segment->number,
		.file_bytes = segment->file_bytes,
		.sealed = true,
		.time_last_ns = segment->time_last_ns,
		.event_count = segment->event_count,
	};
	return 0;
}

static void seal_full_segment(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_lane *lane = kept->config.lane;
	struct sl_segment *segment = SL_LOAD_ACQUIRE(lane->closing);
	struct sl_err err = {0};
	int result;

	if (segment == NULL)
		return;
	result = sl_segment_seal(segment, lane->lane, lane->epoch, keeper->config.salt_crc, &err);
	if (result != 0) {
		sl_log_error("store", "%s", err.text);
		SL_STORE_RELEASE(lane->seal_error, result);
		SL_STORE_RELEASE(lane->closing, NULL);
		sl_segment_close(segment);
		return;
	}
	SL_STORE_RELEASE(lane->synced_number, segment->last_number);
	SL_STORE_RELEASE(lane->sealed_segment, segment->number);
	kept->open_count--;
	kept->open_bytes -= segment->file_bytes;
	if (remember_sealed(kept, segment) != 0)
		sl_log_warning("store",
			"lane %u: out of memory: segment %lu will not expire before the next start",
			lane->lane, segment->number);
	SL_STORE_RELEASE(lane->closing, NULL);
	sl_segment_close(segment);
}

// Says it when the trouble begins, not at every try.
static void note_birth_error(struct sl_kept_lane *kept, int error, const char *text)
{
	struct sl_lane *lane = kept->config.lane;

	if (SL_LOAD(lane->spare_error) != error)
		sl_log_error(
			"store", "lane %u: cannot make its next segment: %s", lane->lane, text);
	SL_STORE(lane->spare_error, error);
	kept->birth_wait_turns = BIRTH_RETRY_TURNS;
}

static void keep_spare(struct sl_keeper *keeper, struct sl_kept_lane *kept)
{
	struct sl_lane *lane = kept->config.lane;
	struct sl_segment *segment;
	struct sl_err err = {0};

	if (SL_LOAD_ACQUIRE(lane->spare) != NULL || SL_LOAD(lane->shm->state) == SL_LANE_FAILED)
		return;
	if (kept->birth_wait_turns > 0) {
		kept->birth_wait_turns--;
		return;
	}
	segment = sl_segment_create(
		kept->config.path, kept->config.next_segment, keeper->config.segment_bytes, &err);
	if (segment == NULL) {
		note_birth_error(kept, err.code, err.text);
		return;
	}
	if (SL_LOAD(lane->spare_error) != 0)
		sl_log_notice(
			"store", "lane %u: there is room for its next segment again", lane->lane);
	SL_STORE(lane->spare_error, 0);
	kept->config.next_segment++;
	kept->open_count++;
	kept->open_bytes += segment->file_bytes;
	SL_STORE_RELEASE(lane->spare, segment);
}

static void turn(struct sl_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		struct sl_kept_lane *kept = &keeper->lanes[i];

		if (kept->config.lane != NULL) {
			seal_full_segment(keeper, kept);
			keep_spare(keeper, kept);
		}
	}
	sl_keeper_expire(keeper);
	for (uint32_t i = 0; i < keeper->lane_count; i++)
		publish(&keeper->lanes[i]);
}

static void *run(void *argument)
{
	struct sl_keeper *keeper = argument;
	const struct timespec pause = {.tv_nsec = TURN_NS};

	while (!SL_LOAD_ACQUIRE(keeper->stop)) {
		turn(keeper);
		nanosleep(&pause, NULL);
	}
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		if (keeper->lanes[i].config.lane != NULL)
			seal_full_segment(keeper, &keeper->lanes[i]);
		publish(&keeper->lanes[i]);
	}
	return NULL;
}

int sl_keeper_start(struct sl_keeper *keeper, struct sl_err *err)
{
	int result;

	// The first turn here: a lane has its spare before the appliance says that it is ready.
	turn(keeper);
	result = pthread_create(&keeper->thread, NULL, run, keeper);
	if (result != 0)
		return sl_err_set(
			err, -result, "cannot start the keeper thread: %s", strerror(result));
	pthread_setname_np(keeper->thread, "sluice-keeper");
	keeper->is_running = true;
	return 0;
}

static void remove_spare(struct sl_kept_lane *kept)
{
	struct sl_segment *spare = SL_LOAD_ACQUIRE(kept->config.lane->spare);
	struct sl_err err = {0};

	if (spare == NULL)
		return;
	SL_STORE(kept->config.lane->spare, NULL);
	if (sl_segment_remove(kept->config.path, spare->number, &err) != 0)
		sl_log_warning("store", "lane %u: %s", kept->config.number, err.text);
	kept->open_count--;
	kept->open_bytes -= spare->file_bytes;
	sl_segment_close(spare);
}

void sl_keeper_stop(struct sl_keeper *keeper)
{
	if (!keeper->is_running)
		return;
	SL_STORE_RELEASE(keeper->stop, true);
	pthread_join(keeper->thread, NULL);
	keeper->is_running = false;
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		if (keeper->lanes[i].config.lane != NULL)
			remove_spare(&keeper->lanes[i]);
		publish(&keeper->lanes[i]);
	}
}
