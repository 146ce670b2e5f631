/* SPDX-License-Identifier: BSD-3-Clause */
// What travels from an RX lcore to a worker: a 16-byte descriptor of one event inside a received
// mbuf. Ownership: who holds the descriptor holds one reference of the mbuf and frees it. Thread
// rule: values; the ring hands them over.
#pragma once

#include "base.h"

#include <rte_mbuf.h>
#include <string.h>

#define SL_EVENT_MARKER 0x01 // no event: a snapshot's marker; mbuf holds its number

struct sl_event {
	struct rte_mbuf *mbuf;
	uint16_t payload_offset; // from the first byte of the frame
	uint16_t payload_bytes;
	uint16_t partition; // store-wide
	uint8_t l3_offset; // of the IP header, for streams that keep the source
	uint8_t flags;
};
static_assert(sizeof(struct sl_event) == 16, "rings move 16 bytes an event");

// The receive time rides in the mbuf's hash words: they are in its first cache line, which both
// sides touch anyway, and nobody reads the device's hash after RX.
static inline void sl_mbuf_set_receive_ns(struct rte_mbuf *mbuf, uint64_t receive_ns)
{
	static_assert(sizeof(mbuf->hash) >= sizeof(receive_ns), "room in the mbuf");
	memcpy(&mbuf->hash, &receive_ns, sizeof(receive_ns));
}

static inline uint64_t sl_mbuf_receive_ns(const struct rte_mbuf *mbuf)
{
	uint64_t receive_ns;

	memcpy(&receive_ns, &mbuf->hash, sizeof(receive_ns));
	return receive_ns;
}
