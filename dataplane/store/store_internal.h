/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the store. Nobody else includes this.
#pragma once

#include "store/store.h"

// Checks that the directories exist, are writable and take O_DIRECT; locks them; reads store.meta
// from all of them and takes the newest, or makes it in empty ones. Every path of the store is
// found or the start is refused.
int sl_store_open_directories(struct sl_store *store, struct sl_err *err);

// What a path of the configuration must be able to do, before anything is made in it. Returns 0 or
// a negative errno with err.
int sl_store_check_directory(const struct sl_config *config, const char *path, struct sl_err *err);

// Nothing in it but what a start that was killed may have left: 0, -ENOTEMPTY, or a negative errno.
int sl_store_check_empty(const char *path, struct sl_err *err);

// Takes the path's store.lock. Returns a file descriptor, or a negative errno with err.
int sl_store_lock_directory(const char *path, struct sl_err *err);

// Says which slots of DIRECTORY/NAME do not check, where the start goes on from the other one.
void sl_store_warn_of_slots(
	const char *directory, const char *name, const enum sl_meta_slot_state states[2]);

// A new identity. Returns 0 or a negative errno with err.
int sl_store_draw_salt(struct sl_store *store, struct sl_err *err);

// Writes store.meta to all paths that have not failed, in the order of their index.
int sl_store_write_meta(struct sl_store *store, struct sl_err *err);

// Removes what this start has made: lanes, metadata, lock. Only while it has the lock and no event
// was admitted. 0, or the negative errno of what cannot be removed, which is said; what is left
// then is a store that can be started.
int sl_store_remove(struct sl_store *store);

// Finds lanes for the partitions of those that ask for it. context is the store. Keeper thread,
// once a turn.
void sl_store_rehome(void *context);

// Two lanes of one worker and class.
bool sl_store_lanes_are_alike(const struct sl_store_lane *one, const struct sl_store_lane *other);

// Matches classes and streams of the configuration with those of the store by name; adds new ones.
int sl_store_match(struct sl_store *store, struct sl_err *err);

// Recovers all lanes of the store and sets every partition's next offset.
int sl_store_recover(struct sl_store *store, struct sl_err *err);

// Gives each partition its lane for this layout: moves raise the term; unneeded lanes lose their
// owner; new lanes are made.
int sl_store_arrange(
	struct sl_store *store, const uint8_t *worker_by_partition, struct sl_err *err);

// The lane of (worker, class, path): the one it had, else one of the class on the path that nobody
// owns, else a new one. NULL with err.
struct sl_store_lane *sl_store_find_lane(struct sl_store *store, uint16_t worker_index,
	uint16_t class_index, uint16_t path_index, struct sl_err *err);

// The lane that a partition lives in, NULL when it has none.
struct sl_store_lane *sl_store_lane_of(const struct sl_store *store, uint32_t partition);

// Appends a lane to the tables of the store and of its metadata. Returns it, or NULL when there are
// too many.
struct sl_store_lane *sl_store_add_lane(
	struct sl_store *store, uint16_t class_index, uint16_t path_index, struct sl_err *err);
