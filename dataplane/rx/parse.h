/* SPDX-License-Identifier: BSD-3-Clause */
// Stage parse: Ethernet, up to two VLAN tags, IPv4 and IPv6, UDP; every length and checksum
// verified. Rules where the RFCs leave room: docs/architecture.md, "What the parser does". Thread
// rule: sl_parse_init on the main lcore before start; sl_parse_burst on an RX lcore.
#pragma once

#include "base.h"
#include "burst.h"
#include "counters.h"

struct sl_config;

#define SL_STREAM_NONE 0xffffu

// UDP destination port to stream index; const after start. 128 KiB, shared by all RX lcores, of
// which a few lines are hot.
struct sl_parse_table {
	uint16_t stream_by_port[65536]; // host byte order; SL_STREAM_NONE
};

void sl_parse_init(struct sl_parse_table *table, const struct sl_config *config);

// Parses burst->mbufs[0..count): survivors are compacted with their datagrams filled (all but
// partition), the others go to burst->dead with one drop counted each. Offload flags first:
// IP_CKSUM_GOOD and L4_CKSUM_GOOD are believed, BAD is a drop, anything else is verified in
// software. Counts datagrams too. Returns the number of survivors, also left in burst->count.
uint32_t sl_parse_burst(const struct sl_parse_table *table, struct sl_burst *burst,
	struct sl_rx_counters *counters);
