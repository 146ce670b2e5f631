/* SPDX-License-Identifier: BSD-3-Clause */
// Datagrams as the parser hands them on: mbufs from a pool that counts, in one segment or divided,
// and what the parser knows of them. Thread rule: one test at a time.
#pragma once

#include "base.h"
#include "burst.h"
#include "event.h"

struct datagram_spec { // zeros: the default in the comment
	uint8_t ip_version; // 4
	uint8_t source[16], target[16]; // addresses, network order
	uint16_t source_port, target_port;
	const void *payload;
	uint32_t payload_bytes;
	uint32_t first_bytes; // of the frame, in the first segment; 0: all that fits
	uint32_t next_bytes; // in each further one; 0: all that fits
};

// The mbuf, the caller's; *datagram says what the parser would.
struct rte_mbuf *datagram_make(const struct datagram_spec *spec, struct sl_datagram *datagram);

// One descriptor of a ring, received at receive_ns.
struct sl_event datagram_event(
	const struct datagram_spec *spec, uint16_t partition, uint64_t receive_ns);

// mbufs that are not back in the pool.
uint32_t datagrams_held(void);
