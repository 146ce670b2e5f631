/* SPDX-License-Identifier: BSD-3-Clause */
// Writes whole frames of events into mbufs, a burst at a time: the headers of a flow and a size are
// formatted once, a frame gets them as three 16-byte moves and its head of 18 bytes from registers.
// Thread rule: one thread.
#pragma once

#include "base.h"
#include "load/payload.h"

struct rte_mbuf;
struct sl_transport_config;

// Ethernet, IPv4, UDP.
#define SL_FRAME_HEADER_BYTES 42u
#define SL_FRAME_FCS_BYTES 4u
#define SL_FILL_BURST_COUNT_MAX 64u

struct sl_fill_config {
	const struct sl_payload_config *payload; // outlives the fill
	uint8_t destination_mac[6], source_mac[6];
	uint32_t destination_address, source_address; // IPv4, host order
	uint16_t destination_port;
	uint16_t source_port; // of flow 0; flow i has source_port + i
	bool udp_checksum; // computed; else 0, which means "none" over IPv4
};

// What is formatted once for a flow and a size.
struct sl_fill_template {
	uint8_t header[SL_FRAME_HEADER_BYTES];
	uint16_t frame_bytes; // without FCS
	uint32_t checksum; // sum over the pseudo-header and the UDP header, not folded
	uint32_t payload_bytes;
	uint8_t unused[12];
} SL_CACHE_ALIGNED;
static_assert(sizeof(struct sl_fill_template) == SL_CACHE_LINE, "one line a frame");

struct sl_fill {
	const struct sl_payload_config *payload;
	uint64_t flow_magic; // for key % flow_count without a division
	uint32_t flow_count;
	uint32_t cycle_count; // 1 when all sizes are equal
	bool udp_checksum;
	bool has_pattern; // any payload longer than the head
	// cycle_templates[i]: of flow 0 for sequences that are i modulo cycle_count; the other
	// flows follow.
	const struct sl_fill_template *cycle_templates[SL_PAYLOAD_CYCLE_COUNT_MAX];
	struct sl_fill_template *templates;
};

// Fills all of it from the options but the device's own MAC, which is the source where --source-mac
// says nothing. Returns 0, or -EINVAL with err naming the option.
int sl_fill_config_make(
	struct sl_fill_config *fill, const struct sl_transport_config *config, struct sl_err *err);

// Returns 0 or -ENOMEM.
int sl_fill_init(struct sl_fill *fill, const struct sl_fill_config *config);

// Legal on a zeroed struct.
void sl_fill_fini(struct sl_fill *fill);

// Writes the events [first_sequence, first_sequence + count) into as many mbufs fresh from their
// pool, count at most SL_FILL_BURST_COUNT_MAX. Every mbuf has room for the largest frame.
void sl_fill_burst(const struct sl_fill *fill, uint64_t first_sequence, uint64_t sent_ns,
	struct rte_mbuf **mbufs, uint32_t count);

// Remainder of the division by divisor for every 32-bit value, with magic = UINT64_MAX / divisor
// + 1 (Lemire, Kaser, Kurz: "Faster remainder by direct computation").
static inline uint32_t sl_fill_remainder(uint32_t value, uint64_t magic, uint32_t divisor)
{
	return (uint32_t)((unsigned __int128)(magic * value) * divisor >> 64);
}
