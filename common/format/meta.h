/* SPDX-License-Identifier: BSD-3-Clause */
// store.meta and lane.meta: read, check and write, two alternating slots each (docs/format.md).
// Thread rule: main lcore at start and the keeper thread; never a polling lcore. Readers of other
// processes only read.
#pragma once

#include "base.h"
#include "err.h"
#include "format/log_format.h"

// The decoded store.meta. Tables are arrays owned by this struct.
struct sl_store_meta {
	struct sl_store_meta_header header; // counts are those of the tables
	struct sl_store_meta_class *classes;
	struct sl_store_meta_stream *streams;
	struct sl_store_meta_lane *lanes;
	struct sl_store_meta_partition *partitions;
	struct sl_store_meta_path paths[SL_STORE_PATH_COUNT_MAX]; // header.path_count of them
};

// How many paths the store lies on.
static inline uint32_t sl_store_meta_path_count(const struct sl_store_meta *meta)
{
	return SL_MAX(meta->header.path_count, (uint16_t)1);
}

// Reads STORE/store.meta, one path's copy: the valid slot of the higher generation. Returns 0;
// -ENOENT without a file; -EPROTO for an unknown version (never overwritten); -EBADMSG when no slot
// is valid; err is filled. The caller owns *meta, which is empty after an error.
int sl_store_meta_read(struct sl_store_meta *meta, const char *store_path, struct sl_err *err);

// Writes meta with generation + 1 into the slot of the lower generation, then fdatasync (and fsync
// of the directory when the file was created). Updates meta->header.generation. The other slot
// keeps its bytes, and is settled first, so a torn write leaves the old state.
int sl_store_meta_write(struct sl_store_meta *meta, const char *store_path, struct sl_err *err);

// One path of a store, for a write of all copies.
struct sl_store_meta_place {
	const char *path;
	uint16_t index; // path_index of the copy
};

// The same on several paths, in this order, all with one generation: above that of meta and of what
// is there. Returns 0, or the first path's error: then those before it have the new state, and its
// own copy may have it; the next write has a generation above it either way.
int sl_store_meta_write_all(struct sl_store_meta *meta, const struct sl_store_meta_place *places,
	uint32_t place_count, struct sl_err *err);

// The newest slot of a copy that is to be relied on, written again and flushed: who wrote it may
// have been killed before its flush, and a flush that failed has left it in doubt.
int sl_store_meta_settle(const char *store_path, struct sl_err *err);

// Resizes the tables to the counts given (new records zeroed, old ones kept) and sets the header's
// counts. -ENOMEM.
int sl_store_meta_resize(struct sl_store_meta *meta, uint32_t class_count, uint32_t stream_count,
	uint32_t lane_count, uint32_t partition_count);

void sl_store_meta_free(struct sl_store_meta *meta);

// The same for LANE_DIR/lane.meta.
int sl_lane_meta_read(struct sl_lane_meta *meta, const char *lane_path, struct sl_err *err);
int sl_lane_meta_write(struct sl_lane_meta *meta, const char *lane_path, struct sl_err *err);

// Both slots as they are, for checkers and repair.
enum sl_meta_slot_state {
	SL_META_SLOT_EMPTY,
	SL_META_SLOT_DAMAGED,
	SL_META_SLOT_UNKNOWN_VERSION,
	SL_META_SLOT_VALID,
};

// Judges the two slots of DIRECTORY/store.meta, or of DIRECTORY/lane.meta. Returns 0, -ENOENT
// without the file, or another negative errno with err filled.
int sl_store_meta_slots(
	enum sl_meta_slot_state states[2], const char *store_path, struct sl_err *err);
int sl_lane_meta_slots(
	enum sl_meta_slot_state states[2], const char *lane_path, struct sl_err *err);
