/* SPDX-License-Identifier: BSD-3-Clause */
// One life of the simulated appliance: the product's store, keeper and worker loops, from the
// opening of the store to a clean stop or to a sudden end.
#pragma once

#include "base.h"
#include "config/config.h"
#include "err.h"

#define SIM_WORKER_COUNT_MAX 4

struct sim_life {
	// What is to happen.
	const struct sl_config *config;
	uint32_t partition_count; // of its streams, which are the store's first
	uint32_t worker_count;
	uint32_t event_count;
	uint32_t payload_bytes_max;
	uint64_t crash_call; // the process dies at this call; 0: it stops cleanly
	uint32_t reader_count; // live readers beside it
	// What has happened.
	bool has_crashed;
	bool was_ready; // it has started and took events
	int result; // of start and stop: 0 or a negative errno
	struct sl_err err;
};

// Lives it. Afterwards the process is gone: memory, descriptors and threads; writes of its ring may
// still be under way after a crash.
void sim_life_run(struct sim_life *life);
