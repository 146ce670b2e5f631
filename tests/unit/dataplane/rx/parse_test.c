/* SPDX-License-Identifier: BSD-3-Clause */
// Every frame of the fixtures, whole and divided, alone and in bursts. What is expected was typed
// by hand beside each frame.
#include "rx/parse.h"

#include "frames.h"
#include "suite.h"

#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

static uint64_t drop_count(const struct sl_rx_counters *counters)
{
	uint64_t count = 0;

	for (int reason = 0; reason < SL_DROP_REASON_COUNT; reason++)
		count += counters->drops[reason];
	return count;
}

static bool is_datagram_right(const struct frame *frame, const struct sl_datagram *datagram)
{
	uint32_t header_bytes = datagram->ip_version == 4 ? 20 + 8 : 40 + 8;

	return datagram->payload_offset == frame->payload_offset &&
		datagram->payload_bytes == frame->payload_bytes &&
		datagram->stream == frame->udp_port - FRAMES_STREAM_0_PORT &&
		datagram->l3_offset == frame->payload_offset - header_bytes &&
		(datagram->ip_version == 4 || datagram->ip_version == 6) &&
		datagram->partition == 0 && datagram->flags == 0;
}

// Whether a burst of this one mbuf ends as the frame should: one counter, one place.
static bool is_verdict_right(const struct frame *frame, struct rte_mbuf *mbuf)
{
	struct sl_burst burst = {.count = 1, .mbufs = {mbuf}};
	struct sl_rx_counters counters = {0};
	uint32_t kept_count = sl_parse_burst(frame_table(), &burst, &counters);

	if (kept_count != burst.count || kept_count + burst.dead_count != 1 ||
		counters.datagrams + drop_count(&counters) != 1)
		return false;
	if (frame->reason == SL_PARSE_ACCEPT)
		return kept_count == 1 && counters.datagrams == 1 && burst.mbufs[0] == mbuf &&
			is_datagram_right(frame, &burst.datagrams[0]);
	return kept_count == 0 && burst.dead[0] == mbuf && counters.drops[frame->reason] == 1;
}

static void check_verdict(const struct frame *frame, struct rte_mbuf *mbuf, const char *how)
{
	bool is_right = is_verdict_right(frame, mbuf);

	if (!is_right)
		printf("     %s, %s\n", frame->name, how);
	CU_ASSERT_TRUE(is_right);
	rte_pktmbuf_free(mbuf);
}

static void parse_gives_every_whole_frame_its_verdict(void)
{
	for (size_t i = 0; i < frame_count; i++)
		check_verdict(&frames[i], frame_mbuf_whole(&frames[i]), "whole");
}

static void parse_gives_a_frame_split_at_any_byte_the_same_verdict(void)
{
	char how[64];

	for (size_t i = 0; i < frame_count; i++) {
		const uint8_t *bytes = frame_bytes(&frames[i]);
		uint32_t count = frames[i].bytes;
		// Of a jumbo frame the headers at every byte, then now and then.
		for (uint32_t at = 0; at <= count; at += at < 200 ? 1 : 97) {
			snprintf(how, sizeof(how), "split at byte %u", at);
			check_verdict(&frames[i], frame_mbuf(bytes, count, at, UINT32_MAX), how);
		}
	}
}

static void parse_gives_a_frame_in_many_segments_the_same_verdict(void)
{
	static const uint32_t segment_bytes[] = {1, 2, 3, 7, 8, 13};
	char how[64];

	for (size_t i = 0; i < frame_count; i++) {
		const uint8_t *bytes = frame_bytes(&frames[i]);
		for (size_t j = 0; j < SL_ARRAY_COUNT(segment_bytes); j++) {
			if (frames[i].bytes / segment_bytes[j] > 1000)
				continue; // more segments than a chain should have
			snprintf(how, sizeof(how), "segments of %u bytes", segment_bytes[j]);
			check_verdict(&frames[i],
				frame_mbuf(
					bytes, frames[i].bytes, segment_bytes[j], segment_bytes[j]),
				how);
		}
	}
}

static void parse_gives_a_frame_with_empty_segments_the_same_verdict(void)
{
	for (size_t i = 0; i < frame_count; i++) {
		const uint8_t *bytes = frame_bytes(&frames[i]);
		struct rte_mbuf *mbuf = frame_mbuf(bytes, frames[i].bytes, 0, 40);
		struct rte_mbuf *empty = frame_mbuf(bytes, 0, 0, 0);

		CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(mbuf, empty), 0);
		check_verdict(&frames[i], mbuf, "with empty segments first and last");
	}
}

static void the_fixtures_have_a_frame_for_every_drop_reason_of_the_parser(void)
{
	uint32_t counts[SL_DROP_REASON_COUNT + 1] = {0};

	for (size_t i = 0; i < frame_count; i++)
		counts[frames[i].reason]++;
	for (int reason = 0; reason < SL_DROP_REASON_COUNT; reason++) {
		bool is_parse = sl_drop_infos[reason].stage == SL_DROP_STAGE_PARSE;

		if (is_parse != (counts[reason] > 0))
			printf("     %s: %u frames\n", sl_drop_infos[reason].name, counts[reason]);
		CU_ASSERT_EQUAL(is_parse, counts[reason] > 0);
	}
	CU_ASSERT(counts[SL_PARSE_ACCEPT] > 0);
}

// Frames [first, first + count) as one burst: survivors in order, everything counted once.
static void check_burst(size_t first, uint32_t count)
{
	struct sl_burst burst = {.count = count};
	struct sl_rx_counters counters = {.datagrams = 7};
	struct rte_mbuf *mbufs[SL_BURST_COUNT_MAX];
	uint64_t drops[SL_DROP_REASON_COUNT + 1] = {0};
	uint32_t kept_count = 0, dead_count = 0;

	for (uint32_t i = 0; i < count; i++)
		burst.mbufs[i] = mbufs[i] = frame_mbuf_whole(&frames[(first + i) % frame_count]);
	sl_parse_burst(frame_table(), &burst, &counters);
	for (uint32_t i = 0; i < count; i++) {
		const struct frame *frame = &frames[(first + i) % frame_count];

		drops[frame->reason]++;
		if (frame->reason == SL_PARSE_ACCEPT) {
			CU_ASSERT_PTR_EQUAL(burst.mbufs[kept_count], mbufs[i]);
			CU_ASSERT(is_datagram_right(frame, &burst.datagrams[kept_count]));
			kept_count++;
		} else {
			CU_ASSERT_PTR_EQUAL(burst.dead[dead_count], mbufs[i]);
			dead_count++;
		}
	}
	CU_ASSERT_EQUAL(burst.count, kept_count);
	CU_ASSERT_EQUAL(burst.dead_count, dead_count);
	CU_ASSERT_EQUAL(counters.datagrams, 7 + kept_count);
	CU_ASSERT_EQUAL(memcmp(drops, counters.drops, sizeof(counters.drops)), 0);
	rte_pktmbuf_free_bulk(mbufs, count);
}

static void parse_compacts_bursts_of_any_size_in_order(void)
{
	// A stride that mixes classes, good and bad; each burst starts elsewhere.
	for (uint32_t count = 0; count <= SL_BURST_COUNT_MAX; count++)
		for (size_t first = count; first < frame_count; first += 61)
			check_burst(first, count);
}

static void parse_adds_to_the_dead_of_the_turn(void)
{
	struct rte_mbuf *earlier = frame_mbuf_whole(frame_find("arp"));
	struct rte_mbuf *mbuf = frame_mbuf_whole(frame_find("arp"));
	struct sl_burst burst = {.count = 1, .mbufs = {mbuf}, .dead_count = 1, .dead = {earlier}};
	struct sl_rx_counters counters = {0};

	CU_ASSERT_EQUAL(sl_parse_burst(frame_table(), &burst, &counters), 0);
	CU_ASSERT_EQUAL(burst.dead_count, 2);
	CU_ASSERT_PTR_EQUAL(burst.dead[0], earlier);
	CU_ASSERT_PTR_EQUAL(burst.dead[1], mbuf);
	rte_pktmbuf_free_bulk(burst.dead, burst.dead_count);
}

static void parse_leaves_the_frame_as_it_was(void)
{
	const struct frame *frame = frame_find("plain_ipv4");
	struct rte_mbuf *mbuf = frame_mbuf_whole(frame);
	struct rte_mbuf before = *mbuf;

	CU_ASSERT(is_verdict_right(frame, mbuf));
	CU_ASSERT_EQUAL(memcmp(&before, mbuf, sizeof(before)), 0);
	CU_ASSERT_EQUAL(
		memcmp(rte_pktmbuf_mtod(mbuf, void *), frame_bytes(frame), frame->bytes), 0);
	rte_pktmbuf_free(mbuf);
}

static const struct sl_test tests[] = {
	SL_TEST(parse_gives_every_whole_frame_its_verdict),
	SL_TEST(parse_gives_a_frame_split_at_any_byte_the_same_verdict),
	SL_TEST(parse_gives_a_frame_in_many_segments_the_same_verdict),
	SL_TEST(parse_gives_a_frame_with_empty_segments_the_same_verdict),
	SL_TEST(the_fixtures_have_a_frame_for_every_drop_reason_of_the_parser),
	SL_TEST(parse_compacts_bursts_of_any_size_in_order),
	SL_TEST(parse_adds_to_the_dead_of_the_turn),
	SL_TEST(parse_leaves_the_frame_as_it_was),
};
SL_SUITE(dataplane_rx_parse);
