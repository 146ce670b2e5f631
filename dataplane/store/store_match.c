/* SPDX-License-Identifier: BSD-3-Clause */
// The configuration's classes and streams against those that the store has: by name; what is new is
// added, what cannot change is refused.
#include "log.h"
#include "store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int grow(struct sl_store *store, uint32_t class_count, uint32_t stream_count,
	uint32_t partition_count, struct sl_err *err)
{
	const struct sl_store_meta_header *header = &store->meta.header;

	if (sl_store_meta_resize(&store->meta, header->class_count + class_count,
		    header->stream_count + stream_count, header->lane_count,
		    header->partition_count + partition_count) != 0)
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	return 0;
}

static int match_class(struct sl_store *store, uint32_t class_index, struct sl_err *err)
{
	const struct sl_config_class *wanted = &store->config->classes[class_index];
	struct sl_store_meta_class *stored;
	uint32_t i = 0;

	while (i < store->meta.header.class_count &&
		strcmp(store->meta.classes[i].name, wanted->name) != 0)
		i++;
	if (i == store->meta.header.class_count) {
		if (i == SL_CLASS_COUNT_MAX)
			return sl_err_set(err, -EINVAL,
				"%s:%u: classes: '%s': the store %s has %u classes already, the most there may be; use one of theirs",
				store->config->path, wanted->line, wanted->name,
				sl_store_name(store), i);
		if (grow(store, 1, 0, 0, err) != 0)
			return err->code;
	}
	stored = &store->meta.classes[i];
	snprintf(stored->name, sizeof(stored->name), "%s", wanted->name);
	stored->durability = (uint8_t)wanted->durability;
	store->meta_index_by_class[class_index] = (uint16_t)i;
	return 0;
}

static int add_stream(
	struct sl_store *store, const struct sl_config_stream *wanted, struct sl_err *err)
{
	uint32_t index = store->meta.header.stream_count;
	uint32_t first_partition = store->meta.header.partition_count;
	struct sl_store_meta_stream *stored;

	if (index == SL_STREAM_COUNT_MAX ||
		first_partition + wanted->partition_count > SL_PARTITION_COUNT_MAX)
		return sl_err_set(err, -ENOSPC,
			"%s:%u: streams: '%s': the store %s has no room for it: %u of %u streams and %u of %u partitions are taken",
			store->config->path, wanted->line, wanted->name, sl_store_name(store),
			index, SL_STREAM_COUNT_MAX, first_partition, SL_PARTITION_COUNT_MAX);
	if (grow(store, 0, 1, wanted->partition_count, err) != 0)
		return err->code;
	stored = &store->meta.streams[index];
	snprintf(stored->name, sizeof(stored->name), "%s", wanted->name);
	stored->partition_count = wanted->partition_count;
	stored->first_partition = (uint16_t)first_partition;
	if (getrandom(stored->steering_key, SL_STEERING_KEY_BYTES, 0) != SL_STEERING_KEY_BYTES)
		return sl_err_set(err, -EIO, "no random bytes for the steering key of stream '%s'",
			wanted->name);
	for (uint32_t i = 0; i < wanted->partition_count; i++)
		store->meta.partitions[first_partition + i].lane = SL_LANE_NONE;
	return 0;
}

static int match_stream(struct sl_store *store, uint32_t stream_index, struct sl_err *err)
{
	const struct sl_config_stream *wanted = &store->config->streams[stream_index];
	struct sl_store_meta_stream *stored;
	uint32_t i = 0;

	while (i < store->meta.header.stream_count &&
		strcmp(store->meta.streams[i].name, wanted->name) != 0)
		i++;
	if (i == store->meta.header.stream_count && add_stream(store, wanted, err) != 0)
		return err->code;
	stored = &store->meta.streams[i];
	if (stored->partition_count != wanted->partition_count)
		return sl_err_set(err, -EINVAL,
			"%s:%u: partitions: value '%u' of stream '%s': the store %s was made with %u, and a stream keeps its number of partitions; set partitions: %u, or give the stream another name",
			store->config->path, wanted->line, wanted->partition_count, wanted->name,
			sl_store_name(store), stored->partition_count, stored->partition_count);
	stored->class_index = store->meta_index_by_class[wanted->class_index];
	stored->udp_port = wanted->udp_port;
	store->meta_index_by_stream[stream_index] = (uint16_t)i;
	return 0;
}

int sl_store_match(struct sl_store *store, struct sl_err *err)
{
	for (uint32_t i = 0; i < store->config->class_count; i++) {
		if (match_class(store, i, err) != 0)
			return err->code;
	}
	for (uint32_t i = 0; i < store->config->stream_count; i++) {
		if (match_stream(store, i, err) != 0)
			return err->code;
	}
	return 0;
}
