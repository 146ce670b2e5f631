/* SPDX-License-Identifier: BSD-3-Clause */
// From (first sequence, count) to frames that the device took. Thread rule: the sending lcore.
#pragma once

#include "base.h"

#include <signal.h>

struct rte_mempool;
struct sl_fill;
struct sl_pcap_file;

struct sl_frames {
	uint16_t port_id;
	struct rte_mempool *pool;
	const struct sl_fill *fill;
	const struct sl_pcap_file *replay; // instead of fill, or NULL
	const volatile sig_atomic_t *stop;
	uint64_t call_count, retry_count; // bursts offered; of these to a device without room
	uint64_t frame_bytes; // taken, FCS included
	uint64_t fill_cycles, send_cycles;
};

// Sends the frames [first, first + count) until the device has taken them all; gives up when it had
// no room for about a millisecond, or *stop. Returns how many it took, from the first on: the rest
// has not left and is to be asked for again.
uint32_t sl_frames_send(struct sl_frames *frames, uint64_t first, uint64_t sent_ns, uint32_t count);
