/* SPDX-License-Identifier: BSD-3-Clause */
// The virtual network: events in mbufs made by hand, put into the worker's rings as an RX lcore
// would.
#pragma once

#include "lcore.h"

struct sim_network {
	struct sl_worker *workers;
	uint32_t worker_count;
	const uint8_t *worker_by_partition;
	uint32_t partition_count;
	uint32_t payload_bytes_max;
	uint32_t event_count; // to be sent
	uint64_t sent_count;
};

// A new seed: events are numbered from 1 again.
void sim_network_begin(void);
// No mbuf is in use: the process is new.
void sim_network_reset(void);
// Mbufs that the process holds.
uint32_t sim_network_held_count(void);

// A thread's life: sends event_count events in bursts, with pauses. argument is a
// struct sim_network *.
void *sim_network_run(void *argument);
