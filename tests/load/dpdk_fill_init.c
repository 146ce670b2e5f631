/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/dpdk_fill.h"

#include <errno.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdlib.h>
#include <string.h>

#define TTL 64

struct header {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __attribute__((packed, aligned(2))); // as DPDK aligns each
static_assert(sizeof(struct header) == SL_FRAME_HEADER_BYTES, "Ethernet, IPv4, UDP");

// The packet id is 0 in every frame: they are atomic (DF, RFC 6864), and so the header's checksum
// is the same for all of a template.
static void make_template(struct sl_fill_template *template, const struct sl_fill_config *config,
	uint32_t flow, uint32_t payload_bytes)
{
	uint16_t udp_bytes = (uint16_t)(sizeof(struct rte_udp_hdr) + payload_bytes);
	struct header header = {
		.ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		.ip =
			{
				.version_ihl = RTE_IPV4_VHL_DEF,
				.total_length = rte_cpu_to_be_16(
					(uint16_t)(sizeof(struct rte_ipv4_hdr) + udp_bytes)),
				.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
				.time_to_live = TTL,
				.next_proto_id = IPPROTO_UDP,
				.src_addr = rte_cpu_to_be_32(config->source_address),
				.dst_addr = rte_cpu_to_be_32(config->destination_address),
			},
		.udp =
			{
				.src_port =
					rte_cpu_to_be_16((uint16_t)(config->source_port + flow)),
				.dst_port = rte_cpu_to_be_16(config->destination_port),
				.dgram_len = rte_cpu_to_be_16(udp_bytes),
			},
	};

	memcpy(&header.ether.dst_addr, config->destination_mac, 6);
	memcpy(&header.ether.src_addr, config->source_mac, 6);
	header.ip.hdr_checksum = rte_ipv4_cksum(&header.ip);
	*template = (struct sl_fill_template){
		.frame_bytes = (uint16_t)(SL_FRAME_HEADER_BYTES + payload_bytes),
		.payload_bytes = payload_bytes,
		.checksum = (uint32_t)rte_ipv4_phdr_cksum(&header.ip, 0) +
			rte_raw_cksum(&header.udp, sizeof(header.udp)),
	};
	memcpy(template->header, &header, sizeof(header));
}

static const struct sl_fill_template *find_size(
	const struct sl_fill *fill, uint32_t turn_count, uint32_t payload_bytes)
{
	for (uint32_t i = 0; i < turn_count; i++) {
		if (fill->cycle_templates[i]->payload_bytes == payload_bytes)
			return fill->cycle_templates[i];
	}
	return NULL;
}

// Sizes that come several times in the cycle share their templates.
static void make_templates(struct sl_fill *fill, const struct sl_fill_config *config)
{
	struct sl_fill_template *next = fill->templates;

	for (uint32_t i = 0; i < fill->cycle_count; i++) {
		uint32_t payload_bytes = sl_payload_bytes(config->payload, i);

		fill->cycle_templates[i] = find_size(fill, i, payload_bytes);
		if (fill->cycle_templates[i] != NULL)
			continue;
		fill->cycle_templates[i] = next;
		for (uint32_t flow = 0; flow < fill->flow_count; flow++)
			make_template(next++, config, flow, payload_bytes);
	}
}

int sl_fill_init(struct sl_fill *fill, const struct sl_fill_config *config)
{
	const struct sl_payload_config *payload = config->payload;
	size_t template_count;

	*fill = (struct sl_fill){
		.payload = payload,
		.flow_magic = UINT64_MAX / payload->flow_count + 1,
		.flow_count = payload->flow_count,
		.cycle_count = SL_MAX(payload->cycle_count, 1),
		.udp_checksum = config->udp_checksum,
		.has_pattern = payload->bytes > SL_PAYLOAD_BINARY_BYTES,
	};
	template_count = (size_t)fill->cycle_count * fill->flow_count;
	fill->templates = aligned_alloc(SL_CACHE_LINE, template_count * sizeof(*fill->templates));
	if (fill->templates == NULL)
		return -ENOMEM;
	make_templates(fill, config);
	return 0;
}

void sl_fill_fini(struct sl_fill *fill)
{
	free(fill->templates);
	fill->templates = NULL;
}
