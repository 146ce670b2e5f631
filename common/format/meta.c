/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/meta_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The CRC is no secret: a table must not lead beyond another one.
static bool streams_are_right(const struct sl_store_meta_header *header)
{
	const struct sl_store_meta_class *classes =
		(const struct sl_store_meta_class *)(header + 1);
	const struct sl_store_meta_stream *streams =
		(const struct sl_store_meta_stream *)(classes + header->class_count);

	for (uint32_t i = 0; i < header->class_count; i++) {
		if (memchr(classes[i].name, '\0', sizeof(classes[i].name)) == NULL)
			return false;
	}
	for (uint32_t i = 0; i < header->stream_count; i++) {
		uint64_t end = (uint64_t)streams[i].first_partition + streams[i].partition_count;

		if (end > header->partition_count ||
			memchr(streams[i].name, '\0', sizeof(streams[i].name)) == NULL)
			return false;
	}
	return true;
}

static bool store_is_right(const void *slot)
{
	const struct sl_store_meta_header *header = slot;
	uint64_t length = sizeof(*header);

	if (header->class_count > SL_CLASS_COUNT_MAX ||
		header->stream_count > SL_STREAM_COUNT_MAX ||
		header->lane_count > SL_LANE_COUNT_MAX ||
		header->partition_count > SL_PARTITION_COUNT_MAX ||
		header->path_count > SL_STORE_PATH_COUNT_MAX ||
		header->path_index >= SL_MAX(header->path_count, 1u))
		return false;
	length += header->class_count * sizeof(struct sl_store_meta_class);
	length += header->stream_count * sizeof(struct sl_store_meta_stream);
	length += header->lane_count * sizeof(struct sl_store_meta_lane);
	length += header->partition_count * sizeof(struct sl_store_meta_partition);
	length += header->path_count * sizeof(struct sl_store_meta_path);
	return length == header->byte_length && streams_are_right(header);
}

static const struct sl_meta_kind store_kind = {
	SL_STORE_META_NAME, SL_STORE_META_MAGIC, SL_STORE_META_SLOT_BYTES, 0, store_is_right};
static const struct sl_meta_kind lane_kind = {
	SL_LANE_META_NAME, SL_LANE_META_MAGIC, SL_BLOCK_BYTES, sizeof(struct sl_lane_meta), NULL};

int sl_store_meta_slots(
	enum sl_meta_slot_state states[2], const char *store_path, struct sl_err *err)
{
	return sl_meta_slots_judge(states, &store_kind, store_path, err);
}

int sl_lane_meta_slots(enum sl_meta_slot_state states[2], const char *lane_path, struct sl_err *err)
{
	return sl_meta_slots_judge(states, &lane_kind, lane_path, err);
}

// The tables behind the header of store.meta, in the order of the file.
#define TABLES(TABLE) \
	TABLE(classes, header->class_count) \
	TABLE(streams, header->stream_count) \
	TABLE(lanes, header->lane_count) \
	TABLE(partitions, header->partition_count) \
	TABLE(paths, header->path_count)

int sl_store_meta_read(struct sl_store_meta *meta, const char *store_path, struct sl_err *err)
{
	struct sl_meta_slots slots;
	int newest = sl_meta_slots_read(&slots, &store_kind, store_path, err);
	const struct sl_store_meta_header *header;
	const char *next;
	int result;

	*meta = (struct sl_store_meta){0};
	if (newest < 0)
		return newest;
	header = (const struct sl_store_meta_header *)slots.bytes[newest];
	result = sl_store_meta_resize(meta, header->class_count, header->stream_count,
		header->lane_count, header->partition_count);
	if (result < 0) {
		sl_meta_slots_free(&slots);
		sl_store_meta_free(meta);
		return sl_err_set(err, result, "%s: no memory for its tables", store_path);
	}
	meta->header = *header;
	next = (const char *)(header + 1);
#define COPY(table, count) \
	do { \
		memcpy(meta->table, next, (count) * sizeof(*meta->table)); \
		next += (count) * sizeof(*meta->table); \
	} while (0);
	TABLES(COPY)
#undef COPY
	sl_meta_slots_free(&slots);
	for (uint32_t i = 0; i < SL_STORE_PATH_COUNT_MAX; i++)
		meta->paths[i].path[SL_PATH_BYTES_MAX - 1] = '\0';
	return 0;
}

int sl_store_meta_write(struct sl_store_meta *meta, const char *store_path, struct sl_err *err)
{
	struct sl_store_meta_header *header = &meta->header;
	char *slot = calloc(1, SL_STORE_META_SLOT_BYTES);
	char *next = slot;
	int result;

	if (slot == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for " SL_STORE_META_NAME);
	header->magic = SL_STORE_META_MAGIC;
	header->version = SL_FORMAT_VERSION;
	next += sizeof(*header);
#define COPY(table, count) \
	do { \
		if ((count) > 0) \
			memcpy(next, meta->table, (count) * sizeof(*meta->table)); \
		next += (count) * sizeof(*meta->table); \
	} while (0);
	TABLES(COPY)
#undef COPY
	header->byte_length = (uint32_t)(next - slot);
	memcpy(slot, header, sizeof(*header));
	result = sl_meta_slots_write(&store_kind, store_path, slot, header->byte_length, err);
	if (result == 0)
		memcpy(header, slot, sizeof(*header));
	free(slot);
	return result;
}

int sl_store_meta_settle(const char *store_path, struct sl_err *err)
{
	return sl_meta_slots_settle(&store_kind, store_path, err);
}

// New records are zeroed. Always at least one record, so that no table is NULL.
static int resize_table(void **table, uint32_t old_count, uint32_t new_count, size_t record_bytes)
{
	char *resized = realloc(*table, SL_MAX(new_count, 1u) * record_bytes);

	if (resized == NULL)
		return -ENOMEM;
	if (new_count > old_count)
		memset(resized + old_count * record_bytes, 0,
			(new_count - old_count) * record_bytes);
	*table = resized;
	return 0;
}

int sl_store_meta_resize(struct sl_store_meta *meta, uint32_t class_count, uint32_t stream_count,
	uint32_t lane_count, uint32_t partition_count)
{
	struct sl_store_meta_header *header = &meta->header;

#define RESIZE(table, count) \
	do { \
		void *resized = meta->table; \
		if (resize_table(&resized, header->count, count, sizeof(*meta->table)) < 0) \
			return -ENOMEM; \
		meta->table = resized; \
		header->count = count; \
	} while (0)
	RESIZE(classes, class_count);
	RESIZE(streams, stream_count);
	RESIZE(lanes, lane_count);
	RESIZE(partitions, partition_count);
#undef RESIZE
	return 0;
}

void sl_store_meta_free(struct sl_store_meta *meta)
{
	free(meta->classes);
	free(meta->streams);
	free(meta->lanes);
	free(meta->partitions);
	*meta = (struct sl_store_meta){0};
}

int sl_lane_meta_read(struct sl_lane_meta *meta, const char *lane_path, struct sl_err *err)
{
	struct sl_meta_slots slots;
	int newest = sl_meta_slots_read(&slots, &lane_kind, lane_path, err);

	*meta = (struct sl_lane_meta){0};
	if (newest < 0)
		return newest;
	memcpy(meta, slots.bytes[newest], sizeof(*meta));
	sl_meta_slots_free(&slots);
	return 0;
}

int sl_lane_meta_write(struct sl_lane_meta *meta, const char *lane_path, struct sl_err *err)
{
	// A whole block is written, so that no slot ever shares a sector with the other.
	char *slot = calloc(1, SL_BLOCK_BYTES);
	int result;

	if (slot == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for " SL_LANE_META_NAME);
	meta->magic = SL_LANE_META_MAGIC;
	meta->version = SL_FORMAT_VERSION;
	memcpy(slot, meta, sizeof(*meta));
	result = sl_meta_slots_write(&lane_kind, lane_path, slot, sizeof(*meta), err);
	if (result == 0)
		memcpy(meta, slot, sizeof(*meta));
	free(slot);
	return result;
}
