/* SPDX-License-Identifier: BSD-3-Clause */
// Which partition lives in which lane, for this start's workers, classes and paths. A partition
// stays where it is if it can; one that moves gets a new term; a lane that nobody needs loses its
// owner. Partitions of a worker and class are spread evenly over the paths: of those that are
// spread otherwise, when a path has been added, as few move as that takes.
#include "fault.h"
#include "log.h"
#include "store/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_NONE UINT8_MAX

struct arrangement {
	struct sl_store *store;
	const uint8_t *worker_by_partition;
	uint16_t *class_by_partition; // of the configuration; SL_CLASS_NONE: gone from there
	uint8_t *path_by_partition;
	// Partitions by worker, class and path: as they are placed, and as they shall be.
	uint32_t load[SL_LCORE_COUNT_MAX][SL_CLASS_COUNT_MAX][SL_STORE_PATH_COUNT_MAX];
	uint32_t target[SL_LCORE_COUNT_MAX][SL_CLASS_COUNT_MAX][SL_STORE_PATH_COUNT_MAX];
	uint32_t total[SL_LCORE_COUNT_MAX][SL_CLASS_COUNT_MAX];
	uint32_t partition_count;
	uint32_t jump_count;
};

static uint32_t *load_of(struct arrangement *a, uint32_t partition)
{
	return a->load[a->worker_by_partition[partition]][a->class_by_partition[partition]];
}

static const uint32_t *target_of(const struct arrangement *a, uint32_t partition)
{
	return a->target[a->worker_by_partition[partition]][a->class_by_partition[partition]];
}

static void classify_partitions(struct arrangement *a)
{
	const struct sl_store *store = a->store;

	for (uint32_t s = 0; s < store->meta.header.stream_count; s++) {
		const struct sl_store_meta_stream *stream = &store->meta.streams[s];
		uint16_t class_index = SL_CLASS_NONE;

		for (uint32_t c = 0; c < store->config->class_count; c++) {
			if (store->meta_index_by_class[c] == stream->class_index)
				class_index = (uint16_t)c;
		}
		for (uint32_t p = 0; p < stream->partition_count; p++)
			a->class_by_partition[stream->first_partition + p] = class_index;
	}
}

static bool is_same_place(const struct sl_store_lane *lane, const struct sl_store_lane *other)
{
	return lane->worker_index == other->worker_index &&
		lane->class_index == other->class_index && lane->path_index == other->path_index;
}

// A worker's second lane of a class on a path, whoever wrote it into store.meta.
static void disown_doubles(struct sl_store *store)
{
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];
		bool is_double = lane->class_index == SL_CLASS_NONE ||
			sl_store_lane_is_missing(lane) || lane->worker_index >= SL_LCORE_COUNT_MAX;

		for (uint32_t j = 0; j < i && !is_double; j++)
			is_double = is_same_place(lane, &store->lanes[j]);
		if (is_double)
			lane->worker_index = SL_LANE_NONE;
	}
}

static void keep_places(struct arrangement *a)
{
	for (uint32_t p = 0; p < a->partition_count; p++) {
		const struct sl_store_lane *lane = sl_store_lane_of(a->store, p);

		a->path_by_partition[p] = PATH_NONE;
		if (lane == NULL || a->class_by_partition[p] == SL_CLASS_NONE ||
			lane->class_index != a->class_by_partition[p] ||
			lane->worker_index != a->worker_by_partition[p])
			continue;
		a->path_by_partition[p] = (uint8_t)lane->path_index;
		load_of(a, p)[lane->path_index]++;
	}
}

static bool is_usable(const struct sl_store *store, uint32_t path_index)
{
	return store->paths[path_index].path != NULL;
}

// An even share each; the remainder goes to those that have most already.
static void share_out(
	const struct sl_store *store, const uint32_t *load, uint32_t total, uint32_t *target)
{
	uint32_t usable_count = 0, share;

	for (uint32_t i = 0; i < store->path_count; i++)
		usable_count += is_usable(store, i);
	share = total / usable_count;
	for (uint32_t i = 0; i < store->path_count; i++)
		target[i] = is_usable(store, i) ? share : 0;
	for (uint32_t left = total % usable_count; left > 0; left--) {
		uint32_t heaviest = SL_STORE_PATH_COUNT_MAX;

		for (uint32_t i = 0; i < store->path_count; i++) {
			if (is_usable(store, i) && target[i] == share &&
				(heaviest == SL_STORE_PATH_COUNT_MAX || load[i] > load[heaviest]))
				heaviest = i;
		}
		target[heaviest]++;
	}
}

static void set_targets(struct arrangement *a)
{
	for (uint32_t p = 0; p < a->partition_count; p++) {
		if (a->class_by_partition[p] != SL_CLASS_NONE)
			a->total[a->worker_by_partition[p]][a->class_by_partition[p]]++;
	}
	for (uint32_t w = 0; w < SL_LCORE_COUNT_MAX; w++) {
		for (uint32_t c = 0; c < SL_CLASS_COUNT_MAX; c++)
			share_out(a->store, a->load[w][c], a->total[w][c], a->target[w][c]);
	}
}

static void release_surplus(struct arrangement *a)
{
	for (uint32_t p = a->partition_count; p-- > 0;) {
		uint8_t path = a->path_by_partition[p];

		if (path == PATH_NONE || load_of(a, p)[path] <= target_of(a, p)[path])
			continue;
		load_of(a, p)[path]--;
		a->path_by_partition[p] = PATH_NONE;
	}
}

// Neighbours on different paths: a stream's partitions are as good as alike.
static uint8_t lightest_path(
	const struct sl_store *store, const uint32_t *load, const uint32_t *target)
{
	uint8_t lightest = PATH_NONE;

	for (uint8_t i = 0; i < store->path_count; i++) {
		if (load[i] < target[i] && (lightest == PATH_NONE || load[i] < load[lightest]))
			lightest = i;
	}
	return lightest;
}

static void place_others(struct arrangement *a)
{
	for (uint32_t p = 0; p < a->partition_count; p++) {
		if (a->class_by_partition[p] == SL_CLASS_NONE ||
			a->path_by_partition[p] != PATH_NONE)
			continue;
		a->path_by_partition[p] = lightest_path(a->store, load_of(a, p), target_of(a, p));
		load_of(a, p)[a->path_by_partition[p]]++;
	}
}

static void disown_surplus_lanes(struct arrangement *a)
{
	for (uint32_t i = 0; i < a->store->lane_count; i++) {
		struct sl_store_lane *lane = &a->store->lanes[i];

		if (lane->worker_index != SL_LANE_NONE &&
			a->load[lane->worker_index][lane->class_index][lane->path_index] == 0)
			lane->worker_index = SL_LANE_NONE;
	}
}

// Where a partition of a missing path ends is not known, and of any partition a missing store.meta
// may know a newer term: the offsets that may have been given are left out, and terms too.
static bool must_jump(const struct sl_store *store, uint32_t partition)
{
	const struct sl_store_lane *lane = sl_store_lane_of(store, partition);

	return lane != NULL && (store->is_outdated || sl_store_lane_is_missing(lane));
}

static void raise_term(struct sl_store *store, uint32_t partition)
{
	struct sl_partition *state = &store->partitions[partition];

	if (must_jump(store, partition)) {
		state->term = (state->term / SL_TERM_JUMP_STEP + 1) * SL_TERM_JUMP_STEP;
		state->next_offset += SL_OFFSET_JUMP;
	} else {
		state->term++;
#ifdef SL_FAULTS
		if (sl_fault_breaks(SL_FAULT_KEEP_TERM) && state->term > 1)
			state->term--;
#endif
	}
	state->term_start = state->next_offset;
}

#define JUMP_COUNT_SAID 64 // one by one; the rest by their number

static void say_jump(struct arrangement *a, uint32_t partition)
{
	const struct sl_store *store = a->store;
	const struct sl_store_meta_partition *stored = &store->meta.partitions[partition];
	const struct sl_store_lane *lane = sl_store_lane_of(store, partition);

	if (!must_jump(store, partition) || a->jump_count++ >= JUMP_COUNT_SAID)
		return;
	if (sl_store_lane_is_missing(lane))
		sl_log_warning("store",
			"partition %u: its offsets from %lu on, of term %u, cannot be read: lane %u lies on path %u, which is missing; it goes on with offset %lu",
			partition, (unsigned long)stored->term_start, stored->term, lane->number,
			lane->path_index,
			(unsigned long)store->partitions[partition].next_offset +
				(unsigned long)SL_OFFSET_JUMP);
	else
		sl_log_info("store",
			"partition %u: goes on with offset %lu, for a missing path may know of offsets behind %lu",
			partition,
			(unsigned long)store->partitions[partition].next_offset +
				(unsigned long)SL_OFFSET_JUMP,
			(unsigned long)store->partitions[partition].next_offset);
}

static void move_partition(
	struct arrangement *a, uint32_t partition, const struct sl_store_lane *lane)
{
	struct sl_store *store = a->store;
	struct sl_store_meta_partition *stored = &store->meta.partitions[partition];
	struct sl_partition *state = &store->partitions[partition];

	if (stored->lane == lane->number && !must_jump(store, partition))
		return;
	say_jump(a, partition);
	raise_term(store, partition);
	*stored = (struct sl_store_meta_partition){
		.term_start = state->term_start,
		.term = state->term,
		.lane = lane->number,
	};
}

static int move_partitions(struct arrangement *a, struct sl_err *err)
{
	for (uint32_t p = 0; p < a->partition_count; p++) {
		struct sl_store_lane *lane;

		if (a->class_by_partition[p] == SL_CLASS_NONE)
			continue;
		lane = sl_store_find_lane(a->store, a->worker_by_partition[p],
			a->class_by_partition[p], a->path_by_partition[p], err);
		if (lane == NULL)
			return err->code;
		move_partition(a, p, lane);
	}
	if (a->jump_count > JUMP_COUNT_SAID)
		sl_log_warning("store", "and %u more partitions go on likewise",
			a->jump_count - JUMP_COUNT_SAID);
	return 0;
}

static uint32_t capacity_of(struct arrangement *a, const struct sl_store_lane *lane)
{
	uint32_t capacity = 0;

	if (lane->worker_index == SL_LANE_NONE) {
		for (uint32_t p = 0; p < a->partition_count; p++)
			capacity += a->store->meta.partitions[p].lane == lane->number;
		return capacity;
	}
	for (uint32_t i = 0; i < a->store->path_count; i++)
		capacity += a->load[lane->worker_index][lane->class_index][i];
	return capacity;
}

static void list_owned(struct arrangement *a, struct sl_store_lane *lane)
{
	struct sl_store *store = a->store;

	lane->owned_count = 0;
	for (uint32_t p = 0; p < a->partition_count; p++) {
		if (store->meta.partitions[p].lane != lane->number)
			continue;
		lane->owned[lane->owned_count++] = (uint16_t)p;
		store->partitions[p].lane_slot = lane->slot;
	}
	store->meta.lanes[lane->meta_index].worker_index = lane->worker_index;
}

// Partition numbers grouped by lane: what checkpoints list. Each lane's list has room for all that
// its worker may come to put there.
static int group_by_lane(struct arrangement *a, struct sl_err *err)
{
	static_assert(SL_WORKER_LANE_COUNT_MAX <= UINT8_MAX, "a lane slot has eight bits");
	static_assert(SL_WORKER_LANE_COUNT_MAX == SL_CLASS_COUNT_MAX * SL_STORE_PATH_COUNT_MAX,
		"one lane of each class on each path");
	struct sl_store *store = a->store;
	uint8_t slot_count[SL_LCORE_COUNT_MAX] = {0};
	size_t total = 0;
	uint16_t *next;

	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		lane->owned_capacity = capacity_of(a, lane);
		total += lane->owned_capacity;
		if (lane->worker_index != SL_LANE_NONE)
			lane->slot = slot_count[lane->worker_index]++;
	}
	store->owned = calloc(SL_MAX(total, (size_t)1), sizeof(*store->owned));
	if (store->owned == NULL)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	next = store->owned;
	for (uint32_t i = 0; i < store->lane_count; i++) {
		store->lanes[i].owned = next;
		list_owned(a, &store->lanes[i]);
		assert(store->lanes[i].owned_count <= store->lanes[i].owned_capacity);
		next += store->lanes[i].owned_capacity;
	}
	return 0;
}

static int arrange(struct arrangement *a, struct sl_err *err)
{
	classify_partitions(a);
	disown_doubles(a->store);
	keep_places(a);
	set_targets(a);
	release_surplus(a);
	place_others(a);
	disown_surplus_lanes(a);
	if (move_partitions(a, err) != 0)
		return err->code;
	return group_by_lane(a, err);
}

int sl_store_arrange(struct sl_store *store, const uint8_t *worker_by_partition, struct sl_err *err)
{
	uint32_t count = SL_MAX(store->meta.header.partition_count, 1u);
	struct arrangement *a = calloc(1, sizeof(*a));
	int result = -ENOMEM;

	if (a != NULL) {
		a->store = store;
		a->worker_by_partition = worker_by_partition;
		a->partition_count = store->meta.header.partition_count;
		a->class_by_partition = calloc(count, sizeof(*a->class_by_partition));
		a->path_by_partition = calloc(count, sizeof(*a->path_by_partition));
	}
	if (a == NULL || a->class_by_partition == NULL || a->path_by_partition == NULL)
		sl_err_set(err, -ENOMEM, "store: out of memory");
	else
		result = arrange(a, err);
	if (a != NULL) {
		free(a->class_by_partition);
		free(a->path_by_partition);
	}
	free(a);
	return result;
}
