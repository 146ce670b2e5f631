/* SPDX-License-Identifier: BSD-3-Clause */
// The frames of tests/fixtures/frames/ as mbufs: whole, or divided into segments. Thread rule: one
// test at a time.
#pragma once

#include "base.h"
#include "rx/parse_internal.h"

#define FRAMES_STREAM_0_PORT 9000 // as wire.py has them
#define FRAMES_STREAM_1_PORT 9001

struct frame {
	const char *name;
	const char *hex;
	uint32_t bytes;
	enum sl_drop_reason reason; // or SL_PARSE_ACCEPT
	uint32_t payload_offset, payload_bytes;
	uint16_t udp_port;
};

extern const struct frame frames[];
extern const size_t frame_count;

// The frame called `name`, which must be there.
const struct frame *frame_find(const char *name);

// The frame's bytes, valid until the next call.
const uint8_t *frame_bytes(const struct frame *frame);

// A chain of segments of first_bytes (which may be 0) and then of at most next_bytes each. The
// caller frees it.
struct rte_mbuf *frame_mbuf(
	const uint8_t *bytes, uint32_t count, uint32_t first_bytes, uint32_t next_bytes);

// The whole frame in one segment, or in as few as hold it.
struct rte_mbuf *frame_mbuf_whole(const struct frame *frame);

// Streams 0 and 1 on their ports.
const struct sl_parse_table *frame_table(void);
