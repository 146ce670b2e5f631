/* SPDX-License-Identifier: BSD-3-Clause */
#include "store_fixture.h"

#include "store/io_sync.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void sl_store_fixture_init(struct sl_store_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	CU_ASSERT_FATAL(sl_fixture_make_directory(fixture->path));
	fixture->worker_count = 1;
	fixture->config.path = "test.yaml";
	fixture->config.store.paths[0] = fixture->path;
	fixture->config.store.path_count = 1;
	fixture->config.store.segment_bytes = SL_STORE_FIXTURE_SEGMENT_BYTES;
	fixture->config.store.in_flight_max = 4;
	fixture->config.store.line = 3;
	sl_store_fixture_class(fixture, "default");
}

void sl_store_fixture_fini(struct sl_store_fixture *fixture)
{
	if (fixture->is_open)
		sl_store_fixture_kill(fixture);
	sl_fixture_remove_directory(fixture->path);
	for (uint32_t i = 0; i < fixture->other_path_count; i++)
		sl_fixture_remove_directory(fixture->other_paths[i]);
}

void sl_store_fixture_path(struct sl_store_fixture *fixture)
{
	char *path = fixture->other_paths[fixture->other_path_count++];

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	fixture->config.store.paths[fixture->config.store.path_count++] = path;
}

void sl_store_fixture_class(struct sl_store_fixture *fixture, const char *name)
{
	fixture->config.classes[fixture->config.class_count++] = (struct sl_config_class){
		.name = name,
		.durability = SL_DURABILITY_WRITTEN,
		.batch_bytes = SL_BATCH_BYTES_MIN,
		.linger_us = 1000,
		.line = 20 + fixture->config.class_count,
	};
}

void sl_store_fixture_stream(struct sl_store_fixture *fixture, const char *name,
	uint32_t partition_count, uint32_t class_index)
{
	fixture->config.streams[fixture->config.stream_count++] = (struct sl_config_stream){
		.name = name,
		.udp_port = (uint16_t)(9000 + fixture->config.stream_count),
		.partition_count = partition_count,
		.class_index = class_index,
		.line = 10 + fixture->config.stream_count,
	};
}

static void deal(void *context, const struct sl_store *store)
{
	struct sl_store_fixture *fixture = context;

	for (uint32_t s = 0; s < store->meta.header.stream_count; s++) {
		const struct sl_store_meta_stream *stream = &store->meta.streams[s];

		for (uint32_t i = 0; i < stream->partition_count; i++)
			fixture->worker_by_partition[stream->first_partition + i] =
				(uint8_t)(i * fixture->worker_count / stream->partition_count);
	}
}

int sl_store_fixture_open(struct sl_store_fixture *fixture, struct sl_err *err)
{
	int result = sl_store_open(&fixture->store, &fixture->config, deal, fixture,
		fixture->worker_by_partition, err);

	fixture->is_open = result == 0;
	if (result != 0)
		sl_store_close(&fixture->store, free);
	return result;
}

static uint32_t allocations_left;

// As little as there are hugepages.
static void *allocate(uint64_t bytes)
{
	if (bytes > SL_GIB || allocations_left-- == 0)
		return NULL;
	return aligned_alloc(SL_BLOCK_BYTES, bytes);
}

int sl_store_fixture_start(struct sl_store_fixture *fixture, struct sl_err *err)
{
	struct sl_store_start start = {.shm = &fixture->shm, .allocate = allocate};
	int result;

	allocations_left = fixture->is_short_of_memory ? fixture->begin_count_max : UINT32_MAX;
	fixture->shm.lanes =
		aligned_alloc(SL_CACHE_LINE, SL_LANE_COUNT_MAX * sizeof(*fixture->shm.lanes));
	memset(fixture->shm.lanes, 0, SL_LANE_COUNT_MAX * sizeof(*fixture->shm.lanes));
	fixture->shm.drives = aligned_alloc(
		SL_CACHE_LINE, SL_STORE_PATH_COUNT_MAX * sizeof(*fixture->shm.drives));
	memset(fixture->shm.drives, 0, SL_STORE_PATH_COUNT_MAX * sizeof(*fixture->shm.drives));
	fixture->shm.partitions = calloc(
		fixture->store.meta.header.partition_count, sizeof(*fixture->shm.partitions));
	for (uint32_t i = 0; i < fixture->worker_count; i++)
		start.counters_by_worker[i] = &fixture->counters[i];
	result = sl_store_start(&fixture->store, &start, err);
	for (uint32_t i = 0; i < fixture->store.lane_count; i++) {
		struct sl_lane *lane = &fixture->store.lanes[i].lane;

		if (lane->batches != NULL)
			lane->io = sl_io_sync_create();
	}
	return result;
}

void sl_store_fixture_run(struct sl_store_fixture *fixture)
{
	struct sl_err err = {0};

	if (sl_store_fixture_open(fixture, &err) != 0 || sl_store_fixture_start(fixture, &err) != 0)
		CU_FAIL_FATAL(err.text);
	sl_store_keep(&fixture->store);
}

void sl_store_fixture_close(struct sl_store_fixture *fixture)
{
	for (uint32_t i = 0; i < fixture->store.lane_count; i++) {
		struct sl_io *io = fixture->store.lanes[i].lane.io;

		if (io != NULL)
			io->ops->destroy(io);
	}
	sl_store_close(&fixture->store, free);
	free(fixture->shm.lanes);
	free(fixture->shm.partitions);
	free(fixture->shm.drives);
	memset(&fixture->shm, 0, sizeof(fixture->shm));
	fixture->is_open = false;
}

void sl_store_fixture_block(const char *path, bool is_blocked)
{
	char aside[SL_PATH_BYTES_MAX + 8];

	snprintf(aside, sizeof(aside), "%s.aside", path);
	if (is_blocked) {
		CU_ASSERT_EQUAL_FATAL(rename(path, aside), 0);
		CU_ASSERT_EQUAL_FATAL(mkdir(path, 0750), 0);
	} else {
		CU_ASSERT_EQUAL_FATAL(rmdir(path), 0);
		CU_ASSERT_EQUAL_FATAL(rename(aside, path), 0);
	}
}

void sl_store_fixture_kill(struct sl_store_fixture *fixture)
{
	fixture->store.is_new = false; // who is killed cleans nothing up
	sl_store_fixture_close(fixture);
}

void sl_store_fixture_end(struct sl_store_fixture *fixture)
{
	struct sl_err err = {0};

	for (uint32_t i = 0; i < fixture->store.lane_count; i++) {
		struct sl_lane *lane = &fixture->store.lanes[i].lane;

		if (lane->io != NULL)
			lane->io->ops->destroy(lane->io);
		lane->io = NULL;
	}
	CU_ASSERT_EQUAL(sl_store_stop(&fixture->store, &err), 0);
}

void sl_store_fixture_stop(struct sl_store_fixture *fixture)
{
	sl_store_fixture_end(fixture);
	sl_store_fixture_kill(fixture);
}

void sl_store_fixture_write(struct sl_store_fixture *fixture, uint16_t partition, uint32_t count)
{
	struct sl_store *store = &fixture->store;
	struct sl_lane *lane = &store->lanes[store->meta.partitions[partition].lane].lane;
	struct sl_io_request *done;

	CU_ASSERT_PTR_NOT_NULL_FATAL(lane->io);
	for (uint32_t i = 0; i < count; i++) {
		CU_ASSERT_FATAL(sl_fixture_append_to(
			lane, store->partitions, partition, &i, sizeof(i), SL_FIXTURE_START_NS));
		sl_lane_seal(lane, SL_FIXTURE_START_NS);
		while (lane->io->ops->reap(lane->io, &done, 1) == 1)
			sl_lane_complete(lane, done, SL_FIXTURE_START_NS);
		sl_lane_tick(lane, SL_FIXTURE_START_NS);
	}
	CU_ASSERT_EQUAL(lane->unretired, 0);
}
