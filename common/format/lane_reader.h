/* SPDX-License-Identifier: BSD-3-Clause */
// Walks the chain of one lane, segment by segment, batch by batch, and knows where the log ends and
// what is damage: readers and recovery stand on the same rules (docs/format.md, "The chain").
// Thread rule: belongs to its opener; reads only.
#pragma once

#include "base.h"
#include "err.h"
#include "format/lane_skip.h"
#include "format/segment_file.h"
#include "format/segment_list.h"

// A segment that takes over: its checkpoint is whole, so that what lower segments hold from its
// first batch number on is not part of the log.
struct sl_takeover {
	uint64_t number; // of its first batch; 0: there is none
	uint64_t epoch;
	uint32_t prev_body_crc;
};

// What the head of this segment takes over: *takeover is zeroed when its checkpoint is not whole.
// Returns 0 or a negative errno with err filled.
int sl_takeover_read(
	struct sl_segment_file *file, struct sl_takeover *takeover, struct sl_err *err);

// Batches that a reader remembers, for going back: more than a lane has under way.
#define SL_LANE_READER_RECENT_COUNT 128

struct sl_lane_reader {
	char path[SL_PATH_BYTES_MAX]; // of the lane's folder
	uint16_t lane;
	uint32_t salt_crc;
	struct sl_segment_list segments;
	size_t next_index; // in segments: the one to open next
	uint64_t seen_segment; // highest number that was opened or given up
	struct sl_segment_file *file; // NULL between segments
	uint64_t position; // of the next batch in file
	// The segment before file: whether it ended with its footer.
	uint64_t previous_segment;
	bool previous_is_sealed;
	// A mark vouched for what was not there: damage, if a second look finds the same.
	bool is_suspect;
	uint32_t vanish_count; // looks at this break during which a segment vanished
	// The chain so far; nothing can be held against the first batch that is still there.
	bool is_chained;
	uint64_t last_number, last_epoch;
	uint32_t last_body_crc;
	// The lowest takeover behind file, as of its opening; only while file is not sealed.
	struct sl_takeover takeover;
	// The last batches, by number modulo. Where one is taken over after it was read, the reader
	// goes back, and passes over the copies of what it has handed out.
	struct sl_recent_batch {
		uint64_t number, epoch;
		uint32_t body_crc;
		bool is_checkpoint;
	} recent[SL_LANE_READER_RECENT_COUNT];
	uint32_t skip_count; // copies still to come
	uint64_t skip_epoch; // of those
	// Largest durable mark that any valid header showed, and where.
	uint64_t mark_max, mark_segment, mark_position;
	// What stands behind the end, once sl_lane_reader_next() has returned 0.
	struct sl_look_ahead ahead;
	uint64_t epoch_max; // of any valid header, also behind the end
	uint64_t batch_count, byte_count, expired_count;
	struct sl_lane_skip skip;
	struct sl_read_ahead *ahead_reader; // of the owner, or NULL
	uint64_t skipped_batch_count; // of sealed segments, by their indexes
};

// Opens the lane and lists its segments. A lane without a folder has no segments. Returns 0 or a
// negative errno with err filled.
int sl_lane_reader_open(struct sl_lane_reader *reader, const char *lane_path, uint16_t lane,
	uint32_t salt_crc, struct sl_err *err);

// Starts at the first segment whose number is at least this, not at the oldest. Before the first
// sl_lane_reader_next().
void sl_lane_reader_skip_to(struct sl_lane_reader *reader, uint64_t segment);

// From now on sealed segments are read by their indexes, where they have one: batches without
// anything of this are not returned, nor checked. Before the first sl_lane_reader_next().
void sl_lane_reader_want(struct sl_lane_reader *reader, const struct sl_index_wanted *wanted);

// From now on segments are read by the reader, at the drive's speed: for logs that are read whole.
// The reader is the caller's and outlives the lane's. Before the first sl_lane_reader_next().
void sl_lane_reader_read_ahead(struct sl_lane_reader *reader, struct sl_read_ahead *ahead_reader);

// The next batch: its header, table and lengths are checked, its runs only by
// sl_batch_check_runs(); it lives until the next call. Returns 1 with *batch; 0 at the end of the
// log (call again later: a running appliance may have written more); -EBADMSG for damage, -EPROTO
// for an unknown version, or what the device said; err names file, position and meaning.
int sl_lane_reader_next(
	struct sl_lane_reader *reader, const struct sl_batch_header **batch, struct sl_err *err);

// Damage found by who walks the runs of the batch that was returned last: fills err, returns
// -EBADMSG.
int sl_lane_reader_damage(
	const struct sl_lane_reader *reader, const char *what, struct sl_err *err);

void sl_lane_reader_close(struct sl_lane_reader *reader); // legal on a zeroed struct
