/* SPDX-License-Identifier: BSD-3-Clause */
// Batches that repair puts in the place of batches that are gone: fences, which say which offsets
// are lost, and checkpoints made anew. The chain goes on behind them, because their bodies are made
// to have the sum that the next batch names. Thread rule: pure, works on the caller's memory.
#pragma once

#include "base.h"
#include "format/log_format.h"

struct sl_fence {
	uint8_t kind; // SL_BATCH_FENCE or SL_BATCH_CHECKPOINT
	uint8_t flags;
	uint16_t lane;
	uint64_t segment, position, epoch, number, durable_mark, time_ns;
	uint32_t prev_body_crc;
	bool has_body_crc; // the sum that is wanted; else it is what it is
	uint32_t body_crc;
	const struct sl_partition_state *states;
	uint32_t state_count;
	const struct sl_lost_offsets *lost;
	uint32_t lost_count;
};

// Bytes that a batch with so many records takes at least, whole blocks.
uint64_t sl_fence_bytes_min(uint32_t state_count, uint32_t lost_count);

// How many records of 24 bytes fit into a batch of so many bytes, when they are of one kind.
uint32_t sl_fence_record_count_max(uint64_t block_bytes);

// Builds the batch in memory, which has block_bytes (whole blocks, SL_BATCH_BYTES_MAX at most, not
// below sl_fence_bytes_min()), and takes all of them. Returns its body_crc.
uint32_t sl_fence_build(
	void *memory, uint64_t block_bytes, const struct sl_fence *fence, uint32_t salt_crc);
