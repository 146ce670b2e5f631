/* SPDX-License-Identifier: BSD-3-Clause */
// Stage parse: Ethernet, up to two VLAN tags, IPv4 and IPv6, UDP; every length and checksum
// verified. The order of the checks, and so the reason that wins when a frame is wrong in two ways,
// is specified in docs/parser.md. Thread rule: sl_parse_init on the main lcore before start;
// sl_parse_burst on an RX lcore.
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

// Fills the whole table from config->streams. The table is the caller's; config is only read here.
void sl_parse_init(struct sl_parse_table *table, const struct sl_config *config);

// Parses burst->mbufs[0..count), of one segment or of several: survivors are compacted in their
// order with their datagrams filled (all but partition, which is 0), the others are added to
// burst->dead with one drop counted each. Offload flags first: checksums that the device calls GOOD
// or NONE (no sum in the data, integrity known) are believed, BAD is a drop, UNKNOWN is verified in
// software. mbufs are only read; l2_len and packet_type are not looked at. Counts datagrams too.
// Returns the number of survivors, also left in burst->count.
uint32_t sl_parse_burst(const struct sl_parse_table *table, struct sl_burst *burst,
	struct sl_rx_counters *counters);
