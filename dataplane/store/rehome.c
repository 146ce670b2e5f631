/* SPDX-License-Identifier: BSD-3-Clause */
// Where the partitions of a lane go whose drive takes no writes: to a lane of the same worker and
// class on another drive, in new terms, which are in store.meta before the lane may begin
// (lane_leave.c). Thread rule: keeper thread; nobody else looks at store.meta meanwhile.
#include "fault.h"
#include "log.h"
#include "store/breaker.h"
#include "store/keeper.h"
#include "store/segment.h"
#include "store/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path_of(const struct sl_store *store, const struct sl_store_lane *lane)
{
	return store->paths[lane->path_index].path;
}

static bool is_live(const struct sl_store_lane *lane)
{
	return lane->worker_index != SL_LANE_NONE;
}

bool sl_store_lanes_are_alike(const struct sl_store_lane *one, const struct sl_store_lane *other)
{
	return one != other && is_live(other) && one->worker_index == other->worker_index &&
		one->class_index == other->class_index;
}

// One lane of a worker and class leaves at a time. But the target of one that is leaving may have
// to leave as well: what comes to it follows.
static bool must_wait(const struct sl_store *store, const struct sl_store_lane *leaver)
{
	for (uint32_t i = 0; i < store->lane_count; i++) {
		const struct sl_store_lane *other = &store->lanes[i];
		uint32_t leaving;

		if (!sl_store_lanes_are_alike(leaver, other))
			continue;
		leaving = SL_LOAD_ACQUIRE(other->lane.leaving);
		if (leaving <= SL_LEAVING_WANTED)
			continue;
		if (leaving != SL_LEAVING_UNDER_WAY || SL_LOAD(other->lane.target) != &leaver->lane)
			return true;
	}
	return false;
}

static bool is_healthy(const struct sl_store *store, const struct sl_store_lane *lane)
{
	return SL_LOAD_ACQUIRE(lane->lane.leaving) == SL_LEAVING_NONE &&
		SL_LOAD(lane->lane.shm->state) == SL_LANE_ACTIVE &&
		SL_LOAD(lane->lane.spare_error) == 0 && SL_LOAD(lane->lane.stuck_segment) == 0 &&
		SL_LOAD(store->breakers[lane->path_index].state) == SL_BREAKER_CLOSED &&
		!store->paths[lane->path_index].is_failed;
}

// The one with the fewest partitions; NULL when there is none.
static struct sl_store_lane *find_target(struct sl_store *store, const struct sl_store_lane *leaver)
{
	struct sl_store_lane *target = NULL;

	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		if (!sl_store_lanes_are_alike(leaver, lane) || !is_healthy(store, lane))
			continue;
		if (target == NULL ||
			SL_LOAD(lane->lane.owned_count) < SL_LOAD(target->lane.owned_count))
			target = lane;
	}
	return target;
}

static bool lacks_room(const struct sl_store_lane *leaver)
{
	int error = SL_LOAD(leaver->lane.spare_error);

	return error == -ENOSPC || error == -EDQUOT;
}

// Copies of store.meta are written where drives take writes, as far as their breakers know: their
// room is there.
static void mark_failed_paths(struct sl_store *store, const struct sl_store_lane *leaver)
{
	for (uint32_t i = 0; i < store->path_count; i++)
		store->paths[i].is_failed =
			SL_LOAD(store->breakers[i].state) != SL_BREAKER_CLOSED ||
			(i == leaver->path_index && !lacks_room(leaver));
}

// From the first offset on that is not stored, in a term above all that some copy may name.
static void plan_moves(struct sl_store *store, const struct sl_store_lane *leaver,
	const struct sl_store_lane *target)
{
	const struct sl_lane *lane = &leaver->lane;

	for (uint32_t i = 0; i < lane->owned_count; i++) {
		uint16_t partition = lane->owned[i];
		uint32_t term = store->meta.partitions[partition].term + 1;

#ifdef SL_FAULTS
		if (sl_fault_breaks(SL_FAULT_KEEP_TERM_AT_WORK))
			term--;
#endif
		leaver->moves[i] = (struct sl_lane_move){
			.term_start = SL_LOAD_ACQUIRE(lane->shm_partitions[partition].watermark),
			.term = term,
			.partition = partition,
			.lane = target->number,
		};
	}
}

// A flush that has failed says nothing, and the next one might say that all is well: none is asked.
static void flush_segment(struct sl_lane *lane, const struct sl_segment *segment)
{
	int error;

	if (segment == NULL || fdatasync(segment->fd) == 0)
		return;
	error = -errno;
	sl_log_warning("store",
		"lane %u: cannot flush segment %lu: %s; what it holds may not outlast a power failure",
		lane->lane, segment->number, strerror(-error));
	SL_STORE_RELEASE(lane->seal_error, error);
}

// What was stored, and not flushed, is flushed in front of the new terms: else a power failure
// would leave a hole between them. False when the keeper has yet to do so. The worker leaves the
// lane alone.
static bool flush_stored(struct sl_lane *lane)
{
	const struct sl_segment *closing = SL_LOAD_ACQUIRE(lane->closing);

	if (lane->durability == SL_DURABILITY_DURABLE || SL_LOAD(lane->seal_error) != 0)
		return true;
	if (closing != NULL && !closing->is_void && !closing->is_flushed)
		return false;
	flush_segment(lane, lane->full_segment);
	flush_segment(lane, lane->segment);
	return true;
}

// On every drive that takes it, at least the target's. Returns 0 or a negative errno with err.
static int write_moves(struct sl_store *store, struct sl_store_lane *leaver,
	const struct sl_store_lane *target, struct sl_err *err)
{
	const struct sl_lane *lane = &leaver->lane;

	for (;;) {
		int result;
		uint16_t path_index;

		plan_moves(store, leaver, target);
		result = sl_store_write_moves(store, leaver->moves, lane->owned_count, err);
		if (result == 0)
			return 0;
		path_index = store->meta.header.path_index;
		if (path_index == target->path_index || store->paths[path_index].is_failed)
			return result;
		// Another one cannot be written: it counts as failed, and the rest goes on without.
		sl_log_warning("store", "%s", err->text);
		store->paths[path_index].is_failed = true;
	}
}

static void grant(
	struct sl_store *store, struct sl_store_lane *leaver, struct sl_store_lane *target)
{
	struct sl_lane *lane = &leaver->lane;

	leaver->leave_failure_count = 0;
	sl_log_warning("store",
		"lane %u on %s: %s: its %u partitions of class %s go on in lane %u on %s, in new terms, until the next start",
		leaver->number, path_of(store, leaver), strerror(-lane->halt_error),
		lane->owned_count, lane->shm->class_name, target->number, path_of(store, target));
	lane->moves = leaver->moves;
	lane->move_count = lane->owned_count;
	SL_STORE(lane->target, &target->lane);
	SL_STORE_RELEASE(lane->leaving, SL_LEAVING_GRANTED);
}

static void try_later(struct sl_store *store, struct sl_store_lane *leaver)
{
	uint64_t wait_ns = sl_backoff_ns(leaver->leave_failure_count++,
		store->config->store.backoff_us_min * SL_NS_PER_US,
		store->config->store.backoff_us_max * SL_NS_PER_US);

	leaver->leave_wait_turns = wait_ns / SL_KEEPER_TURN_NS;
	SL_STORE_RELEASE(leaver->lane.leaving, SL_LEAVING_WANTED);
}

static void move_to(
	struct sl_store *store, struct sl_store_lane *leaver, struct sl_store_lane *target)
{
	struct sl_lane *lane = &leaver->lane;
	uint32_t wanted = SL_LEAVING_WANTED;
	struct sl_err err = {0};

	if (!__atomic_compare_exchange_n(&lane->leaving, &wanted, SL_LEAVING_PLANNED, false,
		    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	free(leaver->moves);
	leaver->moves = calloc(lane->owned_count, sizeof(*leaver->moves));
	if (leaver->moves == NULL || !flush_stored(lane)) {
		try_later(store, leaver);
		return;
	}
	// Whatever becomes of it: some copy may have the new terms.
	lane->is_promised = true;
	if (write_moves(store, leaver, target, &err) == 0) {
		grant(store, leaver, target);
		return;
	}
	if (leaver->leave_failure_count == 0)
		sl_log_error("store",
			"lane %u: its partitions cannot go on in lane %u: %s; their events are refused, and it is tried again",
			leaver->number, target->number, err.text);
	try_later(store, leaver);
}

static void serve(struct sl_store *store, struct sl_store_lane *leaver)
{
	struct sl_store_lane *target;
	uint32_t wanted = SL_LEAVING_WANTED;

	if (leaver->leave_wait_turns > 0) {
		leaver->leave_wait_turns--;
		return;
	}
	if (must_wait(store, leaver))
		return;
	mark_failed_paths(store, leaver);
	target = find_target(store, leaver);
	if (target != NULL)
		move_to(store, leaver, target);
	else if (SL_LOAD_ACQUIRE(leaver->lane.seal_error) != 0)
		__atomic_compare_exchange_n(&leaver->lane.leaving, &wanted, SL_LEAVING_DENIED,
			false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void sl_store_rehome(void *context)
{
	struct sl_store *store = context;

	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		if (is_live(lane) && SL_LOAD_ACQUIRE(lane->lane.leaving) == SL_LEAVING_WANTED)
			serve(store, lane);
	}
}
