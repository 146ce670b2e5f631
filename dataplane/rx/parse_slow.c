/* SPDX-License-Identifier: BSD-3-Clause */
// Any frame, checked in the order of docs/parser.md (whose rows the comments below name), with
// headers that may be split between segments at every byte. Out of line: plain frames never come.
#include "rx/checksum.h"
#include "rx/parse_internal.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "hotpath.h"

#define VLAN_COUNT_MAX 2
// RFC 8200 4.1 lists six that may stand before UDP. Bounded, so that no frame costs more.
#define EXTENSION_COUNT_MAX 8
#define EXTENSION_BYTES_MIN 8 // of any extension header

// What is known of the frame so far. Offsets count from its first byte.
struct walk {
	const struct rte_mbuf *mbuf;
	uint32_t frame_bytes;
	uint32_t l3_offset;
	uint32_t l4_offset;
	uint32_t ip_end; // where the IP packet ends and padding begins
	uint16_t ether_type; // network byte order
	bool has_extension;
	union {
		const struct rte_ipv4_hdr *ipv4;
		const struct rte_ipv6_hdr *ipv6;
	};
	union {
		struct rte_ipv4_hdr ipv4_copy; // of a header that is split
		struct rte_ipv6_hdr ipv6_copy;
	};
};

static bool is_ipv4(const struct walk *walk)
{
	return walk->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4);
}

// Rows 1 to 3: Ethernet, tags, ethertype.
static enum sl_drop_reason walk_link(struct walk *walk)
{
	uint32_t offset = 2 * RTE_ETHER_ADDR_LEN;
	uint16_t copy;

	for (uint32_t tag_count = 0;; tag_count++) {
		const void *type = rte_pktmbuf_read(walk->mbuf, offset, sizeof(copy), &copy);
		if (type == NULL)
			return SL_DROP_RUNT;
		walk->ether_type = sl_load_u16(type);
		if (walk->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
			walk->ether_type != RTE_BE16(RTE_ETHER_TYPE_QINQ))
			break;
		if (tag_count == VLAN_COUNT_MAX)
			return SL_DROP_VLAN_DEPTH;
		offset += sizeof(struct rte_vlan_hdr);
	}
	walk->l3_offset = offset + sizeof(copy);
	if (!is_ipv4(walk) && walk->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return SL_DROP_NOT_OURS;
	return SL_PARSE_ACCEPT;
}

// Rows 4 to 9 for IPv4.
static enum sl_drop_reason walk_ipv4(struct walk *walk)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_read(
		walk->mbuf, walk->l3_offset, sizeof(walk->ipv4_copy), &walk->ipv4_copy);

	walk->ipv4 = ip;
	if (ip == NULL)
		return SL_DROP_RUNT;
	if (ip->version_ihl >> 4 != 4)
		return SL_DROP_IP_HEADER;
	if (ip->next_proto_id != IPPROTO_UDP)
		return SL_DROP_NOT_OURS;
	uint32_t header_bytes = (ip->version_ihl & 0xf) * 4u;
	uint32_t ip_bytes = rte_be_to_cpu_16(ip->total_length);
	if (header_bytes < sizeof(*ip))
		return SL_DROP_IP_HEADER;
	if (ip_bytes < header_bytes || ip_bytes > walk->frame_bytes - walk->l3_offset)
		return SL_DROP_IP_LENGTH;
	// More fragments, or an offset. The reserved bit is not looked at.
	if ((ip->fragment_offset & RTE_BE16(0x3fff)) != 0)
		return SL_DROP_FRAGMENT;
	walk->l4_offset = walk->l3_offset + header_bytes;
	walk->ip_end = walk->l3_offset + ip_bytes;
	walk->has_extension = header_bytes > sizeof(*ip);
	return SL_PARSE_ACCEPT;
}

// IANA, "IPv6 Extension Header Types", but for ESP, behind which nothing can be read.
static bool is_extension(uint8_t next_header)
{
	switch (next_header) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139: // HIP, RFC 7401
	case 140: // Shim6, RFC 5533
		return true;
	default:
		return false;
	}
}

// Row 9 for IPv6: follows the chain to UDP. A chain that breaks off could have led to us.
static enum sl_drop_reason walk_extensions(struct walk *walk, uint8_t next_header)
{
	uint8_t copy[2];

	for (uint32_t count = 0; is_extension(next_header); count++) {
		if (count == EXTENSION_COUNT_MAX ||
			walk->l4_offset + EXTENSION_BYTES_MIN > walk->ip_end)
			return SL_DROP_IPV6_EXTENSION;
		const uint8_t *extension =
			rte_pktmbuf_read(walk->mbuf, walk->l4_offset, sizeof(copy), copy);
		if (next_header == IPPROTO_FRAGMENT) {
			bool is_ours = extension[0] == IPPROTO_UDP || is_extension(extension[0]);
			return is_ours ? SL_DROP_FRAGMENT : SL_DROP_NOT_OURS;
		}
		// RFC 4302 2.2: AH counts words of four bytes, the others count eights.
		if (next_header == IPPROTO_AH)
			walk->l4_offset += (extension[1] + 2u) * 4;
		else
			walk->l4_offset += (extension[1] + 1u) * 8;
		if (walk->l4_offset > walk->ip_end)
			return SL_DROP_IPV6_EXTENSION;
		walk->has_extension = true;
		next_header = extension[0];
	}
	return next_header == IPPROTO_UDP ? SL_PARSE_ACCEPT : SL_DROP_NOT_OURS;
}

// Rows 4 to 9 for IPv6.
static enum sl_drop_reason walk_ipv6(struct walk *walk)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_read(
		walk->mbuf, walk->l3_offset, sizeof(walk->ipv6_copy), &walk->ipv6_copy);

	walk->ipv6 = ip;
	if (ip == NULL)
		return SL_DROP_RUNT;
	if (*(const uint8_t *)ip >> 4 != 6)
		return SL_DROP_IP_HEADER;
	if (ip->proto != IPPROTO_UDP && !is_extension(ip->proto))
		return SL_DROP_NOT_OURS;
	walk->l4_offset = walk->l3_offset + (uint32_t)sizeof(*ip);
	walk->ip_end = walk->l4_offset + rte_be_to_cpu_16(ip->payload_len);
	if (walk->ip_end > walk->frame_bytes)
		return SL_DROP_IP_LENGTH;
	return walk_extensions(walk, ip->proto);
}

// Rows 12 to 14 for IPv4.
static enum sl_drop_reason check_ipv4(const struct walk *walk)
{
	uint64_t flags = walk->mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint32_t source = rte_be_to_cpu_32(walk->ipv4->src_addr);

	if (walk->has_extension)
		return SL_DROP_IP_OPTIONS;
	if (flags == RTE_MBUF_F_RX_IP_CKSUM_BAD)
		return SL_DROP_IP_CHECKSUM;
	if (flags == RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN &&
		sl_checksum_fold(sl_checksum_add(
			0, (const uint8_t *)walk->ipv4, sizeof(*walk->ipv4))) != 0xffff)
		return SL_DROP_IP_CHECKSUM;
	// RFC 1122 3.2.1.3
	if (source >> 24 == 0 || source >> 24 == IN_LOOPBACKNET || source >> 28 == 0xe ||
		source == INADDR_BROADCAST)
		return SL_DROP_BAD_SOURCE;
	return SL_PARSE_ACCEPT;
}

// Rows 12 and 14 for IPv6.
static enum sl_drop_reason check_ipv6(const struct walk *walk)
{
	static const uint8_t zeros[15];
	const uint8_t *source = walk->ipv6->src_addr;

	if (walk->has_extension)
		return SL_DROP_IPV6_EXTENSION;
	// RFC 4291 2.5.2, 2.5.3, 2.7
	if (source[0] == 0xff || (memcmp(source, zeros, sizeof(zeros)) == 0 && source[15] <= 1))
		return SL_DROP_BAD_SOURCE;
	return SL_PARSE_ACCEPT;
}

// Adds the bytes of all segments. (rte_raw_cksum_mbuf of 22.11 cuts carries off when a segment ends
// at an odd byte.)
static uint64_t checksum_segments(
	uint64_t sum, const struct rte_mbuf *segment, uint32_t offset, uint32_t count)
{
	bool is_odd = false;

	for (; count > 0; segment = segment->next) {
		if (offset >= segment->data_len) {
			offset -= segment->data_len;
			continue;
		}
		uint32_t here = SL_MIN(count, segment->data_len - offset);
		uint16_t part = sl_checksum_fold(sl_checksum_add(
			0, rte_pktmbuf_mtod_offset(segment, const uint8_t *, offset), here));
		sum += is_odd ? rte_bswap16(part) : part;
		is_odd ^= here & 1;
		count -= here;
		offset = 0;
	}
	return sum;
}

static enum sl_drop_reason check_udp_checksum(
	const struct walk *walk, const struct rte_udp_hdr *udp, uint32_t udp_bytes)
{
	uint64_t flags = walk->mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint64_t sum = (uint64_t)udp->dgram_len + RTE_BE16(IPPROTO_UDP);

	// RFC 768, RFC 8200 8.1. Before the flags: some devices call a zero BAD.
	if (udp->dgram_cksum == 0)
		return is_ipv4(walk) ? SL_PARSE_ACCEPT : SL_DROP_UDP_CHECKSUM_ZERO;
	if (flags == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return SL_DROP_UDP_CHECKSUM;
	if (flags != RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN)
		return SL_PARSE_ACCEPT;
	if (is_ipv4(walk))
		sum = sl_checksum_add(sum, (const uint8_t *)&walk->ipv4->src_addr, 2 * 4);
	else
		sum = sl_checksum_add(sum, walk->ipv6->src_addr, 2 * 16);
	sum = checksum_segments(sum, walk->mbuf, walk->l4_offset, udp_bytes);
	return sl_checksum_fold(sum) == 0xffff ? SL_PARSE_ACCEPT : SL_DROP_UDP_CHECKSUM;
}

// Rows 10 to 17.
static enum sl_drop_reason check_udp(
	const struct walk *walk, const struct sl_parse_table *table, struct sl_datagram *datagram)
{
	struct rte_udp_hdr copy;
	uint32_t payload_offset = walk->l4_offset + (uint32_t)sizeof(copy);

	if (payload_offset > walk->ip_end)
		return SL_DROP_RUNT;
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_read(walk->mbuf, walk->l4_offset, sizeof(copy), &copy);
	uint16_t stream = table->stream_by_port[rte_be_to_cpu_16(udp->dst_port)];
	if (stream == SL_STREAM_NONE)
		return SL_DROP_NO_STREAM;
	enum sl_drop_reason reason = is_ipv4(walk) ? check_ipv4(walk) : check_ipv6(walk);
	if (reason != SL_PARSE_ACCEPT)
		return reason;
	uint32_t udp_bytes = rte_be_to_cpu_16(udp->dgram_len);
	if (udp_bytes < sizeof(copy) || udp_bytes > walk->ip_end - walk->l4_offset)
		return SL_DROP_UDP_LENGTH;
	*datagram = (struct sl_datagram){
		.payload_offset = payload_offset,
		.payload_bytes = udp_bytes - (uint32_t)sizeof(copy),
		.stream = stream,
		.l3_offset = (uint8_t)walk->l3_offset,
		.ip_version = is_ipv4(walk) ? 4 : 6,
	};
	return check_udp_checksum(walk, udp, udp_bytes);
}

enum sl_drop_reason sl_parse_slow(const struct sl_parse_table *table, const struct rte_mbuf *mbuf,
	struct sl_datagram *datagram)
{
	struct walk walk = {.mbuf = mbuf, .frame_bytes = mbuf->pkt_len};
	enum sl_drop_reason reason = walk_link(&walk);

	if (reason != SL_PARSE_ACCEPT)
		return reason;
	reason = is_ipv4(&walk) ? walk_ipv4(&walk) : walk_ipv6(&walk);
	if (reason != SL_PARSE_ACCEPT)
		return reason;
	return check_udp(&walk, table, datagram);
}
