/* SPDX-License-Identifier: BSD-3-Clause */
// What recovery.c (locks, epoch) shares with recovery_scan.c (the verdict), recovery_finish.c (what
// is done once the verdict is good) and recovery_rewrite.c (a part of that).
#pragma once

#include "store/recovery.h"
#include "store/recovery_states.h"

// How far the log comes in one segment.
struct sl_recovery_reach {
	uint64_t first_number, last_number; // of batches; 0 without any
	uint64_t end_position;
	uint64_t event_count;
	uint64_t time_first_ns, time_last_ns;
	uint64_t epoch; // of the last batch
	uint32_t last_body_crc;
	bool has_whole_head; // its checkpoint has its end: only then the segment counts
};

// A batch in the tail.
struct sl_recovery_place {
	uint32_t index; // of its segment in entries
	uint64_t number; // 0: none
	uint64_t position;
};

#define SL_RECOVERY_NO_INDEX UINT32_MAX

struct sl_recoverer {
	struct sl_lane_recovery *recovery;
	const char *lane_path;
	uint16_t lane, class_index;
	uint32_t salt_crc;
	struct sl_err *err;
	// The lane's segments. From tail_index on they are not sealed, and locked.
	struct sl_segment_entry *entries;
	struct sl_recovery_reach *reaches; // beside entries
	uint32_t entry_count, tail_index;
	struct sl_segment **locked;
	uint32_t locked_count;
	struct sl_recovery_states states;
	struct sl_read_ahead *reader; // while the log is scanned
	uint32_t current_index; // of the batch at hand
	uint32_t end_index; // of the last segment that counts, SL_RECOVERY_NO_INDEX before one
	uint64_t epoch_max, time_last_ns;
	uint64_t epoch_before; // of the start before this one
	// Batches up to mark are on stable storage, whatever failed since. All in front of unsure
	// are; unsure_later takes its place once a mark has come that far, so it lags by what was
	// under way.
	uint64_t mark;
	struct sl_recovery_place unsure, unsure_later;
};

// Fills err for a lane that is CORRUPT, from what its text says already; returns -EUCLEAN.
int sl_recovery_corrupt(const struct sl_recoverer *r);

// First entry behind the end of the log: half-born, void and spare segments.
uint32_t sl_recovery_first_behind(const struct sl_recoverer *r);

// Takes the log's end and the partitions' states from the bookmark of a clean stop, when the start
// before this one ended so. 1, 0 without one, or a negative errno.
int sl_recovery_use_bookmark(struct sl_recoverer *r);

// Finds the log's end and the partitions' states; touches nothing. 0, -EUCLEAN, or another negative
// errno.
int sl_recovery_scan(struct sl_recoverer *r);

// Of the batch at hand, with the largest mark so far, its own among them.
void sl_recovery_note_place(
	struct sl_recoverer *r, const struct sl_batch_header *batch, uint64_t mark);

// Writes the tail above the mark again, and the footer in front of it. The tail is yet to be
// flushed. 0 or a negative errno.
int sl_recovery_rewrite(struct sl_recoverer *r);

// Removes what stands behind the end, seals what is full, makes the tail durable, and fills the
// result.
int sl_recovery_finish(struct sl_recoverer *r);
