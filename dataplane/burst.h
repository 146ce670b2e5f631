/* SPDX-License-Identifier: BSD-3-Clause */
// A burst on its way through the RX stages. Each stage compacts it in place and returns the
// survivors; frames that end are moved to `dead` with one drop counted, and freed together at the
// end of the turn. Thread rule: belongs to one RX lcore.
#pragma once

#include "base.h"
#include "counters.h"

struct rte_mbuf;

#define SL_BURST_COUNT_MAX 64

// What the parser learned about a datagram. 16 bytes; the first eight are the second half of a
// struct sl_event, which dispatch takes over as one word.
struct sl_datagram {
	uint16_t payload_offset; // from the first byte of the frame
	uint16_t payload_bytes;
	uint16_t partition; // store-wide, set by steer
	uint8_t l3_offset; // of the IP header
	uint8_t flags; // 0: none concerns a datagram
	uint16_t stream; // index into the streams
	uint8_t ip_version; // 4 or 6
	uint8_t reserved[5];
};
static_assert(sizeof(struct sl_datagram) == 16, "four to a cache line");

struct sl_burst {
	uint32_t count;
	uint32_t dead_count;
	uint64_t receive_ns; // read once a burst
	struct rte_mbuf *mbufs[SL_BURST_COUNT_MAX];
	struct sl_datagram datagrams[SL_BURST_COUNT_MAX]; // same index as mbufs
	struct rte_mbuf *dead[SL_BURST_COUNT_MAX];
};
