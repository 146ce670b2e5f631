/* SPDX-License-Identifier: BSD-3-Clause */
// A lane's beginning and end, on the main lcore: memory, the first checkpoint or epoch start, the
// mark of a clean stop. Thread rule: main lcore, before the worker starts and after it has
// returned.
#pragma once

#include "base.h"
#include "err.h"
#include "store/lane.h"

struct sl_lane_setup {
	uint16_t lane;
	uint16_t class_index; // of the configuration
	uint16_t buffer_index;
	enum sl_durability durability;
	uint32_t batch_bytes;
	uint32_t linger_us;
	uint64_t segment_age_s; // 0: never
	uint32_t in_flight_max;
	uint32_t retry_limit; // failed writes in a row that open the breaker, less one
	uint64_t backoff_ns_min, backoff_ns_max;
	struct sl_breaker *breaker; // of the drive; must outlive the lane
	uint32_t salt_crc;
	uint64_t epoch; // already on disk
	bool keep_source; // some stream of the class keeps sources
	struct sl_partition *partitions; // store-wide array, states filled in
	uint16_t *owned; // partitions of this lane, with room for owned_capacity; must outlive it
	uint32_t owned_count;
	uint32_t owned_capacity; // that the lane is made for; 0: owned_count
	uint8_t slot; // of its worker's lanes
	bool may_leave; // its worker has another lane of its class: its partitions may go there
	void *memory; // sl_lane_memory_bytes(), block-aligned; must outlive the lane and its ring
	struct sl_worker_counters *counters;
	struct sl_shm_lane *shm;
	struct sl_shm_partition *shm_partitions;
};

// Where the chain goes on: from recovery, or all zeros for a new lane.
struct sl_lane_chain {
	uint64_t next_number; // from 1
	uint64_t position;
	uint64_t durable_mark;
	uint64_t time_last_ns;
	uint32_t prev_body_crc;
};

// What a lane's memory depends on.
struct sl_lane_size {
	uint32_t in_flight_max;
	uint32_t owned_count; // partitions that it may come to own
	uint32_t batch_bytes;
	bool has_alike; // its worker has another lane of its class: batches of that may come here
	bool keep_source;
};

// Batches that a lane needs: those under way, the open one, a checkpoint's, and two of a lane whose
// partitions come here (lane_leave.c).
uint32_t sl_lane_batch_count(const struct sl_lane_size *size);

// Hugepage memory for them.
uint64_t sl_lane_memory_bytes(const struct sl_lane_size *size);

// And of the heap.
uint64_t sl_lane_heap_bytes(const struct sl_lane_size *size);

// Prepares the struct. Returns 0 or -ENOMEM; then sl_lane_fini is still legal.
int sl_lane_init(struct sl_lane *lane, const struct sl_lane_setup *setup, struct sl_err *err);

// Takes segment (ownership moves to the lane) and writes the lane's state into it: a checkpoint at
// position 0, else an epoch start at chain->position; then fdatasync, so that the recovered tail
// may be acknowledged. A ledger that was set goes along. Returns 0 or a negative errno.
int sl_lane_begin(struct sl_lane *lane, struct sl_segment *segment,
	const struct sl_lane_chain *chain, struct sl_err *err);

// After the drain: the ledger that was set, fdatasync, and a mark that says so. A failed lane is
// left as it is. Returns 0 or a negative errno.
int sl_lane_end(struct sl_lane *lane, struct sl_err *err);

// Closes segments and frees tables. Legal on a zeroed lane.
void sl_lane_fini(struct sl_lane *lane);
