/* SPDX-License-Identifier: BSD-3-Clause */
// The content of checkpoints and epoch starts: memory in, memory out.
// Thread rule: pure functions; any thread, polling lcores included (no allocation, no system call).
#pragma once

#include "base.h"
#include "format/log_format.h"
#include "partition.h"

// How many batches of batch_bytes a checkpoint of partition_count partitions takes (at least 1).
uint32_t sl_checkpoint_batch_count(uint32_t partition_count, uint32_t batch_bytes);

// Writes the runs of checkpoint batch index (0 .. sl_checkpoint_batch_count - 1) into batch, from
// SL_BATCH_RUNS_OFFSET on: the states of owned[...] from the store-wide array partitions. Sets
// *run_count; returns the offset behind the last run.
uint32_t sl_checkpoint_fill(char *batch, uint32_t batch_bytes, uint32_t index,
	const struct sl_partition *partitions, const uint16_t *owned, uint32_t owned_count,
	uint32_t *run_count);
