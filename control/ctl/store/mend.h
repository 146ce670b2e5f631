/* SPDX-License-Identifier: BSD-3-Clause */
// Mends one segment: a copy is made under the name of a birth, fences and checkpoints are put where
// batches are gone, and the copy takes the segment's place in one step. Killed anywhere, the store
// is as it was, or mended. Thread rule: the caller holds the store's lock.
#pragma once

#include "base.h"
#include "err.h"
#include "format/judgement.h"

struct sl_mend {
	const char *lane_path;
	uint16_t lane;
	uint64_t segment;
	uint32_t salt_crc;
	uint64_t segment_bytes; // of the store: of a file that was cut off
	uint32_t partition_count;
	bool keep_original; // beside the mended one, as NUMBER.seg.damaged
	// Holes of this segment in order of their positions; other findings are left out.
	const struct sl_finding *const *findings;
	size_t finding_count;
	bool is_gone; // there is no file
	bool is_tail; // the lane's log ends here: it stays without a footer if it has none
	uint64_t tail_number; // of the lane's last batch, as it was judged
	// Offsets that are not to be given again, although nothing says where they were: fenced
	// behind the last batch of the lane. Only where is_tail.
	const struct sl_lost_offsets *tail_lost;
	uint32_t tail_lost_count;
};

// Returns 0; -EIO when the drive does not give again what it gave when it was judged; -EBUSY while
// the previous run's writes are landing, -ENOSPC without room in the drive or in a hole, or another
// negative errno, with err filled and the segment as it was.
int sl_mend_segment(const struct sl_mend *mend, struct sl_err *err);

// Writes the footer of a segment whose batches are whole, in its place.
int sl_mend_footer(const struct sl_mend *mend, struct sl_err *err);

// Makes the index of a sealed segment anew.
int sl_mend_index(const struct sl_mend *mend, struct sl_err *err);

// Renames a segment that is no part of the log.
int sl_mend_put_aside(const struct sl_mend *mend, struct sl_err *err);
