/* SPDX-License-Identifier: BSD-3-Clause */
// Plain frames: untagged, IPv4 without options or IPv6 without extensions, UDP, not divided.
// Their conditions are added up in one word with one branch behind it; whatever is not plain or not
// right goes to sl_parse_slow, which alone knows the reasons. The two agree by test.
#include "rx/parse.h"

#include "rx/checksum.h"
#include "rx/parse_internal.h"

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "hotpath.h"

// Offsets of a plain frame, and words of it as they are loaded on a little-endian CPU.
enum {
	ETHER_BYTES = 14,
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	UDP_BYTES = 8,
	IPV4_UDP = ETHER_BYTES + IPV4_BYTES,
	IPV6_UDP = ETHER_BYTES + IPV6_BYTES,
	PREFETCH_AHEAD = 4, // frames; 3 to 6 measure the same
};
#define TYPE_IPV4_IHL_5 0x00450008u // 08 00 45 and any type of service
#define TYPE_IPV4_IHL_5_MASK 0x00ffffffu
#define TYPE_IPV6 0x0060dd86u // 86 dd 6x and any traffic class
#define TYPE_IPV6_MASK 0x00f0ffffu
#define WHOLE_UDP 0x11000000u // no fragment offset, no more fragments, any TTL, protocol 17
#define WHOLE_UDP_MASK 0xff00ff3fu
#define PSEUDO_UDP 0x1100u // protocol 17 as a word of the pseudo header

// Set in both GOOD and NONE: the device vouches for the data.
#define IP_BELIEVED RTE_MBUF_F_RX_IP_CKSUM_GOOD
#define L4_BELIEVED RTE_MBUF_F_RX_L4_CKSUM_GOOD

static inline uint32_t load_be16(const uint8_t *bytes)
{
	return rte_be_to_cpu_16(sl_load_u16(bytes));
}

// RFC 1122 3.2.1.3: 0/8, 127/8, 224/4 and the broadcast address send nothing.
static inline uint32_t is_bad_source_ipv4(uint32_t source)
{
	uint32_t net = source & 0xff;

	return (net == 0) | (net == 127) | ((net & 0xf0) == 0xe0) | (source == UINT32_MAX);
}

// RFC 4291 2.5.2, 2.5.3, 2.7: ::, ::1 and ff00::/8 send nothing.
static inline uint32_t is_bad_source_ipv6(uint64_t high, uint64_t low)
{
	uint32_t none_or_loopback = (high | (low & ~rte_cpu_to_be_64(1))) == 0;

	return none_or_loopback | ((high & 0xff) == 0xff);
}

// The verdict on the checksum of a plain datagram whose lengths are right. The addresses of its
// pseudo header lie right before it in either version, so that one sum takes both.
static SL_ALWAYS_INLINE enum sl_drop_reason verify_udp(const struct rte_mbuf *mbuf,
	const uint8_t *udp, uint32_t udp_bytes, uint32_t addresses_bytes)
{
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN)
		return (mbuf->ol_flags & L4_BELIEVED) != 0 ? SL_PARSE_ACCEPT : SL_DROP_UDP_CHECKSUM;
	uint64_t sum = sl_checksum_add_long(PSEUDO_UDP + (uint64_t)sl_load_u16(udp + 4),
		udp - addresses_bytes, addresses_bytes + udp_bytes);
	return sl_checksum_fold(sum) == 0xffff ? SL_PARSE_ACCEPT : SL_DROP_UDP_CHECKSUM;
}

static SL_ALWAYS_INLINE enum sl_drop_reason parse_ipv4(const struct sl_parse_table *table,
	const struct rte_mbuf *mbuf, const uint8_t *frame, struct sl_datagram *datagram)
{
	const uint8_t *udp = frame + IPV4_UDP;
	uint32_t ip_bytes = load_be16(frame + 16);
	uint32_t udp_bytes = load_be16(udp + 4);
	uint16_t stream = table->stream_by_port[load_be16(udp + 2)];
	uint64_t header_sum = sl_checksum_word(sl_load_u64(frame + 14)) +
		sl_checksum_word(sl_load_u64(frame + 22)) + sl_load_u32(frame + 30);
	uint64_t ip_flags = mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint32_t is_sum_right = (ip_flags & IP_BELIEVED) != 0 ||
		(ip_flags == RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN &&
			sl_checksum_fold(header_sum) == 0xffff);
	uint32_t odd = ((sl_load_u32(frame + 20) & WHOLE_UDP_MASK) ^ WHOLE_UDP) |
		(ip_bytes + ETHER_BYTES > mbuf->data_len) | (stream == SL_STREAM_NONE) |
		(is_sum_right ^ 1) | is_bad_source_ipv4(sl_load_u32(frame + 26)) |
		(udp_bytes < UDP_BYTES) | (udp_bytes + IPV4_BYTES > ip_bytes);

	if (sl_unlikely(odd != 0))
		return sl_parse_slow(table, mbuf, datagram);
	*datagram = (struct sl_datagram){
		.payload_offset = IPV4_UDP + UDP_BYTES,
		.payload_bytes = udp_bytes - UDP_BYTES,
		.stream = stream,
		.l3_offset = ETHER_BYTES,
		.ip_version = 4,
	};
	// RFC 768: an all zero checksum means that the sender computed none.
	if (sl_load_u16(udp + 6) == 0)
		return SL_PARSE_ACCEPT;
	return verify_udp(mbuf, udp, udp_bytes, 2 * 4);
}

static SL_ALWAYS_INLINE enum sl_drop_reason parse_ipv6(const struct sl_parse_table *table,
	const struct rte_mbuf *mbuf, const uint8_t *frame, struct sl_datagram *datagram)
{
	const uint8_t *udp = frame + IPV6_UDP;
	uint32_t ip_payload_bytes = load_be16(frame + 18);
	uint32_t udp_bytes = load_be16(udp + 4);
	uint16_t stream = table->stream_by_port[load_be16(udp + 2)];
	uint64_t source_high = sl_load_u64(frame + 22), source_low = sl_load_u64(frame + 30);
	// RFC 8200 8.1: a zero UDP checksum is not allowed, so it is odd here.
	uint32_t odd = (frame[20] ^ 17u) | (ip_payload_bytes + IPV6_UDP > mbuf->data_len) |
		(stream == SL_STREAM_NONE) | is_bad_source_ipv6(source_high, source_low) |
		(udp_bytes < UDP_BYTES) | (udp_bytes > ip_payload_bytes) |
		(sl_load_u16(udp + 6) == 0);

	if (sl_unlikely(odd != 0))
		return sl_parse_slow(table, mbuf, datagram);
	*datagram = (struct sl_datagram){
		.payload_offset = IPV6_UDP + UDP_BYTES,
		.payload_bytes = udp_bytes - UDP_BYTES,
		.stream = stream,
		.l3_offset = ETHER_BYTES,
		.ip_version = 6,
	};
	return verify_udp(mbuf, udp, udp_bytes, 2 * 16);
}

static SL_ALWAYS_INLINE enum sl_drop_reason parse_frame(const struct sl_parse_table *table,
	const struct rte_mbuf *mbuf, struct sl_datagram *datagram)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	// Of the first segment: a datagram that ends within it is plain, whatever follows.
	uint32_t frame_bytes = mbuf->data_len;

	if (sl_likely(frame_bytes >= IPV4_UDP + UDP_BYTES)) {
		uint32_t type = sl_load_u32(frame + 12);
		if ((type & TYPE_IPV4_IHL_5_MASK) == TYPE_IPV4_IHL_5)
			return parse_ipv4(table, mbuf, frame, datagram);
		if ((type & TYPE_IPV6_MASK) == TYPE_IPV6 && frame_bytes >= IPV6_UDP + UDP_BYTES)
			return parse_ipv6(table, mbuf, frame, datagram);
	}
	return sl_parse_slow(table, mbuf, datagram);
}

uint32_t sl_parse_burst(
	const struct sl_parse_table *table, struct sl_burst *burst, struct sl_rx_counters *counters)
{
	uint32_t count = burst->count, kept_count = 0, dead_count = burst->dead_count;

	for (uint32_t i = 0; i < SL_MIN(count, (uint32_t)PREFETCH_AHEAD); i++)
		rte_prefetch0(rte_pktmbuf_mtod(burst->mbufs[i], void *));
	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = burst->mbufs[i];

		if (i + PREFETCH_AHEAD < count)
			rte_prefetch0(rte_pktmbuf_mtod(burst->mbufs[i + PREFETCH_AHEAD], void *));
		enum sl_drop_reason reason =
			parse_frame(table, mbuf, &burst->datagrams[kept_count]);
		if (sl_likely(reason == SL_PARSE_ACCEPT)) {
			burst->mbufs[kept_count++] = mbuf;
		} else {
			burst->dead[dead_count++] = mbuf;
			SL_STORE(counters->drops[reason], counters->drops[reason] + 1);
		}
	}
	burst->count = kept_count;
	burst->dead_count = dead_count;
	SL_STORE(counters->datagrams, counters->datagrams + kept_count);
	return kept_count;
}
