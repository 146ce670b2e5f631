/* SPDX-License-Identifier: BSD-3-Clause */
// The hot path of the device transport: nothing is formatted here, and nothing is divided.
#include "load/dpdk_fill.h"

#include "load/payload_head.h"

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <string.h>

#include "hotpath.h"

// Copied with the header: a multiple of 16 bytes, of which the head then covers the last ones.
#define COPIED_BYTES 48

static inline void put_header(struct rte_mbuf *mbuf, const struct sl_fill_template *template)
{
	memcpy(rte_pktmbuf_mtod(mbuf, void *), template, COPIED_BYTES);
	mbuf->data_len = template->frame_bytes;
	mbuf->pkt_len = template->frame_bytes;
}

static inline char *payload_of(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod_offset(mbuf, char *, SL_FRAME_HEADER_BYTES);
}

static void choose_templates(const struct sl_fill *fill, uint64_t first_sequence,
	const uint32_t *keys, const struct sl_fill_template **templates, uint32_t count)
{
	uint32_t turn = (uint32_t)(first_sequence % fill->cycle_count);

	for (uint32_t i = 0; i < count; i++) {
		templates[i] = fill->cycle_templates[turn] +
			sl_fill_remainder(keys[i], fill->flow_magic, fill->flow_count);
		turn = turn + 1 == fill->cycle_count ? 0 : turn + 1;
	}
}

static void put_heads(const struct sl_fill *fill, uint64_t first_sequence, uint64_t sent_ns,
	const uint32_t *keys, const struct sl_fill_template *const *templates,
	struct rte_mbuf **mbufs, uint32_t count)
{
	uint64_t run_time = sl_payload_run_time(fill->payload->run_id, sent_ns);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t key_sequence = (first_sequence + i) << 24 | keys[i];
		struct sl_payload_head head = {
			.key_sequence = key_sequence,
			.run_time = run_time,
			.check = sl_payload_check16(
				key_sequence, run_time, templates[i]->payload_bytes),
		};

		put_header(mbufs[i], templates[i]);
		memcpy(payload_of(mbufs[i]), &head, sizeof(head));
	}
}

static void put_patterns(const struct sl_fill *fill, uint64_t first_sequence,
	const struct sl_fill_template *const *templates, struct rte_mbuf **mbufs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sl_payload_pattern_build(
			sl_payload_pattern_seed(fill->payload->run_id, first_sequence + i),
			payload_of(mbufs[i]) + sizeof(struct sl_payload_head),
			templates[i]->payload_bytes - (uint32_t)sizeof(struct sl_payload_head));
}

static void put_text(const struct sl_fill *fill, uint64_t first_sequence, uint64_t sent_ns,
	const struct sl_fill_template *const *templates, struct rte_mbuf **mbufs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_header(mbufs[i], templates[i]);
		sl_payload_build(fill->payload, first_sequence + i, sent_ns, payload_of(mbufs[i]));
	}
}

static void put_checksums(
	const struct sl_fill_template *const *templates, struct rte_mbuf **mbufs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(
			mbufs[i], struct rte_udp_hdr *, SL_FRAME_HEADER_BYTES - sizeof(*udp));
		uint32_t sum = templates[i]->checksum +
			rte_raw_cksum(payload_of(mbufs[i]), templates[i]->payload_bytes);
		uint16_t checksum;

		sum = (sum >> 16) + (sum & 0xffff);
		sum += sum >> 16;
		checksum = (uint16_t)~sum;
		udp->dgram_cksum = checksum == 0 ? 0xffff : checksum; // RFC 768: 0 means none
	}
}

void sl_fill_burst(const struct sl_fill *fill, uint64_t first_sequence, uint64_t sent_ns,
	struct rte_mbuf **mbufs, uint32_t count)
{
	const struct sl_fill_template *templates[SL_FILL_BURST_COUNT_MAX];
	uint32_t keys[SL_FILL_BURST_COUNT_MAX];

	assert(count <= SL_FILL_BURST_COUNT_MAX);
	sl_payload_keys(fill->payload, first_sequence, keys, count);
	choose_templates(fill, first_sequence, keys, templates, count);
	if (fill->payload->kind == SL_PAYLOAD_BINARY) {
		put_heads(fill, first_sequence, sent_ns, keys, templates, mbufs, count);
		if (fill->has_pattern)
			put_patterns(fill, first_sequence, templates, mbufs, count);
	} else {
		put_text(fill, first_sequence, sent_ns, templates, mbufs, count);
	}
	if (fill->udp_checksum)
		put_checksums(templates, mbufs, count);
}
