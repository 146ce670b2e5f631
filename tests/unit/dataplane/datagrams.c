/* SPDX-License-Identifier: BSD-3-Clause */
#include "datagrams.h"

#include <CUnit/CUnit.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <string.h>

#define MBUF_COUNT 3071 // EAL has 64 MiB here
#define SEGMENT_BYTES_MAX 2048u
#define FRAME_BYTES_MAX (14 + 40 + 8 + 65507)

static struct rte_mempool *mempool(void)
{
	static struct rte_mempool *pool;

	// No cache: every mbuf that comes back is seen at once.
	if (pool == NULL)
		pool = rte_pktmbuf_pool_create(
			"datagrams", MBUF_COUNT, 0, 0, RTE_PKTMBUF_HEADROOM + SEGMENT_BYTES_MAX, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	return pool;
}

uint32_t datagrams_held(void)
{
	return rte_mempool_in_use_count(mempool());
}

static uint32_t put_headers(uint8_t *frame, const struct datagram_spec *spec, bool is_v6)
{
	uint8_t *l3 = frame + 14;
	uint8_t *l4 = l3 + (is_v6 ? 40 : 20);

	memset(frame, 0, 14 + 40 + 8);
	l3[0] = is_v6 ? 0x60 : 0x45;
	memcpy(l3 + (is_v6 ? 8 : 12), spec->source, is_v6 ? 16 : 4);
	memcpy(l3 + (is_v6 ? 24 : 16), spec->target, is_v6 ? 16 : 4);
	l4[0] = (uint8_t)(spec->source_port >> 8);
	l4[1] = (uint8_t)spec->source_port;
	l4[2] = (uint8_t)(spec->target_port >> 8);
	l4[3] = (uint8_t)spec->target_port;
	return (uint32_t)(l4 + 8 - frame);
}

static struct rte_mbuf *divide(
	const uint8_t *frame, uint32_t bytes, uint32_t first_bytes, uint32_t next_bytes)
{
	struct rte_mbuf *head = NULL;
	uint32_t done_bytes = 0;

	do {
		uint32_t limit = done_bytes == 0 && head == NULL ? first_bytes : next_bytes;
		uint32_t take = SL_MIN(limit == 0 ? SEGMENT_BYTES_MAX : limit, bytes - done_bytes);
		struct rte_mbuf *segment = rte_pktmbuf_alloc(mempool());

		CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
		memcpy(rte_pktmbuf_append(segment, (uint16_t)take), frame + done_bytes, take);
		done_bytes += take;
		if (head == NULL)
			head = segment;
		else
			CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(head, segment), 0);
	} while (done_bytes < bytes);
	return head;
}

struct rte_mbuf *datagram_make(const struct datagram_spec *spec, struct sl_datagram *datagram)
{
	static uint8_t frame[FRAME_BYTES_MAX];
	bool is_v6 = spec->ip_version == 6;
	uint32_t header_bytes = put_headers(frame, spec, is_v6);

	if (spec->payload_bytes > 0)
		memcpy(frame + header_bytes, spec->payload, spec->payload_bytes);
	*datagram = (struct sl_datagram){
		.payload_offset = header_bytes,
		.payload_bytes = spec->payload_bytes,
		.l3_offset = 14,
		.ip_version = is_v6 ? 6 : 4,
	};
	return divide(
		frame, header_bytes + spec->payload_bytes, spec->first_bytes, spec->next_bytes);
}

struct sl_event datagram_event(
	const struct datagram_spec *spec, uint16_t partition, uint64_t receive_ns)
{
	struct sl_datagram datagram;
	struct rte_mbuf *mbuf = datagram_make(spec, &datagram);

	sl_mbuf_set_receive_ns(mbuf, receive_ns);
	return (struct sl_event){
		.mbuf = mbuf,
		.payload_offset = (uint16_t)datagram.payload_offset,
		.payload_bytes = (uint16_t)datagram.payload_bytes,
		.partition = partition,
		.l3_offset = datagram.l3_offset,
	};
}
