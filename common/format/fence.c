/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/fence.h"

#include "format/batch_scan.h"
#include "format/crc32c.h"

#include <string.h>

#define RECORD_BYTES 24u
static_assert(sizeof(struct sl_partition_state) == RECORD_BYTES &&
		sizeof(struct sl_lost_offsets) == RECORD_BYTES,
	"records of both kinds");

#define CRC_BITS 32

uint64_t sl_fence_bytes_min(uint32_t state_count, uint32_t lost_count)
{
	uint64_t bytes = SL_BATCH_RUNS_OFFSET;

	bytes += state_count > 0 ? sizeof(struct sl_run_header) + state_count * RECORD_BYTES : 0;
	bytes += lost_count > 0 ? sizeof(struct sl_run_header) + lost_count * RECORD_BYTES : 0;
	// One without any record has an empty run, so that its sum can be chosen.
	bytes += state_count + lost_count == 0 ? sizeof(struct sl_run_header) : 0;
	return SL_ALIGN_UP(bytes, (uint64_t)SL_BLOCK_BYTES);
}

uint32_t sl_fence_record_count_max(uint64_t block_bytes)
{
	return (uint32_t)((block_bytes - SL_BATCH_RUNS_OFFSET - sizeof(struct sl_run_header)) /
		RECORD_BYTES);
}

static char *add_run(struct sl_batch_header *header, char *next, enum sl_run_type type,
	const void *data, size_t bytes)
{
	const struct sl_run_header run = {.length_type = SL_RUN_LENGTH_TYPE(bytes, type)};

	memcpy(next, &run, sizeof(run));
	if (data != NULL)
		memcpy(next + sizeof(run), data, bytes);
	header->run_count++;
	return next + sizeof(run) + bytes;
}

static uint32_t body_sum(const struct sl_batch_header *header, uint32_t salt_crc)
{
	return sl_crc32c(salt_crc, (const char *)header + SL_BATCH_HEADER_BYTES,
		header->byte_length - SL_BATCH_HEADER_BYTES);
}

// Chooses four bytes of the body so that its sum is the one that is wanted. A CRC is linear: each
// bit turns its own set of bits of the sum, and 32 bits in a row turn them independently.
static void choose_sum(
	struct sl_batch_header *header, char *patch, uint32_t wanted, uint32_t salt_crc)
{
	uint32_t effects[CRC_BITS], choices[CRC_BITS], choice = 0, bits = 0;

	memcpy(patch, &bits, sizeof(bits));
	wanted ^= body_sum(header, salt_crc);
	for (int i = 0; i < CRC_BITS; i++) {
		choices[i] = bits = 1u << i;
		memcpy(patch, &bits, sizeof(bits));
		effects[i] = body_sum(header, salt_crc);
	}
	bits = 0;
	memcpy(patch, &bits, sizeof(bits));
	for (int i = 0; i < CRC_BITS; i++)
		effects[i] ^= body_sum(header, salt_crc);
	for (int bit = 0; bit < CRC_BITS; bit++) {
		int pivot = bit;

		while (pivot < CRC_BITS && (effects[pivot] >> bit & 1) == 0)
			pivot++;
		assert(pivot < CRC_BITS);
		const uint32_t effect = effects[pivot], with = choices[pivot];
		effects[pivot] = effects[bit];
		choices[pivot] = choices[bit];
		effects[bit] = effect;
		choices[bit] = with;
		for (int i = bit + 1; i < CRC_BITS; i++)
			if (effects[i] >> bit & 1) {
				effects[i] ^= effect;
				choices[i] ^= with;
			}
		if (wanted >> bit & 1) {
			wanted ^= effect;
			choice ^= with;
		}
	}
	memcpy(patch, &choice, sizeof(choice));
}

static void fill_header(struct sl_batch_header *header, const struct sl_fence *fence)
{
	*header = (struct sl_batch_header){
		.magic = SL_BATCH_MAGIC,
		.version = SL_FORMAT_VERSION,
		.header_bytes = SL_BATCH_HEADER_BYTES,
		.prev_body_crc = fence->prev_body_crc,
		.kind = fence->kind,
		.flags = fence->flags,
		.lane = fence->lane,
		.segment = fence->segment,
		.position = fence->position,
		.epoch = fence->epoch,
		.number = fence->number,
		.durable_mark = fence->durable_mark,
		.time_base_ns = fence->time_ns,
		.time_last_ns = fence->time_ns,
	};
}

uint32_t sl_fence_build(
	void *memory, uint64_t block_bytes, const struct sl_fence *fence, uint32_t salt_crc)
{
	const uint64_t prefix[2] = {fence->epoch, fence->number};
	char *start = memory, *next = start + SL_BATCH_RUNS_OFFSET;
	struct sl_batch_header *header = memory;
	uint64_t bytes;

	assert(block_bytes >= sl_fence_bytes_min(fence->state_count, fence->lost_count));
	memset(memory, 0, block_bytes);
	fill_header(header, fence);
	memcpy(start + SL_BATCH_HEADER_BYTES, prefix, sizeof(prefix));
	if (fence->state_count > 0)
		next = add_run(header, next, SL_RUN_PARTITION_STATE, fence->states,
			fence->state_count * RECORD_BYTES);
	if (fence->lost_count > 0 || header->run_count == 0)
		next = add_run(
			header, next, SL_RUN_LOST, fence->lost, fence->lost_count * RECORD_BYTES);
	// The batch must reach into its last block.
	bytes = (uint64_t)(next - start);
	if (bytes + SL_BLOCK_BYTES <= block_bytes)
		next = add_run(header, next, SL_RUN_FILLER, NULL,
			block_bytes - bytes - sizeof(struct sl_run_header));
	header->table_offset = (uint32_t)SL_ALIGN_UP((uint64_t)(next - start), 8);
	header->byte_length = header->table_offset;
	// In the first run's time, which says nothing in runs of these types.
	if (fence->has_body_crc)
		choose_sum(header,
			start + SL_BATCH_RUNS_OFFSET +
				offsetof(struct sl_run_header, time_delta_ns),
			fence->body_crc, salt_crc);
	header->body_crc = body_sum(header, salt_crc);
	sl_batch_header_seal(header, salt_crc);
	return header->body_crc;
}
