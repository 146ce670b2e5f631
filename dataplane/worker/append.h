/* SPDX-License-Identifier: BSD-3-Clause */
// Stage append: each event gets its offset and its place in the open batch of its partition's lane.
// This is the only copy of a payload. Thread rule: the worker lcore.
#pragma once

#include "base.h"
#include "event.h"
#include "store/lane.h"

// The part of a worker that appending needs.
struct sl_append {
	struct sl_partition *partitions; // store-wide array
	struct sl_lane *lanes[SL_WORKER_LANE_COUNT_MAX]; // by partition's lane_slot; NULL: none
	uint32_t lane_count; // slots in use: the last of them, and 1
	struct sl_worker_counters *counters;
	struct sl_gap_table *gaps; // of the worker's lcore; NULL: nobody asks
};

// Appends event_count (1 to SL_BURST_COUNT_MAX) events in order, or counts why not, and frees their
// mbufs either way.
void sl_append_burst(struct sl_append *append, const struct sl_event *events, uint32_t event_count);

// The same for events that this lcore has just received: nothing is prefetched.
void sl_append_direct_burst(
	struct sl_append *append, const struct sl_event *events, uint32_t event_count);
