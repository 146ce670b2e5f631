/* SPDX-License-Identifier: BSD-3-Clause */
// Blocks to a file, durably, several under way: O_DIRECT and O_DSYNC through io_uring. The file is
// written once before use and then overwritten from its start, round and round, which is what the
// appliance's recycled segments are. Thread rule: one thread.
#pragma once

#include "base.h"
#include "err.h"

#define SL_UDP_BLOCK_BYTES (512u * 1024u)
#define SL_UDP_BLOCK_MAGIC 0x4b4c4253u // "SBLK"
#define SL_UDP_WRITES_MAX 32u

// At the start of each block, little-endian. Records follow: a 16-bit length and the datagram's
// payload each; what is behind the last one is left over from earlier.
struct sl_udp_block_head {
	uint32_t magic;
	uint32_t used_bytes; // head included
	uint32_t record_count;
	uint32_t reserved;
	uint64_t number; // of the block, from 0
};
static_assert(sizeof(struct sl_udp_block_head) == 24, "as tests/bench/udp_sink_test.py reads it");

struct sl_udp_file_counters {
	uint64_t block_count; // completed
	uint64_t record_count; // in them
	uint64_t wait_count; // times that all buffers were being written
	uint64_t write_ns_max;
	uint64_t write_ns_total;
};

struct sl_udp_file;

// bytes: a multiple of SL_UDP_BLOCK_BYTES; what the file lacks of it is written with zeros first.
// write_count: blocks being written at a time, at most SL_UDP_WRITES_MAX; one more is being filled.
// Returns 0 and *file, or a negative errno with err filled.
int sl_udp_file_open(struct sl_udp_file **file, const char *path, uint64_t bytes,
	uint32_t write_count, struct sl_err *err);

// Appends a record to the block that is being filled, submits it when there is no room, and then
// waits while all others are being written. Returns 0, or a negative errno with err filled.
int sl_udp_file_append(
	struct sl_udp_file *file, const void *payload, uint32_t bytes, struct sl_err *err);

// Takes completions without waiting. Returns 0, or the first failed write's errno with err filled.
int sl_udp_file_reap(struct sl_udp_file *file, struct sl_err *err);

// Writes the block that is being filled and waits for all. Returns as sl_udp_file_reap.
int sl_udp_file_finish(struct sl_udp_file *file, struct sl_err *err);

const struct sl_udp_file_counters *sl_udp_file_counters(const struct sl_udp_file *file);

// NULL is legal.
void sl_udp_file_close(struct sl_udp_file *file);
