/* SPDX-License-Identifier: BSD-3-Clause */
// Lanes for this start's workers, classes and paths: those that are there, and new ones.
#include "format/segment_list.h"
#include "log.h"
#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_lane_directory(
	const struct sl_store *store, const struct sl_store_lane *lane, struct sl_err *err)
{
	const char *store_path = store->paths[lane->path_index].path;
	int fd;

	// It may be there from a start that did not get as far as store.meta.
	if (mkdir(lane->path, 0750) != 0 && errno != EEXIST)
		return sl_err_set(err, -errno, "cannot make %s: %s", lane->path, strerror(errno));
	fd = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return sl_err_set(err, -error, "cannot flush the directory %s: %s", store_path,
			strerror(error));
	}
	close(fd);
	return 0;
}

static int read_epoch(uint64_t *epoch, const char *lane_path, struct sl_err *err)
{
	struct sl_lane_meta meta;
	int result = sl_lane_meta_read(&meta, lane_path, err);

	*epoch = result == 0 ? meta.epoch : 0;
	return result == -ENOENT || result == -EBADMSG ? 0 : result;
}

// A first start that was taken back halfway may have left a lane of this number on another path.
// Its epochs are not used again, wherever it lies now.
static int go_on_from_epochs_left(
	const struct sl_store *store, const struct sl_store_lane *lane, struct sl_err *err)
{
	struct sl_lane_meta meta = {
		.lane = lane->number, .class_index = store->meta_index_by_class[lane->class_index]};
	uint64_t own;
	int result = read_epoch(&own, lane->path, err);

	for (uint32_t i = 0; result == 0 && i < store->path_count; i++) {
		char path[SL_PATH_BYTES_MAX];
		uint64_t epoch = 0;

		if (store->paths[i].path == NULL || i == lane->path_index)
			continue;
		result = sl_lane_path(path, store->paths[i].path, lane->number, err);
		if (result == 0)
			result = read_epoch(&epoch, path, err);
		meta.epoch = SL_MAX(meta.epoch, epoch);
	}
	if (result == 0 && meta.epoch > own)
		result = sl_lane_meta_write(&meta, lane->path, err);
	return result;
}

struct sl_store_lane *sl_store_add_lane(
	struct sl_store *store, uint16_t class_index, uint16_t path_index, struct sl_err *err)
{
	struct sl_store_meta_header *header = &store->meta.header;
	struct sl_store_lane *lane;

	if (store->lane_count == SL_LANE_COUNT_MAX) {
		sl_err_set(err, -ENOSPC,
			"the store %s has %u lanes already, the most there may be; use fewer workers, classes or paths",
			sl_store_name(store), SL_LANE_COUNT_MAX);
		return NULL;
	}
	if (sl_store_meta_resize(&store->meta, header->class_count, header->stream_count,
		    header->lane_count + 1, header->partition_count) != 0) {
		sl_err_set(err, -ENOMEM, "store: out of memory");
		return NULL;
	}
	lane = &store->lanes[store->lane_count];
	*lane = (struct sl_store_lane){
		.number = (uint16_t)store->lane_count,
		.meta_index = (uint16_t)(header->lane_count - 1),
		.class_index = class_index,
		.path_index = path_index,
	};
	snprintf(lane->path, sizeof(lane->path), "%s/" SL_LANE_DIR_FORMAT,
		store->paths[path_index].path, lane->number);
	store->meta.lanes[lane->meta_index] = (struct sl_store_meta_lane){
		.lane = lane->number,
		.class_index = store->meta_index_by_class[class_index],
		.worker_index = SL_LANE_NONE,
		.path_index = path_index,
	};
	if (make_lane_directory(store, lane, err) != 0 ||
		go_on_from_epochs_left(store, lane, err) != 0 ||
		sl_lane_recover(&lane->recovery, lane->path, lane->number,
			store->meta_index_by_class[class_index], store->salt_crc, err) != 0)
		return NULL;
	store->lane_count++;
	return lane;
}

struct sl_store_lane *sl_store_find_lane(struct sl_store *store, uint16_t worker_index,
	uint16_t class_index, uint16_t path_index, struct sl_err *err)
{
	struct sl_store_lane *vacant = NULL;

	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		if (lane->class_index != class_index || lane->path_index != path_index)
			continue;
		if (lane->worker_index == worker_index)
			return lane;
		if (lane->worker_index == SL_LANE_NONE && vacant == NULL)
			vacant = lane;
	}
	if (vacant == NULL)
		vacant = sl_store_add_lane(store, class_index, path_index, err);
	if (vacant != NULL)
		vacant->worker_index = worker_index;
	return vacant;
}

struct sl_store_lane *sl_store_lane_of(const struct sl_store *store, uint32_t partition)
{
	uint16_t number = store->meta.partitions[partition].lane;

	for (uint32_t i = 0; number != SL_LANE_NONE && i < store->lane_count; i++) {
		// In order of their numbers, but for a store.meta that somebody else has written.
		uint32_t index = (number + i) % store->lane_count;

		if (store->lanes[index].number == number)
			return &store->lanes[index];
	}
	return NULL;
}
