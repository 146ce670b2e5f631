/* SPDX-License-Identifier: BSD-3-Clause */
// From a recovered store to lanes that take events.
#include "fault.h"
#include "log.h"
#include "store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Which partitions keep their source addresses; true when one of the class does.
static bool set_keep_source(struct sl_store *store, uint16_t class_index)
{
	bool any = false;

	for (uint32_t s = 0; s < store->config->stream_count; s++) {
		const struct sl_config_stream *stream = &store->config->streams[s];
		const struct sl_store_meta_stream *stored =
			&store->meta.streams[store->meta_index_by_stream[s]];

		if (stream->class_index != class_index || !stream->keep_source)
			continue;
		for (uint32_t p = 0; p < stored->partition_count; p++)
			store->partitions[stored->first_partition + p].keep_source = 1;
		any = true;
	}
	return any;
}

static void describe_lane(
	const struct sl_store *store, const struct sl_store_lane *lane, struct sl_shm_lane *shm)
{
	const struct sl_store_meta_class *class =
		&store->meta.classes[store->meta.lanes[lane->meta_index].class_index];

	shm->lane = lane->number;
	shm->class_index = lane->class_index;
	shm->worker_index = lane->worker_index;
	shm->drive_index = lane->path_index;
	snprintf(shm->class_name, sizeof(shm->class_name), "%s", class->name);
	shm->durability = class->durability;
	shm->in_flight_max = store->config->store.in_flight_max;
	shm->epoch = lane->recovery.epoch;
	shm->recovered_events = lane->recovery.event_count;
	shm->recovered_batches = lane->recovery.batch_count;
	shm->recovery_us = lane->recovery.took_us;
	shm->state = lane->worker_index == SL_LANE_NONE ? SL_LANE_OWNERLESS : SL_LANE_ACTIVE;
	if (sl_store_lane_is_missing(lane))
		shm->state = SL_LANE_MISSING;
}

static bool has_alike(const struct sl_store *store, const struct sl_store_lane *lane)
{
	bool has = false;

	for (uint32_t i = 0; i < store->lane_count; i++)
		has |= sl_store_lanes_are_alike(lane, &store->lanes[i]);
	return has;
}

static int init_lane(struct sl_store *store, struct sl_store_lane *lane, uint32_t index,
	const struct sl_store_start *start, struct sl_err *err)
{
	const struct sl_config_class *class = &store->config->classes[lane->class_index];
	const struct sl_lane_size size = {
		.in_flight_max = store->config->store.in_flight_max,
		.owned_count = lane->owned_capacity,
		.batch_bytes = class->batch_bytes,
		.has_alike = has_alike(store, lane),
	};
	uint64_t bytes = sl_lane_memory_bytes(&size);
	struct sl_lane_setup setup = {
		.lane = lane->number,
		.class_index = lane->class_index,
		.durability = class->durability,
		.batch_bytes = class->batch_bytes,
		.linger_us = class->linger_us,
		.segment_age_s = class->segment_age_s,
		.in_flight_max = store->config->store.in_flight_max,
		.retry_limit = store->config->store.retry_limit,
		.backoff_ns_min = store->config->store.backoff_us_min * SL_NS_PER_US,
		.backoff_ns_max = store->config->store.backoff_us_max * SL_NS_PER_US,
		.breaker = &store->breakers[lane->path_index],
		.salt_crc = store->salt_crc,
		.epoch = lane->recovery.epoch,
		.keep_source = set_keep_source(store, lane->class_index),
		.partitions = store->partitions,
		.owned = lane->owned,
		.owned_count = lane->owned_count,
		.owned_capacity = lane->owned_capacity,
		.slot = lane->slot,
		.may_leave = size.has_alike,
		.counters = start->counters_by_worker[lane->worker_index],
		.shm = &start->shm->lanes[index],
		.shm_partitions = start->shm->partitions,
	};

	lane->memory = start->allocate(bytes);
	if (lane->memory == NULL)
		return sl_err_set(err, -ENOMEM,
			"lane %u: no %lu MiB of hugepage memory for its batches; reserve more hugepages, or lower batch_bytes or in_flight_max",
			lane->number, (unsigned long)((bytes + SL_MIB - 1) / SL_MIB));
	setup.memory = lane->memory;
	return sl_lane_init(&lane->lane, &setup, err);
}

// A state, a first and a last ledger, and a mark must fit behind what is there; else the next
// segment begins with the state.
static bool can_go_on_in(const struct sl_store_lane *lane)
{
	uint64_t states_bytes =
		(uint64_t)lane->lane.checkpoint_batch_count * lane->lane.batch_bytes;

	return lane->recovery.chain.position + states_bytes + 4 * SL_BLOCK_BYTES <=
		sl_segment_usable_bytes(lane->recovery.segment);
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

static int begin_lane(struct sl_store *store, struct sl_store_lane *lane, struct sl_err *err)
{
	struct sl_lane_recovery *recovery = &lane->recovery;
	struct sl_segment *segment = recovery->segment;

	if (segment != NULL && !can_go_on_in(lane)) {
		int result = sl_segment_seal(
			segment, lane->number, recovery->epoch, store->salt_crc, err);

		if (result != 0)
			return result;
		recovery->segment = NULL;
		sl_segment_close(segment);
		segment = NULL;
	}
	if (segment == NULL) {
		segment = sl_segment_create(lane->path, recovery->next_segment,
			store->config->store.segment_bytes, err);
		if (segment == NULL)
			return err->code;
		recovery->next_segment++;
		recovery->chain.position = 0;
	}
	recovery->segment = NULL;
	// A new lane has no time yet: what it says first is said now.
	if (recovery->chain.time_last_ns == 0)
		recovery->chain.time_last_ns = wall_ns();
	return sl_lane_begin(&lane->lane, segment, &recovery->chain, err);
}

static int start_keeper(
	struct sl_store *store, const struct sl_store_start *start, struct sl_err *err)
{
	struct sl_keeper_lane *kept = calloc(SL_MAX(store->lane_count, 1u), sizeof(*kept));
	struct sl_keeper_config config = {
		.segment_bytes = store->config->store.segment_bytes,
		.format_bytes_per_s = store->config->store.format_bytes_per_s,
		.backoff_ns_min = store->config->store.backoff_us_min * SL_NS_PER_US,
		.backoff_ns_max = store->config->store.backoff_us_max * SL_NS_PER_US,
		.salt_crc = store->salt_crc,
		.reserve_bytes = store->config->store.reserve_bytes,
		.drives = start->shm->drives,
		.drive_count = store->path_count,
		.on_turn = sl_store_rehome,
		.context = store,
	};

	if (kept == NULL)
		return sl_err_set(err, -ENOMEM, "keeper: out of memory");
	for (uint32_t i = 0; i < store->config->class_count; i++) {
		config.retention_bytes[i] = store->config->classes[i].retention_bytes;
		config.retention_age_s[i] = store->config->classes[i].retention_age_s;
	}
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		kept[i] = (struct sl_keeper_lane){
			.lane = lane->worker_index == SL_LANE_NONE ? NULL : &lane->lane,
			.number = lane->number,
			.class_index = lane->class_index,
			.drive_index = lane->path_index,
			.shm = &start->shm->lanes[i],
			.next_segment = lane->recovery.next_segment,
		};
		snprintf(kept[i].path, sizeof(kept[i].path), "%s", lane->path);
	}
	store->keeper = sl_keeper_create(&config, kept, store->lane_count, err);
	free(kept);
	if (store->keeper == NULL)
		return err->code;
	return sl_keeper_start(store->keeper, err);
}

static void publish_partitions(const struct sl_store *store, struct sl_shm *shm)
{
	for (uint32_t i = 0; i < store->meta.header.partition_count; i++) {
		shm->partitions[i].next_offset = store->partitions[i].next_offset;
		shm->partitions[i].watermark = store->partitions[i].next_offset;
	}
}

static void describe_drives(const struct sl_store *store, struct sl_shm *shm)
{
	for (uint32_t i = 0; i < store->path_count; i++) {
		bool is_missing = store->paths[i].path == NULL;

		snprintf(shm->drives[i].path, sizeof(shm->drives[i].path), "%s",
			is_missing ? store->meta.paths[i].path : store->paths[i].path);
		shm->drives[i].level = is_missing ? SL_DRIVE_MISSING : SL_DRIVE_OK;
	}
}

int sl_store_start(struct sl_store *store, const struct sl_store_start *start, struct sl_err *err)
{
	describe_drives(store, start->shm);
	for (uint32_t i = 0; i < store->path_count; i++)
		sl_breaker_init(&store->breakers[i],
			store->config->store.backoff_us_min * SL_NS_PER_US,
			store->config->store.backoff_us_max * SL_NS_PER_US);
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		describe_lane(store, lane, &start->shm->lanes[i]);
		if (lane->worker_index == SL_LANE_NONE)
			continue;
		if (init_lane(store, lane, i, start, err) != 0)
			return err->code;
		if (start->ledger != NULL)
			sl_lane_set_ledger(&lane->lane, start->ledger, start->ledger_bytes);
		if (begin_lane(store, lane, err) != 0)
			return err->code;
	}
	SL_FAULT_POINT(LANE_BEGUN);
	publish_partitions(store, start->shm);
	return start_keeper(store, start, err);
}
