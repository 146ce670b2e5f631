/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the store. Nobody else includes this.
#pragma once

#include "store/store.h"

// Checks that the directory exists, is writable and takes O_DIRECT; locks it; reads store.meta, or
// makes one in an empty directory.
int sl_store_open_directory(struct sl_store *store, struct sl_err *err);

// Removes what this start has made: lanes, metadata, lock. Only while it has the lock and no event
// was admitted. 0, or the negative errno of what cannot be removed, which is said; what is left
// then is a store that can be started.
int sl_store_remove(struct sl_store *store);

// Matches classes and streams of the configuration with those of the store by name; adds new ones.
int sl_store_match(struct sl_store *store, struct sl_err *err);

// Recovers all lanes of the store and sets every partition's next offset.
int sl_store_recover(struct sl_store *store, struct sl_err *err);

// Gives each partition its lane for this layout: moves raise the term; unneeded lanes lose their
// owner; new lanes are made.
int sl_store_arrange(
	struct sl_store *store, const uint8_t *worker_by_partition, struct sl_err *err);

// Appends a lane to the tables of the store and of its metadata. Returns it, or NULL when there are
// too many.
struct sl_store_lane *sl_store_add_lane(
	struct sl_store *store, uint16_t class_index, struct sl_err *err);
