/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the keeper. Nobody else includes this.
#pragma once

#include "format/segment_index_build.h"
#include "store/keeper.h"
#include "store/segment.h"

#include <pthread.h>

struct sl_kept_lane {
	struct sl_keeper_lane config;
	struct sl_segment_entry *sealed; // ascending
	uint32_t sealed_count;
	uint32_t open_count; // segments that are not sealed: spare, current, full
	uint64_t open_bytes;
	struct sl_segment *forming; // the next spare, while its blocks are written once
	uint64_t seen_position; // of the lane, at the last turn
	uint64_t pace_bytes; // that it fills in a turn, at most, lately
	uint32_t birth_wait_turns;
	uint64_t seal_wait_turns; // until a footer that failed is tried again
	uint32_t seal_failure_count; // of the segment at hand
	int seal_error; // of the last failure
	bool removal_failed; // said, and not mended yet
	uint32_t removal_wait_turns; // until it is tried again; meanwhile out of its class
	struct sl_index_builder
		*index_builder; // of a sealed segment that has no index yet, or NULL
	bool index_failed; // said, and none was written since
	uint32_t index_wait_turns; // until an index that could not be written is written again
	uint64_t synced_segment; // flushed by this thread: the last one for whose sake another went
};

struct sl_keeper {
	struct sl_keeper_config config;
	struct sl_kept_lane *lanes;
	uint32_t lane_count;
	pthread_t thread;
	bool is_running;
	void *zeros; // SL_KEEPER_FORMAT_BYTES
	uint64_t format_credit_bytes; // that may be written now
	uint64_t watch_due_ns; // the next look at the drives and at ages
	bool stop; // main lcore to thread
};

#define SL_KEEPER_WATCH_NS SL_NS_PER_S

// Gives each lane that has no spare its next one. Keeper thread.
void sl_keeper_keep_spare(struct sl_keeper *keeper, struct sl_kept_lane *kept);

// Bytes of all segments of a class, less sealed ones whose drive does not let them go. Keeper
// thread.
uint64_t sl_keeper_class_bytes(const struct sl_keeper *keeper, uint16_t class_index);

// The lane whose first sealed segment is the oldest of its class, or NULL. Keeper thread.
struct sl_kept_lane *sl_keeper_find_oldest(struct sl_keeper *keeper, uint16_t class_index);

// The lane whose first sealed segment may be born again on a drive: the oldest there, when no more
// segments of the class are older than the class's drives could recycle at once; else NULL, and the
// oldest expires by its name. A file cannot be moved to another drive. Keeper thread.
struct sl_kept_lane *sl_keeper_find_recyclable(
	struct sl_keeper *keeper, uint16_t class_index, uint16_t drive_index);

// Forgets a lane's first sealed segment: it was removed or recycled. Keeper thread.
void sl_keeper_forget_first(struct sl_kept_lane *kept);

// Removes the oldest sealed segments of each storage class that is over its retention_bytes. Once a
// turn: a lane whose drive does not let one go is left out for a second. Keeper thread.
void sl_keeper_expire(struct sl_keeper *keeper);

// Removes sealed segments whose last event is older than their class's retention_age_s at now_ns
// (CLOCK_REALTIME). Keeper thread.
void sl_keeper_expire_aged(struct sl_keeper *keeper, uint64_t now_ns);

// Removes indexes whose segments are gone, as a crash between the two removals leaves them. Keeper
// thread, once.
void sl_keeper_index_begin(struct sl_kept_lane *kept);

// Goes on with the index of one segment, or looks for the next one that has none. Keeper thread.
void sl_keeper_index(struct sl_keeper *keeper);

// Ends the building of this segment's index: it holds the readers' lock. Keeper thread.
void sl_keeper_index_drop(struct sl_kept_lane *kept, uint64_t segment);

// The same, and removes the index of a segment that was removed or recycled. Keeper thread.
void sl_keeper_index_forget(struct sl_kept_lane *kept, uint64_t segment);

// Looks at the room on each drive, publishes it, and says when its level changes. Keeper thread;
// once before it starts.
void sl_keeper_watch_drives(struct sl_keeper *keeper);

// 0 when the lane's drive has room for a birth of segment_bytes and the reserve; else -ENOSPC with
// err. Keeper thread.
int sl_keeper_check_room(
	const struct sl_keeper *keeper, const struct sl_kept_lane *kept, struct sl_err *err);
