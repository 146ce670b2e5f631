/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_paths.h"

#include "format/segment_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_same_store(const struct sl_store_meta *meta, const struct sl_store_meta *other)
{
	return memcmp(meta->header.salt, other->header.salt, SL_SALT_BYTES) == 0;
}

static bool is_same_directory(const char *path, const char *other_path)
{
	struct stat status, other;

	return stat(path, &status) == 0 && stat(other_path, &other) == 0 &&
		status.st_dev == other.st_dev && status.st_ino == other.st_ino;
}

static int set_path(
	struct sl_store_paths *paths, uint32_t index, const char *path, struct sl_err *err)
{
	char *place = paths->paths[index];

	if (place[0] != '\0' && !is_same_directory(place, path))
		return sl_err_set(err, -EEXIST,
			"%s and %s are both path %u of the same store: one is a copy; name one of them",
			place, path, index);
	if (snprintf(place, SL_PATH_BYTES_MAX, "%s", path) >= SL_PATH_BYTES_MAX)
		return sl_err_set(err, -ENAMETOOLONG, "the store's path is longer than %d bytes",
			SL_PATH_BYTES_MAX - 1);
	return 0;
}

// Of two copies the one of the higher generation stays; the other is freed.
static void keep_newest(struct sl_store_meta *meta, struct sl_store_meta *other)
{
	struct sl_store_meta older = *other;

	if (other->header.generation > meta->header.generation) {
		older = *meta;
		*meta = *other;
	}
	sl_store_meta_free(&older);
}

static int read_first(struct sl_store_paths *paths, struct sl_store_meta *meta, const char *path,
	struct sl_err *err)
{
	int result = sl_store_meta_read(meta, path, err);

	if (result == -ENOENT)
		return sl_err_set(
			err, result, "%s holds no store: it has no " SL_STORE_META_NAME, path);
	return result < 0 ? result : set_path(paths, meta->header.path_index, path, err);
}

static int read_other(struct sl_store_paths *paths, struct sl_store_meta *meta, const char *path,
	const char *first_path, struct sl_err *err)
{
	struct sl_store_meta there;
	int result = sl_store_meta_read(&there, path, err);

	if (result == -ENOENT)
		sl_err_set(err, result, "%s holds no store: it has no " SL_STORE_META_NAME, path);
	if (result == 0 && !is_same_store(meta, &there))
		result = sl_err_set(err, -EXDEV,
			"%s belongs to another store than %s: name the paths of one store", path,
			first_path);
	if (result == 0)
		result = set_path(paths, there.header.path_index, path, err);
	if (result < 0)
		sl_store_meta_free(&there);
	else
		keep_newest(meta, &there);
	return result;
}

// A path that cannot be read is missing: whoever needs it says so.
static int find_recorded(
	struct sl_store_paths *paths, struct sl_store_meta *meta, struct sl_err *err)
{
	for (uint32_t i = 0; i < sl_store_meta_path_count(meta); i++) {
		char recorded[SL_PATH_BYTES_MAX];
		struct sl_store_meta there;
		int result;

		memcpy(recorded, meta->paths[i].path, sizeof(recorded));
		if (paths->paths[i][0] != '\0' || recorded[0] == '\0')
			continue;
		result = sl_store_meta_read(&there, recorded, NULL);
		if (result == -ENOMEM)
			return sl_err_set(err, result, "no memory for " SL_STORE_META_NAME);
		if (result != 0)
			continue;
		if (is_same_store(meta, &there) && there.header.path_index == i) {
			memcpy(paths->paths[i], recorded, sizeof(recorded));
			keep_newest(meta, &there);
		} else {
			sl_store_meta_free(&there);
		}
	}
	return 0;
}

int sl_store_paths_find(struct sl_store_paths *paths, struct sl_store_meta *meta,
	const char *const *given, uint32_t given_count, struct sl_err *err)
{
	uint32_t first_index;
	int result;

	*paths = (struct sl_store_paths){0};
	result = read_first(paths, meta, given[0], err);
	first_index = meta->header.path_index;
	for (uint32_t i = 1; result == 0 && i < given_count; i++)
		result = read_other(paths, meta, given[i], given[0], err);
	if (result == 0 && is_same_directory(given[0], meta->paths[first_index].path))
		result = find_recorded(paths, meta, err);
	if (result < 0)
		sl_store_meta_free(meta);
	else
		paths->count = sl_store_meta_path_count(meta);
	return result;
}

int sl_store_paths_lane(const struct sl_store_paths *paths, const struct sl_store_meta *meta,
	uint16_t lane, char *path, struct sl_err *err)
{
	for (uint32_t i = 0; i < meta->header.lane_count; i++) {
		uint16_t index = meta->lanes[i].path_index;

		if (meta->lanes[i].lane != lane)
			continue;
		if (index < paths->count && paths->paths[index][0] != '\0')
			return sl_lane_path(path, paths->paths[index], lane, err);
		return sl_err_set(err, -ENODEV,
			"lane %u lies on path %u of the store, which is not here (it was %s): mount it, or name where it is",
			lane, index,
			index < paths->count && meta->paths[index].path[0] != '\0'
				? meta->paths[index].path
				: "not recorded");
	}
	return sl_err_set(err, -ENOENT, SL_STORE_META_NAME " names no lane %u", lane);
}
