/* SPDX-License-Identifier: BSD-3-Clause */
// The store of an appliance: its directory, its metadata, its lanes. Opening recovers every lane
// and joins them by terms; starting gives lanes their memory and writes their first batches. Thread
// rule: main lcore; between sl_store_start and sl_store_stop the lanes belong to their workers and
// to the keeper.
#pragma once

#include "base.h"
#include "bounds.h"
#include "config/config.h"
#include "err.h"
#include "format/meta.h"
#include "partition.h"
#include "shm.h"
#include "store/breaker.h"
#include "store/keeper.h"
#include "store/lane.h"
#include "store/recovery.h"

#include <sys/uio.h>

// One path of the store: a directory, on a drive of its own.
struct sl_store_path {
	const char *path; // of the configuration; NULL: missing, and the start is a degraded one
	int lock_fd;
	// Its metadata is written no more: set by who finds that the drive has failed.
	bool is_failed;
};

// A lane that some worker writes, or one without an owner that only expires.
struct sl_store_lane {
	uint16_t number;
	uint16_t meta_index; // of meta.lanes
	uint16_t class_index; // of the configuration; SL_CLASS_NONE when it names the class no more
	uint16_t worker_index; // SL_LANE_NONE: ownerless
	uint16_t path_index; // of the store's paths
	uint8_t slot; // of its worker's lanes: what partitions name by lane_slot
	uint16_t *owned; // partitions, into store->owned
	// How many it may come to own: all that its worker has of its class.
	uint32_t owned_count, owned_capacity;
	char path[SL_PATH_BYTES_MAX];
	struct sl_lane_recovery recovery;
	struct sl_lane lane; // live ones only
	void *memory; // of its batches
	bool lacks_ledger; // the last one posted: it had not written the one before
	// Written by the keeper (rehome.c).
	struct sl_lane_move *moves; // of its partitions, to another lane
	uint32_t leave_failure_count; // times in a row that they could not be written
	uint64_t leave_wait_turns; // until it is tried again
};

// A lane on a path that is missing has no folder here: it is neither recovered nor kept.
static inline bool sl_store_lane_is_missing(const struct sl_store_lane *lane)
{
	return lane->path[0] == '\0';
}

#define SL_CLASS_NONE 0xffffu

struct sl_store {
	const struct sl_config *config;
	struct sl_store_path paths[SL_STORE_PATH_COUNT_MAX]; // by path index of store.meta
	uint32_t path_count;
	struct sl_store_meta meta;
	// A path is missing that store.meta may have been written to since it was on those that are
	// here: newer terms than these may be there.
	bool is_outdated;
	uint32_t salt_crc;
	uint16_t meta_index_by_stream[SL_STREAM_COUNT_MAX]; // of the configuration's streams
	uint16_t meta_index_by_class[SL_CLASS_COUNT_MAX]; // of the configuration's classes
	struct sl_partition *partitions; // partition_count of them, by number
	uint16_t *owned; // partition numbers, grouped by lane
	struct sl_store_lane *lanes;
	uint32_t lane_count;
	struct sl_breaker breakers[SL_STORE_PATH_COUNT_MAX]; // by path index
	struct sl_keeper *keeper;
	bool is_new; // made by this start, which is not through yet
	bool is_stopped;
};

// Opens or creates the store at config->store.paths, recovers its lanes, fits it to the
// configuration and worker_by_partition (which it calls for once the streams' partitions are
// known), and writes store.meta. Nothing is admitted yet. Returns 0; -EUCLEAN when a lane is
// CORRUPT; another negative errno with err. Then sl_store_close is still legal.
typedef void (*sl_store_deal)(void *context, const struct sl_store *store);
int sl_store_open(struct sl_store *store, const struct sl_config *config, sl_store_deal deal,
	void *deal_context, const uint8_t *worker_by_partition, struct sl_err *err);

// Fills meta and the indexes into it with what sl_store_open() will come to, from what is there:
// nothing is locked, made or said, and copies that cannot be read are left to the start. Without a
// store, with a new one's. Returns 0, then the caller frees store->meta; or a negative errno with
// err when the configuration does not fit the store.
int sl_store_foresee(struct sl_store *store, const struct sl_config *config, struct sl_err *err);

// A path of the store that is here, for messages.
static inline const char *sl_store_name(const struct sl_store *store)
{
	for (uint32_t i = 0; i < store->path_count; i++) {
		if (store->paths[i].path != NULL)
			return store->paths[i].path;
	}
	return "(none)";
}

static inline bool sl_store_has_missing(const struct sl_store *store)
{
	bool has_missing = false;

	for (uint32_t i = 0; i < store->path_count; i++)
		has_missing |= store->paths[i].path == NULL;
	return has_missing;
}

struct sl_store_start {
	struct sl_shm *shm;
	struct sl_worker_counters *counters_by_worker[SL_LCORE_COUNT_MAX];
	void *(*allocate)(
		uint64_t bytes); // block-aligned memory for batches; NULL when there is none
	const void *ledger; // that each lane begins with; NULL: none
	uint32_t ledger_bytes;
};

// Gives each live lane its memory and its segment, writes checkpoint or epoch start, starts the
// keeper. Fills the lanes' part of the shared memory.
int sl_store_start(struct sl_store *store, const struct sl_store_start *start, struct sl_err *err);

// Writes the moves into store.meta, on all paths that have not failed: from then on, and not
// before, the partitions may go on in their new lanes; nothing is written of them meanwhile. Keeper
// thread while the lanes are at work; the partitions' states and the lanes' lists are the worker's
// to change. Returns 0, or a negative errno with err: then some copy may have the new terms, which
// void what the old ones hold from there on, so that the partitions may go on in neither lane;
// meta.header.path_index is that of the copy that could not be written.
int sl_store_write_moves(struct sl_store *store, const struct sl_lane_move *moves,
	uint32_t move_count, struct sl_err *err);

// Gives each lane a ledger to write. Main lcore.
void sl_store_post_ledger(struct sl_store *store, const void *record, uint32_t bytes);

// The same one again, for those that have not written the one before it when it was posted.
void sl_store_repost_ledger(struct sl_store *store, const void *record, uint32_t bytes);

// The ledger that sl_store_stop() ends each lane with. Main lcore, after all workers have returned.
void sl_store_set_last_ledger(struct sl_store *store, const void *record, uint32_t bytes);

// After all workers have returned: seals what is full, ends every lane cleanly, stops the keeper.
// Returns 0, or a negative errno of the first lane that could not be ended (err says which); lanes
// that have failed before are not counted.
int sl_store_stop(struct sl_store *store, struct sl_err *err);

// The start is through: what it has made stays.
void sl_store_keep(struct sl_store *store);

// Frees everything, closes the lock. A store that this start has made, without coming through and
// without having taken an event, is removed again. Legal on a zeroed store and after a failed open.
void sl_store_close(struct sl_store *store, void (*release)(void *memory));
