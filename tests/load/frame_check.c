/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/frame_check.h"

#include "load/pcap_file.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <string.h>

// More events than any test sends; untouched memory costs nothing.
#define EVENT_COUNT_MAX UINT32_MAX

int sl_frame_check_init(struct sl_frame_check *check, const struct sl_fill_config *expected,
	const struct sl_pcap_file *replay, struct sl_err *err)
{
	struct sl_verify_config verify = {.whole = true, .doubt_count = EVENT_COUNT_MAX};

	*check = (struct sl_frame_check){.expected = *expected, .replay = replay};
	if (replay != NULL)
		return 0;
	verify.payload = *expected->payload;
	return sl_verify_init(&check->verify, &verify, err);
}

void sl_frame_check_fini(struct sl_frame_check *check)
{
	sl_verify_fini(&check->verify);
}

static void bad(struct sl_frame_check *check, const char *what)
{
	check->bad_count++;
	if (check->bad_example == NULL)
		check->bad_example = what;
}

static const char *check_ip(
	const struct sl_fill_config *expected, const struct rte_ipv4_hdr *ip, uint32_t ip_bytes)
{
	struct rte_ipv4_hdr zeroed = *ip;

	zeroed.hdr_checksum = 0;
	if (ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != IPPROTO_UDP)
		return "no UDP over IPv4 without options";
	if (rte_be_to_cpu_16(ip->total_length) != ip_bytes)
		return "length of IPv4";
	if (rte_be_to_cpu_32(ip->src_addr) != expected->source_address ||
		rte_be_to_cpu_32(ip->dst_addr) != expected->destination_address)
		return "an address";
	if (ip->hdr_checksum != rte_ipv4_cksum(&zeroed))
		return "checksum of IPv4";
	return NULL;
}

static const char *check_udp(const struct sl_fill_config *expected, const struct rte_ipv4_hdr *ip,
	const struct rte_udp_hdr *udp, uint32_t udp_bytes)
{
	if (rte_be_to_cpu_16(udp->dgram_len) != udp_bytes)
		return "length of UDP";
	if (rte_be_to_cpu_16(udp->dst_port) != expected->destination_port)
		return "destination port";
	if ((udp->dgram_cksum != 0) != expected->udp_checksum)
		return "presence of a checksum of UDP";
	// With the checksum in it, the sum is all ones (RFC 1071).
	uint32_t sum = (uint32_t)rte_ipv4_phdr_cksum(ip, 0) + rte_raw_cksum(udp, udp_bytes);
	if (expected->udp_checksum && sum % 0xffff != 0)
		return "checksum of UDP";
	return NULL;
}

static const char *check_headers(
	const struct sl_fill_config *expected, const uint8_t *frame, uint32_t bytes)
{
	const struct rte_ether_hdr *ether = (const struct rte_ether_hdr *)frame;
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ether + 1);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	const char *wrong;

	if (bytes < SL_FRAME_HEADER_BYTES ||
		ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return "no IPv4 frame";
	if (memcmp(&ether->dst_addr, expected->destination_mac, 6) != 0)
		return "destination MAC";
	wrong = check_ip(expected, ip, bytes - (uint32_t)sizeof(*ether));
	return wrong != NULL ? wrong
			     : check_udp(expected, ip, udp,
				       bytes - (uint32_t)sizeof(*ether) - (uint32_t)sizeof(*ip));
}

static void take_event(struct sl_frame_check *check, const uint8_t *frame, uint32_t bytes)
{
	const struct sl_payload_config *payload = check->expected.payload;
	const struct rte_udp_hdr *udp =
		(const struct rte_udp_hdr *)(frame + SL_FRAME_HEADER_BYTES - sizeof(*udp));
	const char *wrong = check_headers(&check->expected, frame, bytes);
	struct sl_payload_id id;

	if (wrong != NULL) {
		bad(check, wrong);
		return;
	}
	struct sl_verify_event event = {
		.offset = check->verify.event_count,
		.data = frame + SL_FRAME_HEADER_BYTES,
		.bytes = bytes - SL_FRAME_HEADER_BYTES,
	};
	sl_verify_event(&check->verify, &event);
	if (sl_payload_check(payload, true, event.data, event.bytes, &id) != SL_PAYLOAD_OK)
		return; // counted by the verifier
	check->sequence_end = SL_MAX(check->sequence_end, id.sequence + 1);
	if (payload->cycle_count != 0)
		check->size_counts[id.sequence % payload->cycle_count]++;
	if (rte_be_to_cpu_16(udp->src_port) !=
		check->expected.source_port + sl_payload_flow(payload, id.key))
		bad(check, "source port of the key");
}

static void take_replayed(struct sl_frame_check *check, const uint8_t *frame, uint32_t bytes)
{
	const struct sl_pcap_frame *expected =
		&check->replay->frames[check->frame_count % check->replay->frame_count];

	if (bytes != expected->bytes || memcmp(frame, expected->data, bytes) != 0)
		bad(check, "a frame of the file");
}

void sl_frame_check_take(struct sl_frame_check *check, const struct rte_mbuf *mbuf)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);

	if (mbuf->nb_segs != 1)
		bad(check, "a frame in pieces");
	else if (check->replay != NULL)
		take_replayed(check, frame, mbuf->data_len);
	else
		take_event(check, frame, mbuf->data_len);
	check->frame_count++;
	check->frame_bytes += mbuf->pkt_len + SL_FRAME_FCS_BYTES;
}

bool sl_frame_check_is_good(const struct sl_frame_check *check)
{
	if (check->bad_count != 0)
		return false;
	return check->replay != NULL ||
		(sl_verify_is_good(&check->verify) &&
			check->verify.distinct_count == check->frame_count &&
			check->sequence_end == check->frame_count);
}
