/* SPDX-License-Identifier: BSD-3-Clause */
#include "frames.h"

#include "config/config.h"

#include <CUnit/CUnit.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_MAX (65535 + 14 + 8)
#define SEGMENT_BYTES_MAX (12 * 1024) // a jumbo frame is one segment
#define MBUF_COUNT 2047

const struct frame frames[] = {
#define FRAME(name_text, hex_text, byte_count, reason_id, offset, payload_count, port) \
	{ \
		.name = name_text, \
		.hex = hex_text, \
		.bytes = byte_count, \
		.reason = reason_id, \
		.payload_offset = offset, \
		.payload_bytes = payload_count, \
		.udp_port = port, \
	},
#include "frames.inc"
#undef FRAME
};
const size_t frame_count = SL_ARRAY_COUNT(frames);

const struct frame *frame_find(const char *name)
{
	for (size_t i = 0; i < frame_count; i++)
		if (strcmp(frames[i].name, name) == 0)
			return &frames[i];
	CU_FAIL_FATAL("no frame of that name");
	abort(); // not reached
}

static uint8_t nibble(char digit)
{
	return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

const uint8_t *frame_bytes(const struct frame *frame)
{
	static uint8_t bytes[FRAME_BYTES_MAX];

	CU_ASSERT_FATAL(frame->bytes <= sizeof(bytes));
	for (uint32_t i = 0; i < frame->bytes; i++)
		bytes[i] =
			(uint8_t)(nibble(frame->hex[2 * i]) << 4 | nibble(frame->hex[2 * i + 1]));
	return bytes;
}

static struct rte_mempool *mempool(void)
{
	static struct rte_mempool *pool;

	if (pool == NULL)
		pool = rte_pktmbuf_pool_create("frames", MBUF_COUNT, 0, 0,
			SEGMENT_BYTES_MAX + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	return pool;
}

struct rte_mbuf *frame_mbuf(
	const uint8_t *bytes, uint32_t count, uint32_t first_bytes, uint32_t next_bytes)
{
	struct rte_mbuf *head = NULL;
	uint32_t room = first_bytes;

	do {
		struct rte_mbuf *segment = rte_pktmbuf_alloc(mempool());
		CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
		uint32_t here = SL_MIN(SL_MIN(count, room), SEGMENT_BYTES_MAX);
		memcpy(rte_pktmbuf_append(segment, (uint16_t)here), bytes, here);
		bytes += here;
		count -= here;
		room = next_bytes;
		if (head == NULL)
			head = segment;
		else
			CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(head, segment), 0);
	} while (count > 0);
	return head;
}

struct rte_mbuf *frame_mbuf_whole(const struct frame *frame)
{
	return frame_mbuf(frame_bytes(frame), frame->bytes, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MAX);
}

const struct sl_parse_table *frame_table(void)
{
	static struct sl_parse_table table;
	static const struct sl_config config = {
		.streams = {{.udp_port = FRAMES_STREAM_0_PORT}, {.udp_port = FRAMES_STREAM_1_PORT}},
		.stream_count = 2,
	};

	sl_parse_init(&table, &config);
	return &table;
}
