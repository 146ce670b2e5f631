/* SPDX-License-Identifier: BSD-3-Clause */
// A whole store in a real directory: the test says which streams, classes and workers there are,
// and plays the workers, on synchronous writes. Thread rule: one test at a time.
#pragma once

#include "lane_fixture.h"
#include "store/store.h"

#define SL_STORE_FIXTURE_SEGMENT_BYTES (16 * SL_MIB)

struct sl_store_fixture {
	char path[64];
	char other_paths[SL_STORE_PATH_COUNT_MAX][64];
	uint32_t other_path_count;
	struct sl_config config;
	uint32_t worker_count;
	uint8_t worker_by_partition[SL_PARTITION_COUNT_MAX];
	struct sl_store store;
	struct sl_shm shm;
	struct sl_worker_counters counters[SL_LCORE_COUNT_MAX];
	bool is_open;
	bool is_short_of_memory; // sl_store_fixture_start begins begin_count_max lanes, then fails
	uint32_t begin_count_max;
};

// An empty directory and a configuration of one class "default" and no streams, one worker.
void sl_store_fixture_init(struct sl_store_fixture *fixture);
void sl_store_fixture_fini(struct sl_store_fixture *fixture); // closes what is open

// Adds to the configuration.
void sl_store_fixture_path(struct sl_store_fixture *fixture); // a directory of its own
void sl_store_fixture_class(struct sl_store_fixture *fixture, const char *name);
void sl_store_fixture_stream(struct sl_store_fixture *fixture, const char *name,
	uint32_t partition_count, uint32_t class_index);

// Opens; partitions are dealt in contiguous ranges of each stream. Returns what sl_store_open
// returns, closed again when that is not 0.
int sl_store_fixture_open(struct sl_store_fixture *fixture, struct sl_err *err);
// Starts an open store.
int sl_store_fixture_start(struct sl_store_fixture *fixture, struct sl_err *err);
// Both, asserted; and the start is through.
void sl_store_fixture_run(struct sl_store_fixture *fixture);
// Clean stop, asserted.
void sl_store_fixture_end(struct sl_store_fixture *fixture);
// The same, and close.
void sl_store_fixture_stop(struct sl_store_fixture *fixture);
// After a start that has failed; what it has made is taken back.
void sl_store_fixture_close(struct sl_store_fixture *fixture);
// Puts a directory in the place of a file, which then can be neither read nor written nor unlinked;
// or puts the file back.
void sl_store_fixture_block(const char *path, bool is_blocked);
// As a kill does: files closed, nothing said.
void sl_store_fixture_kill(struct sl_store_fixture *fixture);

// Appends count events to a partition, each its own batch, and waits until they are stored.
void sl_store_fixture_write(struct sl_store_fixture *fixture, uint16_t partition, uint32_t count);

// Reads the closed store as a reader does: every partition's events are dense from 0, count of
// them, none twice.
void sl_store_fixture_expect_dense(
	const struct sl_store_fixture *fixture, const uint64_t *counts, uint32_t partition_count);
