/* SPDX-License-Identifier: BSD-3-Clause */
// Segment files of a lane: birth, opening for write, listing, footer, removal.
// Thread rule: slow path: main lcore at start, keeper thread afterwards. A worker only reads fd and
// numbers of the segments that it was handed, and writes the group marked so.
#pragma once

#include "base.h"
#include "err.h"
#include "format/log_format.h"

struct sl_segment {
	int fd; // O_RDWR | O_DIRECT, with the writer's lock byte held
	uint64_t number;
	uint64_t file_bytes; // the last block is the footer's
	// From the file's start: blocks that were written before. Overwriting them was measured 1.6
	// times faster than the first write into allocated, unwritten extents (3.27 against 1.98
	// GB/s).
	uint64_t formatted_bytes;
	// Written by the worker while it fills the segment; they become the footer.
	uint64_t first_number, last_number; // batches; 0 none yet
	uint64_t end_position;
	uint64_t event_count;
	uint64_t time_first_ns, time_last_ns;
	uint32_t last_body_crc;
	bool is_void; // nothing in it counts: to be removed, not sealed
	bool is_flushed; // sl_segment_seal() got as far as the footer
};

// Bytes of a segment that batches may fill.
static inline uint64_t sl_segment_usable_bytes(const struct sl_segment *segment)
{
	return segment->file_bytes - SL_BLOCK_BYTES;
}

// Gives birth to a segment: temporary name, fallocate of file_bytes, fdatasync, rename, fsync of
// the directory, writer's lock. Returns it, owned by the caller, or NULL with errno and err set and
// nothing left behind (ENOSPC: "no room for a segment of N bytes in DIR: ..."; EDQUOT: "no quota").
struct sl_segment *sl_segment_create(
	const char *lane_path, uint64_t number, uint64_t file_bytes, struct sl_err *err);

// Turns a sealed segment that has expired into a new one, with all its blocks written already:
// takes the readers' lock byte, renames (by way of the temporary name, into another lane's
// directory if that is asked for), syncs the directories. What the file held is stale by its
// segment number. NULL with errno and err: EBUSY when a reader holds it, ESTALE when its length is
// not file_bytes or it was trimmed, ENOENT when it is not there; then all is as it was. After any
// other error the expired segment may be gone, as it would be after its removal, and number may be
// taken by what could not be taken back (then a birth under it gives EEXIST).
struct sl_segment *sl_segment_recycle(const char *expired_lane_path, uint64_t expired_number,
	const char *lane_path, uint64_t number, uint64_t file_bytes, struct sl_err *err);

// Writes zeros over the next bytes_max bytes of a segment that nobody writes to yet, from
// formatted_bytes on; the last step flushes. zeros: bytes_max zero bytes, block-aligned, a multiple
// of the block. Returns 0 or a negative errno with err.
int sl_segment_format_step(
	struct sl_segment *segment, const void *zeros, uint64_t bytes_max, struct sl_err *err);

// Opens an existing segment to go on writing, with formatted_bytes as its file system knows it:
// takes the writer's lock, waiting (and saying once "waiting for I/O of the previous run") while it
// is held. NULL on failure.
struct sl_segment *sl_segment_open(const char *lane_path, uint64_t number, struct sl_err *err);

// Before the footer of a segment that is left though less than half of it was used: gives the room
// behind its last batch back to the file system. The length stays. Returns the bytes that the file
// still takes; a file system that cannot do it is no error.
uint64_t sl_segment_trim(struct sl_segment *segment);

// fdatasync of what was written, then the footer from the segment's fields, durable. Returns 0 or a
// negative errno. After a failure with is_flushed set it may be called again: the footer is written
// anew. Without it a second flush says nothing about what the first was to cover.
int sl_segment_seal(struct sl_segment *segment, uint16_t lane, uint64_t epoch, uint32_t salt_crc,
	struct sl_err *err);

// Closes the file (and so drops the lock) and frees the struct. NULL is legal.
void sl_segment_close(struct sl_segment *segment);

// Unlinks a segment and flushes the directory: it will not come back after a crash.
int sl_segment_discard(const char *lane_path, uint64_t number, struct sl_err *err);

// Unlinks a segment. A reader that has it open keeps reading it.
int sl_segment_remove(const char *lane_path, uint64_t number, struct sl_err *err);

enum sl_index_state {
	SL_INDEX_UNKNOWN, // not looked at yet
	SL_INDEX_THERE,
	SL_INDEX_FAILED, // cannot be built: not tried again before the next start
};

struct sl_segment_entry {
	uint64_t number;
	uint64_t file_bytes;
	uint64_t disk_bytes; // that it takes: its length, less what was trimmed
	bool sealed; // its footer is valid (only when asked for)
	uint64_t time_last_ns; // from the footer
	uint64_t event_count; // from the footer
	enum sl_index_state index_state; // the keeper's
};

// Lists a lane's segments in ascending order and removes leftovers with the temporary name when
// remove_temporary is true. *entries is malloc'ed, the caller's.
int sl_segment_list(const char *lane_path, uint16_t lane, uint32_t salt_crc, bool remove_temporary,
	struct sl_segment_entry **entries, uint32_t *entry_count, struct sl_err *err);
