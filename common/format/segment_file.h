/* SPDX-License-Identifier: BSD-3-Clause */
// One segment opened for reading: O_DIRECT into an aligned window, never a map, so that a reader
// neither fills the page cache nor dies of an I/O error. Holds the readers' lock byte, so that the
// writer unlinks the file instead of writing it anew. Thread rule: belongs to its opener.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "format/batch_scan.h"
#include "format/read_ahead.h"

struct sl_segment_file {
	int fd;
	uint16_t lane;
	uint64_t number;
	uint64_t file_bytes;
	uint32_t salt_crc;
	bool is_sealed;
	bool is_shortened; // see sl_segment_file_open_shortened()
	struct sl_segment_footer footer; // when is_sealed
	char path[SL_PATH_BYTES_MAX];
	uint64_t bytes_read; // from the device, by the window
	// The window: [window_position, window_position + window_bytes) of the file.
	char *window;
	size_t window_capacity, window_bytes;
	uint64_t window_position;
	// How much one read may take ahead of the batch that is asked for: 0, as much as the window
	// holds. Set by readers that will not want what comes next.
	size_t ahead_bytes;
	// Set by sl_segment_file_read_ahead(): batches come from here, not from the window.
	struct sl_read_ahead *reader;
	uint64_t reader_position; // asked for last; UINT64_MAX: it has to begin anew
};

// Opens LANE_DIR/NUMBER.seg and reads its footer. Returns 0 and *file, which the caller closes;
// -ENOENT when it expired meanwhile (or is being written anew), -EBADMSG for a length that no
// segment has, or another negative errno; err is filled.
int sl_segment_file_open(struct sl_segment_file **file, const char *lane_path, uint16_t lane,
	uint64_t number, uint32_t salt_crc, struct sl_err *err);

// The same for a file whose length is no segment's: batches may go on to its end, rounded up to a
// block, it has no footer, and what is missing in its last block reads as zeros. For checkers only.
int sl_segment_file_open_shortened(struct sl_segment_file **file, const char *lane_path,
	uint16_t lane, uint64_t number, uint32_t salt_crc, struct sl_err *err);

void sl_segment_file_close(struct sl_segment_file *file); // NULL is legal

// True when a writer has dropped it since it was opened: what is read is still what it was.
bool sl_segment_file_has_expired(const struct sl_segment_file *file);

// Where batches must end: in front of the footer's block.
static inline uint64_t sl_segment_file_usable_bytes(const struct sl_segment_file *file)
{
	return file->file_bytes - SL_BLOCK_BYTES;
}

// From now on batches are read by the reader, front to back at the drive's speed: for files that
// are read whole. The reader is the caller's, outlives the file and serves no other one meanwhile;
// with NULL nothing changes.
void sl_segment_file_read_ahead(struct sl_segment_file *file, struct sl_read_ahead *reader);

// Reads the footer again: a segment of a running appliance may have been sealed meanwhile. Returns
// 0 or a negative errno with err filled.
int sl_segment_file_read_footer(struct sl_segment_file *file, struct sl_err *err);

// Forgets what was read, so that the next look sees what is on the disk now.
void sl_segment_file_forget(struct sl_segment_file *file);

// Checks the batch at position: header and place, then, unless only_header, the sum of its body. On
// SL_BATCH_OK *batch points into the window, to all of the batch (or to its header), until the next
// call. Walk its runs only after sl_batch_check_runs(). Returns 0 with *verdict, or a negative
// errno of the device with err filled.
int sl_segment_file_batch(struct sl_segment_file *file, uint64_t position, bool only_header,
	const struct sl_batch_header **batch, enum sl_batch_verdict *verdict, struct sl_err *err);

// Reads [position, position + bytes) of the file, up to a block more on both sides; *data points
// into the window until the next call. Returns 0 or a negative errno with err filled.
int sl_segment_file_bytes(struct sl_segment_file *file, uint64_t position, size_t bytes,
	const void **data, struct sl_err *err);

// What stands behind the end of the log. Starts as zeros, number_min as UINT64_MAX.
struct sl_look_ahead {
	uint64_t byte_count; // of blocks that are not zero
	uint64_t mark_max; // the largest durable mark of the valid headers of this place
	uint64_t number_min;
	uint64_t epoch_max;
	uint64_t mark_position; // where mark_max was seen
	bool skips_unreadable; // set by the caller: goes on behind blocks that cannot be read
	uint64_t unreadable_count; // such blocks
};

// Looks at every block from position to the footer for valid headers of this place. Only adds to
// *ahead. Returns 0; -EPROTO for a batch of an unknown version; another negative errno of the
// device; err is filled.
int sl_segment_file_look_ahead(struct sl_segment_file *file, uint64_t position,
	struct sl_look_ahead *ahead, struct sl_err *err);
