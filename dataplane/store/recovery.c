/* SPDX-License-Identifier: BSD-3-Clause */
// The order binds (docs/format.md, "Recovery"): lock, epoch, scan, verdict; only then is anything
// touched: void segments go, the tail is written again, the previous segment gets its footer, the
// tail becomes durable.
#include "store/recovery_internal.h"

#include "fault.h"
#include "format/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

// ---- locks

static void unlock_tail(struct sl_recoverer *r)
{
	for (uint32_t i = 0; i < r->locked_count; i++)
		sl_segment_close(r->locked[i]);
	free(r->locked);
	r->locked = NULL;
	r->locked_count = 0;
}

static int list_segments(struct sl_recoverer *r)
{
	int result;

	free(r->entries);
	r->entries = NULL;
	result = sl_segment_list(
		r->lane_path, r->lane, r->salt_crc, false, &r->entries, &r->entry_count, r->err);
	if (result < 0)
		return result;
	r->tail_index = r->entry_count;
	while (r->tail_index > 0 && !r->entries[r->tail_index - 1].sealed)
		r->tail_index--;
	return 0;
}

// Waits for the writes of a dead predecessor: a lock that is free afterwards says that none is
// left.
static int lock_tail(struct sl_recoverer *r)
{
	uint32_t count = r->entry_count - r->tail_index;

	r->locked = calloc(SL_MAX(count, 1u), sizeof(*r->locked));
	if (r->locked == NULL)
		return sl_err_set(r->err, -ENOMEM, "no memory for the segments of a lane");
	for (; r->locked_count < count; r->locked_count++) {
		uint64_t number = r->entries[r->tail_index + r->locked_count].number;

		r->locked[r->locked_count] = sl_segment_open(r->lane_path, number, r->err);
		if (r->locked[r->locked_count] == NULL)
			return -errno;
	}
	return 0;
}

// Lists, locks what is not sealed, and lists again: a late write may have been a footer.
static int take_segments(struct sl_recoverer *r)
{
	uint32_t tail_index;
	int result = list_segments(r);

	do {
		unlock_tail(r);
		tail_index = r->tail_index;
		if (result == 0)
			result = lock_tail(r);
		if (result == 0)
			result = list_segments(r);
	} while (result == 0 && tail_index != r->tail_index);
	if (result < 0)
		return result;
	r->reaches = calloc(SL_MAX(r->entry_count, 1u), sizeof(*r->reaches));
	if (r->reaches == NULL)
		return sl_err_set(r->err, -ENOMEM, "no memory for the segments of a lane");
	return 0;
}

// ---- epoch

static int write_epoch(struct sl_recoverer *r, struct sl_lane_meta *meta, uint64_t epoch)
{
	meta->epoch = epoch;
	meta->lane = r->lane;
	meta->class_index = r->class_index;
	r->recovery->epoch = epoch;
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_SKIP_EPOCH))
		return 0;
#endif
	return sl_lane_meta_write(meta, r->lane_path, r->err);
}

// The new epoch is on the disk before anything of it is.
static int raise_epoch(struct sl_recoverer *r, struct sl_lane_meta *meta)
{
	int result = sl_lane_meta_read(meta, r->lane_path, r->err);

	if (result == -ENOENT || result == -EBADMSG) {
		// Without segments nothing was ever written: a birth that did not get far.
		if (r->entry_count > 0)
			return sl_recovery_corrupt(r);
		*meta = (struct sl_lane_meta){.lane = r->lane};
		result = 0;
	}
	if (result < 0)
		return result;
	r->epoch_before = meta->epoch;
	if (meta->lane != r->lane) {
		sl_err_set(r->err, -EUCLEAN, "%s/" SL_LANE_META_NAME " is that of lane %u",
			r->lane_path, meta->lane);
		return sl_recovery_corrupt(r);
	}
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_REUSE_EPOCH))
		return write_epoch(r, meta, SL_MAX(meta->epoch, 1u));
#endif
	return write_epoch(r, meta, meta->epoch + 1);
}

static int find_end(struct sl_recoverer *r)
{
	int result = sl_recovery_use_bookmark(r);

	r->recovery->is_bookmarked = result > 0;
	return result == 0 ? sl_recovery_scan(r) : SL_MIN(result, 0);
}

static int recover(struct sl_recoverer *r)
{
	struct sl_segment_entry *entries;
	struct sl_lane_meta meta = {0};
	uint32_t entry_count;
	int result = take_segments(r);

	SL_FAULT_POINT(RECOVERY_LOCKED);
	if (result == 0)
		result = raise_epoch(r, &meta);
	SL_FAULT_POINT(RECOVERY_EPOCH);
	if (result == 0)
		result = find_end(r);
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_REUSE_EPOCH))
		r->epoch_max = 0;
#endif
	SL_FAULT_POINT(RECOVERY_SCANNED);
	// A lane.meta that lost its newer slot must not hand out an epoch twice.
	if (result == 0 && r->epoch_max >= r->recovery->epoch)
		result = write_epoch(r, &meta, r->epoch_max + 1);
	if (result == 0)
		result = sl_recovery_finish(r);
	if (result == 0) {
		result = sl_segment_list(
			r->lane_path, r->lane, r->salt_crc, true, &entries, &entry_count, r->err);
		free(entries);
	}
	if (result == 0) {
		r->recovery->states = r->states.states;
		r->recovery->state_count = r->states.count;
		r->states.states = NULL;
	}
	return result;
}

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int sl_lane_recover(struct sl_lane_recovery *recovery, const char *lane_path, uint16_t lane,
	uint16_t class_index, uint32_t salt_crc, struct sl_err *err)
{
	struct sl_err own_err = {0};
	struct sl_recoverer r = {
		.recovery = recovery,
		.lane_path = lane_path,
		.lane = lane,
		.class_index = class_index,
		.salt_crc = salt_crc,
		.err = err != NULL ? err : &own_err,
	};
	uint64_t start_us = monotonic_us();
	int result;

	*recovery = (struct sl_lane_recovery){0};
	result = recover(&r);
	if (result == -EBADMSG)
		result = sl_recovery_corrupt(&r);
	unlock_tail(&r);
	sl_recovery_states_fini(&r.states);
	free(r.reaches);
	free(r.entries);
	if (result < 0)
		sl_lane_recovery_free(recovery);
	recovery->took_us = monotonic_us() - start_us;
	return result;
}

void sl_lane_recovery_free(struct sl_lane_recovery *recovery)
{
	sl_segment_close(recovery->segment);
	free(recovery->states);
	recovery->segment = NULL;
	recovery->states = NULL;
	recovery->state_count = 0;
}
