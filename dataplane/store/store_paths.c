/* SPDX-License-Identifier: BSD-3-Clause */
// The paths of a store: each has a copy of store.meta that says which one it is. The newest copy
// counts; a path that is new gets its copy before the others know of it, so that a start that is
// killed can be repeated.
#include "format/segment_list.h"
#include "log.h"
#include "store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

// One path of the configuration, while it is found out what it is.
struct candidate {
	const char *path;
	int lock_fd;
	bool has_copy; // and no new one
	struct sl_store_meta meta;
};

struct search {
	struct candidate candidates[SL_STORE_PATH_COUNT_MAX];
	uint32_t count;
};

static bool has_meta(const char *directory)
{
	char path[SL_PATH_BYTES_MAX + sizeof(SL_STORE_META_NAME) + 1];

	snprintf(path, sizeof(path), "%s/%s", directory, SL_STORE_META_NAME);
	return access(path, F_OK) == 0;
}

// Two names of one directory would be two paths on one drive, and deadlock on its lock.
static int check_distinct(
	const struct sl_config *config, const struct search *search, struct sl_err *err)
{
	struct stat status[SL_STORE_PATH_COUNT_MAX];

	for (uint32_t i = 0; i < search->count; i++) {
		if (stat(search->candidates[i].path, &status[i]) != 0)
			return sl_err_set(err, -errno, "cannot examine %s: %s",
				search->candidates[i].path, strerror(errno));
		for (uint32_t j = 0; j < i; j++) {
			if (status[i].st_dev == status[j].st_dev &&
				status[i].st_ino == status[j].st_ino)
				return sl_err_set(err, -EINVAL,
					"%s:%u: store.paths: '%s' and '%s' are the same directory; name each once",
					config->path, config->store.line,
					search->candidates[j].path, search->candidates[i].path);
		}
	}
	return 0;
}

static int check_directories(
	const struct sl_config *config, struct search *search, struct sl_err *err)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < config->store.path_count; i++) {
		const char *path = config->store.paths[i];

		if (config->store.is_degraded && access(path, F_OK) != 0)
			continue;
		result = sl_store_check_directory(config, path, err);
		// Before the lock: a directory that is somebody else's is left as it was.
		if (result == 0 && !has_meta(path))
			result = sl_store_check_empty(path, err);
		search->candidates[search->count++] =
			(struct candidate){.path = path, .lock_fd = -1};
	}
	if (result == 0 && search->count == 0)
		return sl_err_set(err, -ENOENT,
			"%s:%u: store.paths: none of them is there; a degraded start needs one",
			config->path, config->store.line);
	return result == 0 ? check_distinct(config, search, err) : result;
}

static int read_copy(struct candidate *candidate, struct sl_err *err)
{
	enum sl_meta_slot_state states[2];
	int result = sl_store_meta_read(&candidate->meta, candidate->path, err);

	candidate->has_copy = result == 0;
	if (candidate->has_copy && sl_store_meta_slots(states, candidate->path, NULL) == 0)
		sl_store_warn_of_slots(candidate->path, SL_STORE_META_NAME, states);
	// Killed while it was being made: no slot is right, and nothing else is there.
	if (result == -ENOENT ||
		(result == -EBADMSG && sl_store_check_empty(candidate->path, NULL) == 0))
		return 0;
	return result;
}

static int lock_and_read(struct search *search, struct sl_err *err)
{
	for (uint32_t i = 0; i < search->count; i++) {
		struct candidate *candidate = &search->candidates[i];

		candidate->lock_fd = sl_store_lock_directory(candidate->path, err);
		if (candidate->lock_fd < 0 || read_copy(candidate, err) != 0)
			return err->code;
	}
	return 0;
}

static struct candidate *find_newest(struct search *search)
{
	struct candidate *newest = NULL;

	for (uint32_t i = 0; i < search->count; i++) {
		struct candidate *candidate = &search->candidates[i];

		if (candidate->has_copy &&
			(newest == NULL ||
				candidate->meta.header.generation > newest->meta.header.generation))
			newest = candidate;
	}
	return newest;
}

static void take_path(struct sl_store *store, uint32_t index, struct candidate *candidate)
{
	store->paths[index] =
		(struct sl_store_path){.path = candidate->path, .lock_fd = candidate->lock_fd};
	candidate->lock_fd = -1;
}

static bool is_counted(const struct candidate *candidate, const struct candidate *newest)
{
	return memcmp(candidate->meta.header.salt, newest->meta.header.salt, SL_SALT_BYTES) == 0 &&
		candidate->meta.header.path_index < sl_store_meta_path_count(&newest->meta);
}

static bool holds_segments(const char *directory)
{
	bool holds = false;

	for (uint32_t lane = 0; !holds && lane < SL_LANE_COUNT_MAX; lane++) {
		struct sl_segment_list list;
		char path[SL_PATH_BYTES_MAX];

		if (sl_lane_path(path, directory, (uint16_t)lane, NULL) < 0 ||
			sl_segment_list_read(&list, path, NULL) < 0)
			continue;
		holds = list.count > 0;
		sl_segment_list_free(&list);
	}
	return holds;
}

// Of a first start that was taken back halfway: it names no lanes, there is nothing in any, and the
// store that is there now does not count it.
static bool is_left_over(const struct candidate *candidate, const struct candidate *newest)
{
	return candidate->meta.header.lane_count == 0 && !is_counted(candidate, newest) &&
		!holds_segments(candidate->path);
}

static int take_copies(struct sl_store *store, struct search *search,
	const struct candidate *newest, struct sl_err *err)
{
	const struct sl_store_meta_header *header = &newest->meta.header;

	for (uint32_t i = 0; i < search->count; i++) {
		struct candidate *candidate = &search->candidates[i];
		uint16_t index = candidate->meta.header.path_index;

		if (candidate->has_copy && is_left_over(candidate, newest))
			candidate->has_copy = false;
		if (!candidate->has_copy)
			continue;
		if (memcmp(candidate->meta.header.salt, header->salt, SL_SALT_BYTES) != 0)
			return sl_err_set(err, -EXDEV,
				"%s:%u: store.paths: '%s' belongs to another store than '%s'; name the paths of one store",
				store->config->path, store->config->store.line, candidate->path,
				newest->path);
		if (index >= sl_store_meta_path_count(&newest->meta) ||
			store->paths[index].path != NULL)
			return sl_err_set(err, -EEXIST,
				"%s:%u: store.paths: '%s' is path %u of the store as '%s' is: one of them is a copy; name the other only",
				store->config->path, store->config->store.line, candidate->path,
				index,
				store->paths[index].path != NULL ? store->paths[index].path
								 : newest->path);
		take_path(store, index, candidate);
	}
	return 0;
}

// More writes than a path that is missing now can have had alone.
#define GENERATION_JUMP (1ull << 32)

static int check_all_found(struct sl_store *store, struct sl_err *err)
{
	for (uint32_t i = 0; i < store->path_count; i++) {
		const char *recorded = store->meta.paths[i].path;

		if (store->paths[i].path != NULL)
			continue;
		if (!store->config->store.is_degraded)
			return sl_err_set(err, -ENODEV,
				"%s:%u: store.paths: path %u of the store, last at '%s', is not there; mount its drive, name where it is now, or start with --degraded and without what is on it",
				store->config->path, store->config->store.line, i, recorded);
		sl_log_warning(
			"store", "path %u of the store, last at %s, is missing", i, recorded);
		if ((store->meta.header.stale_paths & 1u << i) == 0)
			store->is_outdated = true;
	}
	// What a missing copy says is older than this start: it must not win when it is back.
	if (store->is_outdated)
		store->meta.header.generation += GENERATION_JUMP;
	return 0;
}

static void record_path(struct sl_store *store, uint32_t index)
{
	if (store->paths[index].path == NULL)
		return;
	snprintf(store->meta.paths[index].path, sizeof(store->meta.paths[index].path), "%s",
		store->paths[index].path);
}

int sl_store_write_meta(struct sl_store *store, struct sl_err *err)
{
	struct sl_store_meta_place places[SL_STORE_PATH_COUNT_MAX];
	uint32_t count = 0;

	store->meta.header.stale_paths = 0;
	for (uint32_t i = 0; i < store->path_count; i++) {
		// One that has failed may take writes again, and be ahead of this copy then.
		if (store->paths[i].path == NULL)
			store->meta.header.stale_paths |= (uint16_t)(1u << i);
		if (store->paths[i].path != NULL && !store->paths[i].is_failed)
			places[count++] = (struct sl_store_meta_place){
				.path = store->paths[i].path, .index = (uint16_t)i};
	}
	return sl_store_meta_write_all(&store->meta, places, count, err);
}

// The new path's copy is there before another one counts it: one that cannot be written is not.
static int add_path(struct sl_store *store, struct candidate *candidate, struct sl_err *err)
{
	uint32_t index = store->path_count;
	uint16_t path_count = store->meta.header.path_count;
	int result;

	if (index == SL_STORE_PATH_COUNT_MAX)
		return sl_err_set(err, -ENOSPC,
			"%s:%u: store.paths: the store has %u paths already, the most there may be; '%s' cannot be added",
			store->config->path, store->config->store.line, index, candidate->path);
	take_path(store, index, candidate);
	record_path(store, index);
	sl_log_notice("store", "new path %u of the store: %s", index, store->paths[index].path);
	store->meta.header.path_count = (uint16_t)(index + 1);
	store->meta.header.path_index = (uint16_t)index;
	result = sl_store_meta_write(&store->meta, store->paths[index].path, err);
	if (result != 0) {
		store->meta.header.path_count = path_count;
		return result;
	}
	store->path_count++;
	return index > 0 ? sl_store_write_meta(store, err) : 0;
}

// A directory that is empty because the drive that belongs there is missing.
static bool is_place_of_missing(const struct sl_store *store, const struct candidate *candidate)
{
	for (uint32_t i = 0; i < store->path_count; i++) {
		if (store->paths[i].path == NULL &&
			strcmp(store->meta.paths[i].path, candidate->path) == 0)
			return true;
	}
	return false;
}

static int add_paths(struct sl_store *store, struct search *search, struct sl_err *err)
{
	for (uint32_t i = 0; i < search->count; i++) {
		if (!search->candidates[i].has_copy &&
			!is_place_of_missing(store, &search->candidates[i]) &&
			add_path(store, &search->candidates[i], err) != 0)
			return err->code;
	}
	return 0;
}

int sl_store_draw_salt(struct sl_store *store, struct sl_err *err)
{
	if (getrandom(store->meta.header.salt, SL_SALT_BYTES, 0) != SL_SALT_BYTES)
		return sl_err_set(err, -EIO, "no random bytes for the store's salt");
	return 0;
}

static int create_store(struct sl_store *store, struct sl_err *err)
{
	store->meta.header.segment_bytes = store->config->store.segment_bytes;
	if (sl_store_draw_salt(store, err) != 0)
		return err->code;
	store->is_new = true;
	sl_log_notice("store", "new store in %s", store->config->store.paths[0]);
	return 0;
}

static int open_found(struct sl_store *store, struct search *search, struct sl_err *err)
{
	struct candidate *newest = find_newest(search);
	int result;

	if (newest == NULL)
		return create_store(store, err);
	result = take_copies(store, search, newest, err);
	if (result == 0)
		result = sl_store_meta_settle(newest->path, err);
	if (result != 0)
		return result;
	store->meta = newest->meta;
	newest->meta = (struct sl_store_meta){0};
	store->path_count = sl_store_meta_path_count(&store->meta);
	store->meta.header.path_count = (uint16_t)store->path_count;
	result = check_all_found(store, err);
	for (uint32_t i = 0; result == 0 && i < store->path_count; i++)
		record_path(store, i);
	return result;
}

static void end_search(struct search *search)
{
	for (uint32_t i = 0; i < search->count; i++) {
		sl_store_meta_free(&search->candidates[i].meta);
		if (search->candidates[i].lock_fd >= 0)
			close(search->candidates[i].lock_fd);
	}
	free(search);
}

int sl_store_open_directories(struct sl_store *store, struct sl_err *err)
{
	struct search *search = calloc(1, sizeof(*search));
	int result;

	if (search == NULL)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	result = check_directories(store->config, search, err);
	if (result == 0)
		result = lock_and_read(search, err);
	if (result == 0)
		result = open_found(store, search, err);
	if (result == 0)
		result = add_paths(store, search, err);
	end_search(search);
	return result;
}
