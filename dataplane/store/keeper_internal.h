/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the keeper. Nobody else includes this.
#pragma once

#include "store/keeper.h"
#include "store/segment.h"

#include <pthread.h>

struct sl_kept_lane {
	struct sl_keeper_lane config;
	struct sl_segment_entry *sealed; // ascending
	uint32_t sealed_count;
	uint32_t open_count; // segments that are not sealed: spare, current, full
	uint64_t open_bytes;
	uint32_t birth_wait_turns;
	bool removal_failed; // said, and not mended yet
};

struct sl_keeper {
	struct sl_keeper_config config;
	struct sl_kept_lane *lanes;
	uint32_t lane_count;
	pthread_t thread;
	bool is_running;
	bool stop; // main lcore to thread
};

// Removes the oldest sealed segments of each storage class that is over its retention_bytes. Keeper
// thread.
void sl_keeper_expire(struct sl_keeper *keeper);
