/* SPDX-License-Identifier: BSD-3-Clause */
// Which partition lives in which lane, for this start's workers and classes. A partition that moves
// gets a new term; a lane that nobody needs loses its owner.
#include "fault.h"
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
	int fd;

	// It may be there from a start that did not get as far as store.meta.
	if (mkdir(lane->path, 0750) != 0 && errno != EEXIST)
		return sl_err_set(err, -errno, "cannot make %s: %s", lane->path, strerror(errno));
	fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return sl_err_set(err, -error, "cannot flush the directory %s: %s", store->path,
			strerror(error));
	}
	close(fd);
	return 0;
}

struct sl_store_lane *sl_store_add_lane(
	struct sl_store *store, uint16_t class_index, struct sl_err *err)
{
	struct sl_store_meta_header *header = &store->meta.header;
	struct sl_store_lane *lane;

	if (store->lane_count == SL_LANE_COUNT_MAX) {
		sl_err_set(err, -ENOSPC,
			"the store %s has %u lanes already, the most there may be; use fewer workers or classes",
			store->path, SL_LANE_COUNT_MAX);
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
	};
	snprintf(lane->path, sizeof(lane->path), "%s/" SL_LANE_DIR_FORMAT, store->path,
		lane->number);
	store->meta.lanes[lane->meta_index] = (struct sl_store_meta_lane){
		.lane = lane->number,
		.class_index = store->meta_index_by_class[class_index],
		.worker_index = SL_LANE_NONE,
	};
	if (make_lane_directory(store, lane, err) != 0 ||
		sl_lane_recover(&lane->recovery, lane->path, lane->number,
			store->meta_index_by_class[class_index], store->salt_crc, err) != 0)
		return NULL;
	store->lane_count++;
	return lane;
}

// The lane of (worker, class): the one it had, else one of the class that nobody owns, else a new
// one.
static struct sl_store_lane *find_lane(
	struct sl_store *store, uint16_t worker_index, uint16_t class_index, struct sl_err *err)
{
	struct sl_store_lane *vacant = NULL;

	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		if (lane->class_index != class_index)
			continue;
		if (lane->worker_index == worker_index)
			return lane;
		if (lane->worker_index == SL_LANE_NONE && vacant == NULL)
			vacant = lane;
	}
	if (vacant == NULL)
		vacant = sl_store_add_lane(store, class_index, err);
	if (vacant != NULL)
		vacant->worker_index = worker_index;
	return vacant;
}

// Lanes that no worker of this start needs lose their owner; so does a worker's second lane of a
// class, whoever wrote it into store.meta. Clears what it has found a lane for.
static void disown_surplus_lanes(
	struct sl_store *store, bool needed[SL_LCORE_COUNT_MAX][SL_CLASS_COUNT_MAX])
{
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		if (lane->class_index != SL_CLASS_NONE && lane->worker_index < SL_LCORE_COUNT_MAX &&
			needed[lane->worker_index][lane->class_index])
			needed[lane->worker_index][lane->class_index] = false;
		else
			lane->worker_index = SL_LANE_NONE;
	}
}

// The class of the configuration that a partition belongs to; SL_CLASS_NONE when it is gone from
// the configuration.
static void classify_partitions(const struct sl_store *store, uint16_t *class_by_partition)
{
	for (uint32_t s = 0; s < store->meta.header.stream_count; s++) {
		const struct sl_store_meta_stream *stream = &store->meta.streams[s];
		uint16_t class_index = SL_CLASS_NONE;

		for (uint32_t c = 0; c < store->config->class_count; c++) {
			if (store->meta_index_by_class[c] == stream->class_index)
				class_index = (uint16_t)c;
		}
		for (uint32_t p = 0; p < stream->partition_count; p++)
			class_by_partition[stream->first_partition + p] = class_index;
	}
}

static void move_partition(
	struct sl_store *store, uint32_t partition, const struct sl_store_lane *lane)
{
	struct sl_store_meta_partition *stored = &store->meta.partitions[partition];
	struct sl_partition *state = &store->partitions[partition];

	state->lane_slot = (uint8_t)lane->class_index;
	if (stored->lane == lane->number)
		return;
	state->term++;
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_KEEP_TERM) && state->term > 1)
		state->term--;
#endif
	state->term_start = state->next_offset;
	*stored = (struct sl_store_meta_partition){
		.term_start = state->term_start,
		.term = state->term,
		.lane = lane->number,
	};
}

// Partition numbers grouped by lane: what checkpoints list.
static int group_by_lane(struct sl_store *store, struct sl_err *err)
{
	uint32_t partition_count = store->meta.header.partition_count;
	uint16_t *next;

	store->owned = calloc(SL_MAX(partition_count, 1u), sizeof(*store->owned));
	if (store->owned == NULL)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	next = store->owned;
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		lane->owned = next;
		for (uint32_t p = 0; p < partition_count; p++) {
			if (store->meta.partitions[p].lane == lane->number)
				*next++ = (uint16_t)p;
		}
		lane->owned_count = (uint32_t)(next - lane->owned);
		store->meta.lanes[lane->meta_index].worker_index = lane->worker_index;
	}
	return 0;
}

int sl_store_arrange(struct sl_store *store, const uint8_t *worker_by_partition, struct sl_err *err)
{
	static_assert(SL_CLASS_COUNT_MAX <= UINT8_MAX, "a lane slot has eight bits");
	uint32_t partition_count = store->meta.header.partition_count;
	bool needed[SL_LCORE_COUNT_MAX][SL_CLASS_COUNT_MAX] = {{false}};
	uint16_t *class_by_partition =
		calloc(SL_MAX(partition_count, 1u), sizeof(*class_by_partition));
	int result = 0;

	if (class_by_partition == NULL)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	classify_partitions(store, class_by_partition);
	for (uint32_t p = 0; p < partition_count; p++) {
		if (class_by_partition[p] != SL_CLASS_NONE)
			needed[worker_by_partition[p]][class_by_partition[p]] = true;
	}
	disown_surplus_lanes(store, needed);
	for (uint32_t p = 0; p < partition_count && result == 0; p++) {
		struct sl_store_lane *lane;

		if (class_by_partition[p] == SL_CLASS_NONE)
			continue;
		lane = find_lane(store, worker_by_partition[p], class_by_partition[p], err);
		if (lane == NULL)
			result = err->code;
		else
			move_partition(store, p, lane);
	}
	free(class_by_partition);
	return result == 0 ? group_by_lane(store, err) : result;
}
