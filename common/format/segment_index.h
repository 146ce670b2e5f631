/* SPDX-License-Identifier: BSD-3-Clause */
// The index of a sealed segment, read: which batches a reader of some partitions need not look at.
// Nothing depends on it: without one, or with one that does not check, a reader scans and finds the
// same. Thread rule: belongs to its opener.
#pragma once

#include "base.h"
#include "err.h"
#include "format/segment_file.h"

struct sl_segment_index {
	char *bytes; // the file; NULL: no index
	const struct sl_segment_index_header *header;
	const struct sl_segment_index_batch *batches;
	const struct sl_segment_index_partition *partitions;
};

// Whose events a reader wants.
struct sl_index_wanted {
	uint16_t first_partition;
	uint32_t partition_count;
	// What is older is not wanted either: terms below term, and in it offsets below from.
	uint32_t term;
	uint64_t from;
};

// Reads the index of a segment that is sealed. Returns 0; -ENOENT without one; -ESTALE for one of
// another life of the file; -EBADMSG for one that does not check; err is filled. The caller owns
// *index.
int sl_segment_index_read(struct sl_segment_index *index, const char *lane_path,
	const struct sl_segment_file *sealed, struct sl_err *err);

void sl_segment_index_free(struct sl_segment_index *index); // legal on a zeroed struct

// Bytes of a bitmap of batches.
static inline size_t sl_segment_index_bitmap_bytes(uint32_t batch_count)
{
	return SL_ALIGN_UP((size_t)batch_count, 32) / 8;
}

// A bitmap of the batches that must be read: those with events that are wanted, fences, and those
// of kinds that this version does not know. malloc'ed, the caller's; NULL without memory.
uint8_t *sl_segment_index_select(
	const struct sl_segment_index *index, const struct sl_index_wanted *wanted);
