/* SPDX-License-Identifier: BSD-3-Clause */
// The end of the RX stages: each steered event goes to the ring of its partition's worker, or,
// when that is this lcore too, straight to append. Thread rule: belongs to one RX lcore.
#pragma once

#include "base.h"
#include "bounds.h"
#include "burst.h"
#include "event.h"
#include "rx/steer.h"
#include "shm.h"

struct rte_ring;
struct sl_append;

#define SL_WORKER_NONE UINT32_MAX

struct sl_dispatch {
	// Const after start.
	const struct sl_steer_table *steer;
	struct rte_ring *rings[SL_LCORE_COUNT_MAX]; // by worker; NULL where that is this lcore
	struct sl_shm_ring *shm_rings; // ring_count of them
	struct sl_append *append; // of the worker on this lcore, or NULL
	uint32_t own_worker; // or SL_WORKER_NONE
	struct sl_rx_counters *counters;
	struct sl_gap_table *gaps; // of this lcore; NULL: nobody asks
	// Written by the RX lcore, within a burst.
	uint32_t staged_count[SL_LCORE_COUNT_MAX];
	struct sl_event staged[SL_LCORE_COUNT_MAX][SL_BURST_COUNT_MAX];
	struct sl_event direct[SL_BURST_COUNT_MAX];
};

// Takes over the burst's mbufs: hands the events of other lcores on; those whose ring is full are
// counted and freed. Returns how many events are this lcore's own: they are then with dispatch, for
// sl_dispatch_direct.
uint32_t sl_dispatch_burst(struct sl_dispatch *dispatch, struct sl_burst *burst);

// Appends the count events that sl_dispatch_burst has left, at least one.
void sl_dispatch_direct(struct sl_dispatch *dispatch, uint32_t count);

// Sends the marker of snapshot id into every ring that has not had it yet. True when all have it.
bool sl_dispatch_send_marker(struct sl_dispatch *dispatch, uint64_t id);
