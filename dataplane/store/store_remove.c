/* SPDX-License-Identifier: BSD-3-Clause */
// Taking back a store that a start has made and that never came to take events.
#include "log.h"
#include "store/segment_internal.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int remove_file(const char *folder, const char *name)
{
	char path[2 * SL_PATH_BYTES_MAX];
	int result = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (unlink(path) != 0 && errno != ENOENT) {
		result = -errno;
		sl_log_warning("store", "cannot remove %s: %s", path, strerror(errno));
	}
	return result;
}

// All that a lane's folder holds, but keep; and that is on the drive.
static int empty_lane(const char *lane_path, const char *keep)
{
	DIR *directory = opendir(lane_path);
	const struct dirent *entry;
	struct sl_err err = {0};
	int result = 0;

	if (directory == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (result == 0 && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, keep) != 0)
			result = remove_file(lane_path, entry->d_name);
	}
	closedir(directory);
	if (result == 0)
		result = sl_segment_sync_directory(lane_path, &err);
	return result;
}

static int remove_folder(const char *lane_path)
{
	int result = empty_lane(lane_path, "");

	if (result == 0 && rmdir(lane_path) != 0 && errno != ENOENT)
		result = -errno;
	if (result != 0)
		sl_log_warning("store", "cannot remove %s: %s", lane_path, strerror(-result));
	return result;
}

static bool was_made(const struct sl_store *store, uint32_t index)
{
	// Also the one that got no further than its folder.
	return store->lanes != NULL && store->lanes[index].path[0] != '\0';
}

static int remove_folders(struct sl_store *store, uint16_t path_index)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < SL_LANE_COUNT_MAX; i++) {
		if (was_made(store, i) && store->lanes[i].path_index == path_index)
			result = remove_folder(store->lanes[i].path);
	}
	return result;
}

// On the drive before another path's copy goes.
static int remove_path(struct sl_store *store, uint16_t path_index)
{
	const char *path = store->paths[path_index].path;
	struct sl_err err = {0};
	int result = remove_folders(store, path_index);

	if (result == 0)
		result = sl_segment_sync_directory(path, &err);
	if (result == 0)
		result = remove_file(path, SL_STORE_META_NAME);
	if (result == 0)
		result = remove_file(path, SL_STORE_LOCK_NAME);
	return result == 0 ? sl_segment_sync_directory(path, &err) : result;
}

// The one whose copy could not be written: it may be there all the same.
static int remove_uncounted_path(struct sl_store *store)
{
	uint32_t index = store->path_count;

	if (index == SL_STORE_PATH_COUNT_MAX || store->paths[index].path == NULL)
		return 0;
	return remove_path(store, (uint16_t)index);
}

static int empty_lanes(struct sl_store *store)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < SL_LANE_COUNT_MAX; i++) {
		if (was_made(store, i))
			result = empty_lane(store->lanes[i].path, SL_LANE_META_NAME);
	}
	return result;
}

// Another store from here on, for the epochs of its lanes begin again; on the first path alone, so
// that what is left on the others, which name no lanes and hold no segments, is new to a next
// start.
static int forget_other_paths(struct sl_store *store)
{
	struct sl_err err = {0};
	int result = sl_store_draw_salt(store, &err);

	store->meta.header.path_count = 1;
	store->meta.header.path_index = 0;
	return result == 0 ? sl_store_meta_write(&store->meta, store->paths[0].path, &err) : result;
}

static int forget_lanes(struct sl_store *store)
{
	struct sl_err err = {0};
	int result = empty_lanes(store);

	if (result == 0)
		result = sl_store_meta_resize(&store->meta, 0, 0, 0, 0);
	return result == 0 ? sl_store_write_meta(store, &err) : result;
}

static int forget(struct sl_store *store)
{
	int result = forget_lanes(store);

	if (result == 0)
		result = forget_other_paths(store);
	// A full disk is why it is taken back, and takes no other store.meta: on the only path it
	// goes as it is, for there are no others to tell, and the lanes it may name are empty.
	return (result == -ENOSPC || result == -EDQUOT) && store->path_count == 1 ? 0 : result;
}

// Each step leaves a store that can be started, so that a failure, a kill or a power cut in between
// harms nothing: lanes without segments, copies of store.meta that name no lanes, one of them that
// counts itself alone and has the highest generation, folders that it does not name and that hold
// no segments, and nothing. Each is on the drive before the next is begun.
int sl_store_remove(struct sl_store *store)
{
	int result = remove_uncounted_path(store);

	if (result == 0 && store->path_count > 0)
		result = forget(store);
	for (uint32_t i = store->path_count; result == 0 && i-- > 0;)
		result = remove_path(store, (uint16_t)i);
	if (result != 0)
		sl_log_warning("store",
			"the new store in %s could not be taken back (%s): it holds no events, and the next start goes on in it",
			store->paths[0].path, strerror(-result));
	return result;
}
