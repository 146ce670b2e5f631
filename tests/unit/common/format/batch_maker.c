/* SPDX-License-Identifier: BSD-3-Clause */
#include "batch_maker.h"

#include "format/batch_scan.h"
#include "format/crc32c.h"

#include <assert.h>
#include <string.h>

#define TIME_BASE_NS 1700000000000000000ull

static void append(struct sl_test_batch *batch, const void *data, size_t bytes)
{
	assert(batch->used_bytes + bytes <= SL_TEST_BATCH_BYTES);
	if (bytes > 0)
		memcpy(batch->bytes + batch->used_bytes, data, bytes);
	batch->used_bytes += bytes;
}

void sl_test_batch_init(struct sl_test_batch *batch, enum sl_batch_kind kind)
{
	memset(batch, 0, sizeof(*batch));
	batch->header = (struct sl_batch_header){
		.magic = SL_BATCH_MAGIC,
		.version = SL_FORMAT_VERSION,
		.header_bytes = SL_BATCH_HEADER_BYTES,
		.kind = (uint8_t)kind,
		.time_base_ns = TIME_BASE_NS,
		.time_last_ns = TIME_BASE_NS,
	};
	batch->used_bytes = SL_BATCH_RUNS_OFFSET;
}

void sl_test_batch_run(struct sl_test_batch *batch, unsigned type, uint16_t partition,
	uint16_t source, const void *data, size_t bytes)
{
	struct sl_run_header run = {
		.length_type = SL_RUN_LENGTH_TYPE(bytes, type),
		.time_delta_ns = batch->header.run_count,
		.partition = partition,
		.source = source,
	};

	append(batch, &run, sizeof(run));
	append(batch, data, bytes);
	batch->header.run_count++;
}

void sl_test_batch_event(struct sl_test_batch *batch, uint16_t partition, uint32_t term,
	uint64_t offset, const void *data, size_t bytes)
{
	struct sl_batch_table_entry *entry = batch->table;

	while (entry < batch->table + batch->table_count && entry->partition != partition)
		entry++;
	if (entry == batch->table + batch->table_count) {
		assert(batch->table_count < SL_TEST_TABLE_COUNT_MAX);
		*entry = (struct sl_batch_table_entry){
			.first_offset = offset, .term = term, .partition = partition};
		batch->table_count++;
	}
	entry->event_count++;
	batch->header.event_count++;
	sl_test_batch_run(batch, SL_RUN_EVENT, partition, SL_RUN_SOURCE_NONE, data, bytes);
}

size_t sl_test_batch_seal(struct sl_test_batch *batch, uint32_t salt_crc)
{
	struct sl_batch_header *header = &batch->header;
	uint64_t prefix[2] = {header->epoch, header->number};

	batch->used_bytes = SL_ALIGN_UP(batch->used_bytes, 8);
	header->table_offset = (uint32_t)batch->used_bytes;
	header->table_count = batch->table_count;
	append(batch, batch->table, batch->table_count * sizeof(batch->table[0]));
	header->byte_length = (uint32_t)batch->used_bytes;
	memcpy(batch->bytes + SL_BATCH_HEADER_BYTES, prefix, sizeof(prefix));
	header->body_crc = sl_crc32c(salt_crc, batch->bytes + SL_BATCH_HEADER_BYTES,
		header->byte_length - SL_BATCH_HEADER_BYTES);
	header->header_crc = 0;
	header->header_crc = sl_crc32c(salt_crc, header, sizeof(*header));
	return SL_ALIGN_UP(batch->used_bytes, SL_BLOCK_BYTES);
}
