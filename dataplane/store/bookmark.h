/* SPDX-License-Identifier: BSD-3-Clause */
// The bookmark of a clean stop: in the last block of the segment that a lane ends in, where a
// footer will stand, it says where the log ends and what its partitions are at, so that the next
// start need not read the segment. It counts for the next epoch alone: every start raises the epoch
// on the disk before it writes anything. docs/format.md, "Bookmark". Thread rule: main lcore, at
// start and stop; blocking.
#pragma once

#include "base.h"
#include "err.h"
#include "format/log_format.h"
#include "format/segment_file.h"
#include "store/lane.h"

// Partitions that a bookmark has room for: of a lane with more, the next start reads the segment.
#define SL_BOOKMARK_STATE_COUNT_MAX \
	((SL_BLOCK_BYTES - sizeof(struct sl_segment_bookmark)) / sizeof(struct sl_partition_state))

// The whole block.
struct sl_bookmark_block {
	struct sl_segment_bookmark bookmark;
	struct sl_partition_state states[SL_BOOKMARK_STATE_COUNT_MAX];
	uint8_t unused[(SL_BLOCK_BYTES - sizeof(struct sl_segment_bookmark)) %
		sizeof(struct sl_partition_state)];
} SL_PACKED;
static_assert(sizeof(struct sl_bookmark_block) == SL_BLOCK_BYTES, "one block");

// Writes the bookmark of a lane whose clean stop is on stable storage, durably. Returns 0; -E2BIG
// when its partitions are too many; -EBUSY when one of them has offsets that are not stored; or
// another negative errno; err is filled.
int sl_bookmark_write(const struct sl_lane *lane, struct sl_err *err);

// Reads the bookmark of an unsealed segment. True when there is one of this epoch, and the log does
// end as it says: with the mark of a clean stop, and nothing newer behind it. Whatever cannot be
// read is no bookmark.
bool sl_bookmark_read(
	struct sl_segment_file *file, uint64_t epoch, struct sl_bookmark_block *block);
