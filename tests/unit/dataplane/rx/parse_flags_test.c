/* SPDX-License-Identifier: BSD-3-Clause */
// What the device says of checksums, against what the bytes say: plain frames and, split in two,
// the same frames in the slow parser.
#include "rx/parse.h"

#include "frames.h"
#include "suite.h"

#include <rte_mbuf.h>
#include <stdio.h>

struct flag_case {
	const char *frame; // of the fixtures
	uint64_t flags;
	enum sl_drop_reason reason;
};

#define IP_UNKNOWN RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN
#define IP_GOOD RTE_MBUF_F_RX_IP_CKSUM_GOOD
#define IP_BAD RTE_MBUF_F_RX_IP_CKSUM_BAD
#define IP_NONE RTE_MBUF_F_RX_IP_CKSUM_NONE
#define L4_UNKNOWN RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN
#define L4_GOOD RTE_MBUF_F_RX_L4_CKSUM_GOOD
#define L4_BAD RTE_MBUF_F_RX_L4_CKSUM_BAD
#define L4_NONE RTE_MBUF_F_RX_L4_CKSUM_NONE

// Rows 13, 16 and 17 of docs/parser.md.
static const struct flag_case flag_cases[] = {
	{"plain_ipv4", IP_GOOD | L4_GOOD, SL_PARSE_ACCEPT},
	{"plain_ipv4", IP_UNKNOWN | L4_UNKNOWN, SL_PARSE_ACCEPT},
	{"plain_ipv4", IP_NONE | L4_NONE, SL_PARSE_ACCEPT},
	{"plain_ipv4", IP_BAD | L4_UNKNOWN, SL_DROP_IP_CHECKSUM},
	{"plain_ipv4", IP_BAD | L4_BAD, SL_DROP_IP_CHECKSUM},
	{"plain_ipv4", IP_GOOD | L4_BAD, SL_DROP_UDP_CHECKSUM},
	{"plain_ipv4", IP_UNKNOWN | L4_BAD, SL_DROP_UDP_CHECKSUM},
	{"ipv4_checksum_off_by_one", IP_GOOD, SL_PARSE_ACCEPT},
	{"ipv4_checksum_off_by_one", IP_NONE, SL_PARSE_ACCEPT},
	{"ipv4_checksum_off_by_one", L4_GOOD, SL_DROP_IP_CHECKSUM},
	{"ipv4_checksum_off_by_one_tagged", IP_GOOD, SL_PARSE_ACCEPT},
	{"udp4_checksum_off_by_one_of_18", L4_GOOD, SL_PARSE_ACCEPT},
	{"udp4_checksum_off_by_one_of_18", L4_NONE, SL_PARSE_ACCEPT},
	{"udp4_checksum_off_by_one_of_18", IP_GOOD, SL_DROP_UDP_CHECKSUM},
	{"udp4_checksum_off_by_one_of_18_tagged", L4_NONE, SL_PARSE_ACCEPT},
	{"udp6_checksum_off_by_one_of_18", L4_GOOD, SL_PARSE_ACCEPT},
	{"udp6_checksum_off_by_one_of_18", L4_NONE, SL_PARSE_ACCEPT},
	{"plain_ipv6", L4_BAD, SL_DROP_UDP_CHECKSUM},
	{"plain_ipv6", IP_BAD, SL_PARSE_ACCEPT}, // IPv6 has no header checksum
	{"udp4_checksum_zero", L4_BAD, SL_PARSE_ACCEPT}, // some devices call "none" bad
	{"udp4_checksum_zero", L4_UNKNOWN, SL_PARSE_ACCEPT},
	{"udp6_checksum_zero", L4_GOOD, SL_DROP_UDP_CHECKSUM_ZERO},
	{"udp6_checksum_zero", L4_NONE, SL_DROP_UDP_CHECKSUM_ZERO},
	{"udp6_checksum_zero", L4_BAD, SL_DROP_UDP_CHECKSUM_ZERO},
	// What comes first in the order of checks still does.
	{"arp", IP_BAD | L4_BAD, SL_DROP_NOT_OURS},
	{"udp4_port_9999", IP_BAD | L4_BAD, SL_DROP_NO_STREAM},
	{"ipv4_options_nop", IP_BAD | L4_BAD, SL_DROP_IP_OPTIONS},
	{"ipv4_source_loopback", L4_BAD, SL_DROP_BAD_SOURCE},
	{"udp4_length_7", L4_BAD, SL_DROP_UDP_LENGTH},
	{"udp4_length_7", L4_GOOD, SL_DROP_UDP_LENGTH},
};

static enum sl_drop_reason verdict(struct rte_mbuf *mbuf, uint64_t flags)
{
	struct sl_burst burst = {.count = 1, .mbufs = {mbuf}};
	struct sl_rx_counters counters = {0};
	enum sl_drop_reason found = SL_PARSE_ACCEPT;

	mbuf->ol_flags = flags;
	sl_parse_burst(frame_table(), &burst, &counters);
	for (int reason = 0; reason < SL_DROP_REASON_COUNT; reason++)
		if (counters.drops[reason] != 0)
			found = (enum sl_drop_reason)reason;
	CU_ASSERT_EQUAL(counters.datagrams, found == SL_PARSE_ACCEPT);
	rte_pktmbuf_free(mbuf);
	return found;
}

static void check_flag_cases(bool is_split)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(flag_cases); i++) {
		const struct flag_case *flag_case = &flag_cases[i];
		const struct frame *frame = frame_find(flag_case->frame);
		uint32_t first_bytes = is_split ? 27 : UINT32_MAX;
		struct rte_mbuf *mbuf =
			frame_mbuf(frame_bytes(frame), frame->bytes, first_bytes, UINT32_MAX);
		enum sl_drop_reason found = verdict(mbuf, flag_case->flags);

		if (found != flag_case->reason)
			printf("     row %zu: %s\n", i, flag_case->frame);
		CU_ASSERT_EQUAL(found, flag_case->reason);
	}
}

static void parse_believes_the_device_about_whole_frames(void)
{
	check_flag_cases(false);
}

static void parse_believes_the_device_about_split_frames(void)
{
	check_flag_cases(true);
}

static void parse_looks_at_no_flag_but_the_checksums(void)
{
	uint64_t others = ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);

	// An indirect or external buffer would be freed as such.
	others &= ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
	CU_ASSERT_EQUAL(
		verdict(frame_mbuf_whole(frame_find("plain_ipv4")), others), SL_PARSE_ACCEPT);
	CU_ASSERT_EQUAL(
		verdict(frame_mbuf_whole(frame_find("udp4_checksum_off_by_one_of_18")), others),
		SL_DROP_UDP_CHECKSUM);
}

static const struct sl_test tests[] = {
	SL_TEST(parse_believes_the_device_about_whole_frames),
	SL_TEST(parse_believes_the_device_about_split_frames),
	SL_TEST(parse_looks_at_no_flag_but_the_checksums),
};
SL_SUITE(dataplane_rx_parse_flags);
