/* SPDX-License-Identifier: BSD-3-Clause */
// Plain frames: untagged, IPv4 without options or IPv6 without extensions, UDP, not divided.
// Their conditions are added up in one word with one branch behind it; whatever is not plain or not
// right goes to sl_parse_slow, which alone knows the reasons. The two agree by test.
#include "rx/parse.h"

#include "rx/checksum.h"
#include "rx/parse_internal.h"

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <smmintrin.h>

#include "hotpath.h"

// Offsets of a plain frame, and words of it as they are loaded on a little-endian CPU.
enum {
	ETHER_BYTES = 14,
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	UDP_BYTES = 8,
	IPV4_UDP = ETHER_BYTES + IPV4_BYTES,
	IPV6_UDP = ETHER_BYTES + IPV6_BYTES,
};
#define TYPE_IPV6 0x0060dd86u // 86 dd 6x and any traffic class
#define TYPE_IPV6_MASK 0x00f0ffffu
#define PSEUDO_UDP 0x1100u // protocol 17 as a word of the pseudo header

// Set in both GOOD and NONE: the device vouches for the data.
#define IP_BELIEVED RTE_MBUF_F_RX_IP_CKSUM_GOOD
#define L4_BELIEVED RTE_MBUF_F_RX_L4_CKSUM_GOOD

static inline uint32_t load_be16(const uint8_t *bytes)
{
	return rte_be_to_cpu_16(sl_load_u16(bytes));
}

// RFC 1122 3.2.1.3: 0/8, 127/8, 224/4 and the broadcast address send nothing. By the first octet;
// 255 is looked at again, because the rest of 255/8 is not ours to judge.
static const int8_t ipv4_source_is_odd[256] = {
	[0] = -1, [127] = -1, [224 ... 239] = -1, [255] = -1};

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

// Ones' complement sum of the 20 bytes of an IPv4 header: carries are added where they fall out.
static inline uint64_t ipv4_header_sum(const uint8_t *ip)
{
	uint64_t sum = sl_load_u64(ip), middle = sl_load_u64(ip + 8), end = sl_load_u32(ip + 16);

	sum += middle;
	sum += sum < middle;
	sum += end;
	return sum + (sum < end);
}

// From the ethertype on 16 bytes: IPv4 without options, no fragment offset, no more fragments,
// protocol 17; with any type of service, length, identification, TTL, and so on.
static inline bool is_plain_ipv4(const uint8_t *type)
{
	const __m128i mask = _mm_setr_epi8(-1, -1, -1, 0, 0, 0, 0, 0, 0x3f, -1, 0, -1, 0, 0, 0, 0);
	const __m128i plain = _mm_setr_epi8(8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0);
	__m128i bytes = _mm_loadu_si128((const __m128i *)type);

	return _mm_testz_si128(_mm_xor_si128(bytes, plain), mask) != 0;
}

// Each condition is a number that is below zero when it does not hold: their signs are or-ed.
static SL_ALWAYS_INLINE enum sl_drop_reason parse_ipv4(const struct sl_parse_table *table,
	const struct rte_mbuf *mbuf, const uint8_t *frame, struct sl_datagram *datagram)
{
	const uint8_t *udp = frame + IPV4_UDP;
	int32_t ip_bytes = (int32_t)load_be16(frame + 16);
	uint32_t port_and_length = rte_be_to_cpu_32(sl_load_u32(udp + 2));
	int32_t udp_bytes = (int32_t)(port_and_length & UINT16_MAX);
	uint16_t stream = table->stream_by_port[port_and_length >> 16];
	uint64_t ip_flags = mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	int32_t sum_short_of = 0;

	static_assert(SL_STREAM_NONE >> 15 == 1, "no stream is a negative 16-bit number");
	if (sl_likely(ip_flags == RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN))
		sum_short_of = sl_checksum_fold(ipv4_header_sum(frame + ETHER_BYTES)) - 0xffff;
	else if ((ip_flags & IP_BELIEVED) == 0)
		sum_short_of = -1;
	int32_t odd = sum_short_of | (int16_t)stream | ipv4_source_is_odd[frame[26]] |
		(udp_bytes - UDP_BYTES) | (ip_bytes - IPV4_BYTES - udp_bytes) |
		((int32_t)mbuf->data_len - ETHER_BYTES - ip_bytes);
	if (sl_unlikely(odd < 0))
		return sl_parse_slow(table, mbuf, datagram);
	*datagram = (struct sl_datagram){
		.payload_offset = IPV4_UDP + UDP_BYTES,
		.payload_bytes = (uint16_t)(udp_bytes - UDP_BYTES),
		.l3_offset = ETHER_BYTES,
		.stream = stream,
		.ip_version = 4,
	};
	// RFC 768: an all zero checksum means that the sender computed none.
	if (sl_load_u16(udp + 6) == 0)
		return SL_PARSE_ACCEPT;
	return verify_udp(mbuf, udp, (uint32_t)udp_bytes, 2 * 4);
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
		.payload_bytes = (uint16_t)(udp_bytes - UDP_BYTES),
		.l3_offset = ETHER_BYTES,
		.stream = stream,
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
		if (sl_likely(is_plain_ipv4(frame + 12)))
			return parse_ipv4(table, mbuf, frame, datagram);
		if ((sl_load_u32(frame + 12) & TYPE_IPV6_MASK) == TYPE_IPV6 &&
			frame_bytes >= IPV6_UDP + UDP_BYTES)
			return parse_ipv6(table, mbuf, frame, datagram);
	}
	return sl_parse_slow(table, mbuf, datagram);
}

uint32_t sl_parse_burst(
	const struct sl_parse_table *table, struct sl_burst *burst, struct sl_rx_counters *counters)
{
	uint32_t count = burst->count, kept_count = 0, dead_count = burst->dead_count;

	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = burst->mbufs[i];

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
