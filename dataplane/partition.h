/* SPDX-License-Identifier: BSD-3-Clause */
// What a worker knows of a partition. 32 bytes, two to a cache line: steering gives workers
// contiguous ranges. Thread rule: written by the owning worker only, after start.
#pragma once

#include "base.h"

struct sl_partition {
	uint64_t next_offset;
	uint64_t batch_number; // of the open batch it last joined; 0 none
	uint32_t term;
	uint16_t table_index; // in that batch's table
	uint8_t lane_slot; // of its worker's lanes
	uint8_t keep_source;
	uint64_t term_start;
};
static_assert(sizeof(struct sl_partition) == 32, "two to a cache line");
