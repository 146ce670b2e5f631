/* SPDX-License-Identifier: BSD-3-Clause */
// Recovery of one lane at start: what is in its unsealed segments, whether it ends in a torn tail
// or in damage, and where the chain goes on (docs/format.md, "Recovery"). Thread rule: main lcore,
// before any polling lcore runs; blocking.
#pragma once

#include "base.h"
#include "err.h"
#include "format/log_format.h"
#include "store/lane_setup.h"
#include "store/segment.h"

struct sl_lane_recovery {
	uint64_t epoch; // raised and on disk
	// The segment to go on in: open, writer's lock held, its footer fields (first_number ...
	// last_body_crc) as of the last valid batch. NULL when all segments are sealed, or there is
	// none: then the caller gives birth to number next_segment.
	struct sl_segment *segment; // owned by the caller
	uint64_t next_segment; // higher than any number this lane has used
	struct sl_lane_chain chain; // position counts in segment, 0 without one
	// The state of each partition that the lane's batches and checkpoints know, as of the last
	// valid batch.
	struct sl_partition_state *states; // owned by the caller
	uint32_t state_count;
	// For the log and the shared memory.
	uint64_t event_count, batch_count; // read in unsealed segments
	bool is_bookmarked; // nothing had to be read: a clean stop has said where the log ends
	uint64_t torn_bytes; // of valid-looking or partial blocks behind the end
	uint64_t took_us;
};

// Recovers the lane in lane_path (lane.meta is created with epoch 1 when the folder has none and no
// segments). A previous segment that is whole but lacks its footer gets it. Leftovers of births are
// removed. Returns 0; -EUCLEAN when the lane is CORRUPT (nothing was changed but the epoch; err
// names file, position and numbers); another negative errno on I/O errors. The caller owns
// recovery: sl_lane_recovery_free().
int sl_lane_recover(struct sl_lane_recovery *recovery, const char *lane_path, uint16_t lane,
	uint16_t class_index, uint32_t salt_crc, struct sl_err *err);

// Frees the states and closes the segment unless the caller took it (set to NULL). Legal on a
// zeroed struct.
void sl_lane_recovery_free(struct sl_lane_recovery *recovery);
