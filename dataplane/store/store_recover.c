/* SPDX-License-Identifier: BSD-3-Clause */
// Recovering all lanes, and joining them: each partition goes on where its highest term ends.
#include "format/segment_list.h"
#include "log.h"
#include "store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint16_t config_class_of(const struct sl_store *store, uint16_t meta_class_index)
{
	for (uint32_t i = 0; i < store->config->class_count; i++) {
		if (store->meta_index_by_class[i] == meta_class_index)
			return (uint16_t)i;
	}
	return SL_CLASS_NONE;
}

// A lane gets its first segment when store.meta names it, not before: folders with segments that it
// does not name belong to a newer store.meta, and their offsets would be given twice.
static int check_unnamed_lanes(
	const struct sl_store *store, const char *store_path, struct sl_err *err)
{
	for (uint32_t number = store->lane_count; number < SL_LANE_COUNT_MAX; number++) {
		struct sl_segment_list list;
		char path[SL_PATH_BYTES_MAX];
		size_t segment_count;
		int result = sl_lane_path(path, store_path, (uint16_t)number, err);

		if (result == 0)
			result = sl_segment_list_read(&list, path, err);
		if (result == -ENOENT)
			continue;
		if (result != 0)
			return result;
		segment_count = list.count;
		sl_segment_list_free(&list);
		if (segment_count > 0)
			return sl_err_set(err, -EUCLEAN,
				"%s/" SL_STORE_META_NAME
				" is CORRUPT: it does not name lane %u, whose folder %s holds %zu segments; restore " SL_STORE_META_NAME
				" from a copy",
				store_path, number, path, segment_count);
	}
	return 0;
}

// lane.meta is on the disk before store.meta names the lane, and one of its slots is always whole.
static int check_lane_meta(const struct sl_store_lane *lane, struct sl_err *err)
{
	struct sl_lane_meta meta;
	enum sl_meta_slot_state states[2];
	int result = sl_lane_meta_read(&meta, lane->path, err);

	if (result == 0 && sl_lane_meta_slots(states, lane->path, NULL) == 0)
		sl_store_warn_of_slots(lane->path, SL_LANE_META_NAME, states);
	if (result != -ENOENT && result != -EBADMSG)
		return result;
	err->code = -EUCLEAN;
	return sl_err_prefix(err,
		"lane %u is CORRUPT: " SL_STORE_META_NAME
		" names it, and its folder is gone or empty; restore %s from a copy",
		lane->number, lane->path);
}

// Zeros; calloc would not begin on a cache line.
static void *allocate_lines(size_t bytes)
{
	size_t line_bytes = SL_ALIGN_UP(bytes, (size_t)SL_CACHE_LINE);
	void *memory = aligned_alloc(SL_CACHE_LINE, line_bytes);

	return memory == NULL ? NULL : memset(memory, 0, line_bytes);
}

static int load_lanes(struct sl_store *store, struct sl_err *err)
{
	// Room for all that this start may add, so that pointers to lanes stay.
	store->lanes = allocate_lines(SL_LANE_COUNT_MAX * sizeof(*store->lanes));
	if (store->lanes == NULL)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	for (uint32_t i = 0; i < store->meta.header.lane_count; i++) {
		const struct sl_store_meta_lane *stored = &store->meta.lanes[i];
		struct sl_store_lane *lane = &store->lanes[store->lane_count++];

		lane->number = stored->lane;
		lane->meta_index = (uint16_t)i;
		lane->class_index = config_class_of(store, stored->class_index);
		lane->worker_index = stored->worker_index;
		lane->path_index = stored->path_index;
		if (lane->path_index >= store->path_count)
			return sl_err_set(err, -EUCLEAN,
				"%s/" SL_STORE_META_NAME
				" is CORRUPT: lane %u lies on path %u of %u; restore it from a copy",
				sl_store_name(store), lane->number, lane->path_index,
				store->path_count);
		if (store->paths[lane->path_index].path != NULL)
			snprintf(lane->path, sizeof(lane->path), "%s/" SL_LANE_DIR_FORMAT,
				store->paths[lane->path_index].path, lane->number);
	}
	for (uint32_t i = 0; i < store->path_count; i++) {
		if (store->paths[i].path != NULL &&
			check_unnamed_lanes(store, store->paths[i].path, err) != 0)
			return err->code;
	}
	return 0;
}

static int recover_lane(struct sl_store *store, struct sl_store_lane *lane, struct sl_err *err)
{
	struct sl_lane_recovery *recovery = &lane->recovery;
	int result = check_lane_meta(lane, err);

	if (result == 0)
		result = sl_lane_recover(recovery, lane->path, lane->number,
			store->meta.lanes[lane->meta_index].class_index, store->salt_crc, err);

	if (result != 0)
		return result;
	// The tail may be in the drive's cache only. Offsets that a new term starts from must not
	// vanish under it.
	if (recovery->segment != NULL && fdatasync(recovery->segment->fd) != 0)
		return sl_err_set(err, -errno, "lane %u: cannot flush segment %lu: %s",
			lane->number, recovery->segment->number, strerror(errno));
	sl_log_info("store",
		"lane %u: epoch %lu, %lu batches with %lu events read in unsealed segments in %lu us, next batch %lu%s",
		lane->number, recovery->epoch, recovery->batch_count, recovery->event_count,
		recovery->took_us, recovery->chain.next_number,
		recovery->torn_bytes > 0          ? ", torn tail cut"
			: recovery->is_bookmarked ? ", as its clean stop has marked it"
						  : "");
	return 0;
}

// What a lane knows of a partition counts when the store says that the partition lives there, in
// that term. Older terms in it are history.
static int join_state(struct sl_store *store, const struct sl_store_lane *lane,
	const struct sl_partition_state *state, struct sl_err *err)
{
	const struct sl_store_meta_partition *stored;

	if (state->partition >= store->meta.header.partition_count)
		return sl_err_set(err, -EUCLEAN,
			"lane %u is CORRUPT: it holds partition %u, the store has %u", lane->number,
			state->partition, store->meta.header.partition_count);
	stored = &store->meta.partitions[state->partition];
	if (state->term > stored->term ||
		(state->term == stored->term && stored->lane != lane->number))
		return sl_err_set(err, -EUCLEAN,
			"lane %u is CORRUPT: it holds partition %u in term %u, which store.meta gives to lane %u in term %u",
			lane->number, state->partition, state->term, stored->lane, stored->term);
	if (state->term == stored->term)
		store->partitions[state->partition].next_offset = state->next_offset;
	return 0;
}

static int join_lane(struct sl_store *store, const struct sl_store_lane *lane, struct sl_err *err)
{
	for (uint32_t i = 0; i < lane->recovery.state_count; i++) {
		if (join_state(store, lane, &lane->recovery.states[i], err) != 0)
			return err->code;
	}
	return 0;
}

int sl_store_recover(struct sl_store *store, struct sl_err *err)
{
	uint32_t partition_count = store->meta.header.partition_count;

	if (load_lanes(store, err) != 0)
		return err->code;
	store->partitions =
		allocate_lines(SL_MAX(partition_count, 2u) * sizeof(*store->partitions));
	if (store->partitions == NULL)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	for (uint32_t i = 0; i < partition_count; i++) {
		const struct sl_store_meta_partition *stored = &store->meta.partitions[i];

		store->partitions[i] = (struct sl_partition){
			.next_offset = stored->term_start,
			.term = stored->term,
			.term_start = stored->term_start,
		};
	}
	for (uint32_t i = 0; i < store->lane_count; i++) {
		if (sl_store_lane_is_missing(&store->lanes[i]))
			continue;
		if (recover_lane(store, &store->lanes[i], err) != 0 ||
			join_lane(store, &store->lanes[i], err) != 0)
			return err->code;
	}
	return 0;
}
