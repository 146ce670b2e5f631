/* SPDX-License-Identifier: BSD-3-Clause */
// Makes batches in memory for tests, written from docs/format.md and independent of the data
// plane's own writer: what it makes is what a reader must accept, run by run. Fields of the header
// may be set by the test before sl_test_batch_seal().
#pragma once

#include "base.h"
#include "format/log_format.h"

#define SL_TEST_BATCH_BYTES (64u * 1024) // capacity
#define SL_TEST_TABLE_COUNT_MAX 64u

struct sl_test_batch {
	union {
		struct sl_batch_header header;
		char bytes[SL_TEST_BATCH_BYTES];
	} SL_PACKED;
	size_t used_bytes;
	uint32_t table_count;
	struct sl_batch_table_entry table[SL_TEST_TABLE_COUNT_MAX];
};

// An empty batch: magic, version, kind and time base set, all else zero.
void sl_test_batch_init(struct sl_test_batch *batch, enum sl_batch_kind kind);

// A run of any type; partition and source as given.
void sl_test_batch_run(struct sl_test_batch *batch, unsigned type, uint16_t partition,
	uint16_t source, const void *data, size_t bytes);

// An event; its partition's table entry is made with first_offset and term on the first one.
void sl_test_batch_event(struct sl_test_batch *batch, uint16_t partition, uint32_t term,
	uint64_t offset, const void *data, size_t bytes);

// Table, lengths, body prefix and both CRCs; pads with zeros. Returns bytes in the file.
size_t sl_test_batch_seal(struct sl_test_batch *batch, uint32_t salt_crc);
