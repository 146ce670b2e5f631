/* SPDX-License-Identifier: BSD-3-Clause */
// Where a store lies: one directory or several, each with a copy of store.meta that says which path
// of the store it is. Thread rule: any one thread; reads only.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "format/meta.h"

struct sl_store_paths {
	uint32_t count; // of the store
	char paths[SL_STORE_PATH_COUNT_MAX][SL_PATH_BYTES_MAX]; // by path index; "" is not here
};

// Finds all paths of the store at given[0], and reads its metadata: the copy of the highest
// generation. Paths that are not given are looked for where the metadata says that they were, if
// the one that is given lies where it says that it was: a copy of a store is never mixed with the
// original. Returns 0, also when paths are not here; -ENOENT when given[0] holds no store, -EXDEV
// when another of those given belongs to another store, -EEXIST when two are the same path of the
// store, or what sl_store_meta_read returns; err is filled. The caller owns *meta.
int sl_store_paths_find(struct sl_store_paths *paths, struct sl_store_meta *meta,
	const char *const *given, uint32_t given_count, struct sl_err *err);

// The folder of a lane, into path[SL_PATH_BYTES_MAX]. Returns 0; -ENODEV when its path is not here;
// -ENOENT when the metadata do not name the lane; err is filled.
int sl_store_paths_lane(const struct sl_store_paths *paths, const struct sl_store_meta *meta,
	uint16_t lane, char *path, struct sl_err *err);
