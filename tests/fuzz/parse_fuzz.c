/* SPDX-License-Identifier: BSD-3-Clause */
// libFuzzer against sl_parse_burst. The first three bytes of an input are the device's checksum
// flags and two places where the frame is divided; the rest is the frame. Each frame is parsed
// whole and divided, out of buffers that end where their data ends, and must end the same way.
#include "rx/parse.h"

#include "config/config.h"

#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_BYTES 3
#define SEGMENT_COUNT 3

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

struct outcome {
	struct sl_rx_counters counters;
	struct sl_datagram datagram; // zeros for a drop
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static const struct sl_parse_table *table(void)
{
	static const struct sl_config config = {
		.streams = {{.udp_port = 9000}, {.udp_port = 9001}},
		.stream_count = 2,
	};
	static struct sl_parse_table ports;
	static bool is_filled;

	if (!is_filled)
		sl_parse_init(&ports, &config);
	is_filled = true;
	return &ports;
}

static uint64_t offload_flags(uint8_t control)
{
	static const uint64_t ip[] = {RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, RTE_MBUF_F_RX_IP_CKSUM_GOOD,
		RTE_MBUF_F_RX_IP_CKSUM_BAD, RTE_MBUF_F_RX_IP_CKSUM_NONE};
	static const uint64_t l4[] = {RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_GOOD,
		RTE_MBUF_F_RX_L4_CKSUM_BAD, RTE_MBUF_F_RX_L4_CKSUM_NONE};

	return ip[control & 3] | l4[control >> 2 & 3];
}

static void check_outcome(const struct outcome *outcome, uint32_t kept_count, uint32_t frame_bytes)
{
	const struct sl_datagram *datagram = &outcome->datagram;
	uint64_t count = outcome->counters.datagrams;

	for (int reason = 0; reason < SL_DROP_REASON_COUNT; reason++)
		count += outcome->counters.drops[reason];
	require(count == 1 && outcome->counters.datagrams == kept_count);
	if (kept_count == 0)
		return;
	require((uint64_t)datagram->payload_offset + datagram->payload_bytes <= frame_bytes);
	require(datagram->payload_offset ==
		datagram->l3_offset + (datagram->ip_version == 4 ? 20u : 40u) + 8u);
	require(datagram->stream < 2 && datagram->partition == 0);
}

// Parses count segments that end at ends[].
static struct outcome parse(
	const uint8_t *frame, const uint32_t *ends, uint32_t count, uint64_t flags)
{
	struct rte_mbuf segments[SEGMENT_COUNT];
	struct sl_burst burst = {.count = 1, .mbufs = {segments}};
	struct outcome outcome = {0};
	uint32_t start = 0;

	memset(segments, 0, sizeof(segments));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t bytes = ends[i] - start;

		segments[i].buf_addr = malloc(bytes);
		memcpy(segments[i].buf_addr, frame + start, bytes);
		segments[i].data_len = (uint16_t)bytes;
		segments[i].next = i + 1 < count ? &segments[i + 1] : NULL;
		start = ends[i];
	}
	segments[0].nb_segs = (uint16_t)count;
	segments[0].pkt_len = start;
	segments[0].ol_flags = flags;
	uint32_t kept_count = sl_parse_burst(table(), &burst, &outcome.counters);
	require(kept_count + burst.dead_count == 1);
	if (kept_count == 1)
		outcome.datagram = burst.datagrams[0];
	check_outcome(&outcome, kept_count, start);
	for (uint32_t i = 0; i < count; i++)
		free(segments[i].buf_addr);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	if (input_bytes < CONTROL_BYTES || input_bytes > UINT16_MAX)
		return 0;
	const uint8_t *frame = input + CONTROL_BYTES;
	uint32_t bytes = (uint32_t)(input_bytes - CONTROL_BYTES);
	uint64_t flags = offload_flags(input[0]);
	uint32_t first = SL_MIN(input[1], bytes);
	uint32_t second = SL_MIN(first + input[2], bytes);
	struct outcome whole = parse(frame, (uint32_t[]){bytes}, 1, flags);
	struct outcome divided = parse(frame, (uint32_t[]){first, second, bytes}, 3, flags);

	require(memcmp(&whole, &divided, sizeof(whole)) == 0);
	return 0;
}
