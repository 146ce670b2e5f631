/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/segment_index_build.h"

#include "format/crc32c.h"
#include "format/index_set.h"
#include "format/segment_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_MIN 64u

// A partition's events of one term.
struct held {
	uint64_t first_offset, next_offset;
	uint32_t term;
	uint16_t partition;
	struct sl_index_set batches;
};

struct sl_index_builder {
	char lane_path[SL_PATH_BYTES_MAX];
	struct sl_segment_file *file;
	uint64_t position;
	uint32_t last_body_crc;
	struct sl_segment_index_batch *batches;
	uint32_t batch_count, batch_capacity;
	struct held *held;
	uint32_t held_count, held_capacity;
	uint32_t *latest; // by partition: place in held of its highest term, plus 1
	bool has_fence; // offsets may be missing behind it
};

int sl_index_builder_create(struct sl_index_builder **created, const char *lane_path, uint16_t lane,
	uint64_t segment, uint32_t salt_crc, struct sl_err *err)
{
	struct sl_index_builder *builder = calloc(1, sizeof(*builder));
	int result = 0;

	*created = NULL;
	if (builder != NULL)
		builder->latest = calloc(SL_PARTITION_COUNT_MAX, sizeof(*builder->latest));
	if (builder == NULL || builder->latest == NULL)
		result = sl_err_set(err, -ENOMEM, "no memory for the index of a segment");
	if (result == 0) {
		snprintf(builder->lane_path, sizeof(builder->lane_path), "%s", lane_path);
		result = sl_segment_file_open(
			&builder->file, lane_path, lane, segment, salt_crc, err);
	}
	if (result == 0 && !builder->file->is_sealed)
		result = sl_err_set(err, -EAGAIN, "%s is not sealed", builder->file->path);
	if (result < 0) {
		sl_index_builder_destroy(builder);
		return result;
	}
	*created = builder;
	return 0;
}

void sl_index_builder_destroy(struct sl_index_builder *builder)
{
	if (builder == NULL)
		return;
	for (uint32_t i = 0; i < builder->held_count; i++)
		sl_index_set_fini(&builder->held[i].batches);
	sl_segment_file_close(builder->file);
	free(builder->held);
	free(builder->latest);
	free(builder->batches);
	free(builder);
}

uint64_t sl_index_builder_segment(const struct sl_index_builder *builder)
{
	return builder->file->number;
}

static int no_memory(const struct sl_index_builder *builder, struct sl_err *err)
{
	return sl_err_set(err, -ENOMEM, "no memory for the index of %s", builder->file->path);
}

static int damage(const struct sl_index_builder *builder, const char *what, struct sl_err *err)
{
	return sl_err_set(err, -EBADMSG,
		"%s: %s at position %" PRIu64 ": the segment gets no index", builder->file->path,
		what, builder->position);
}

// Room for one element more; NULL without memory, and the array is as it was.
static void *grow(void *array, uint32_t *capacity, uint32_t count, size_t element_bytes)
{
	uint32_t grown_capacity = SL_MAX(*capacity * 2, CAPACITY_MIN);

	if (count < *capacity)
		return array;
	array = realloc(array, grown_capacity * element_bytes);
	if (array != NULL)
		*capacity = grown_capacity;
	return array;
}

static struct held *new_held(
	struct sl_index_builder *builder, const struct sl_batch_table_entry *entry)
{
	struct held *all = grow(builder->held, &builder->held_capacity, builder->held_count,
		sizeof(*builder->held));

	if (all == NULL)
		return NULL;
	builder->held = all;
	builder->held[builder->held_count] = (struct held){
		.first_offset = entry->first_offset,
		.next_offset = entry->first_offset,
		.term = entry->term,
		.partition = entry->partition,
	};
	builder->latest[entry->partition] = ++builder->held_count;
	return &builder->held[builder->held_count - 1];
}

static int add_entry(struct sl_index_builder *builder, const struct sl_batch_table_entry *entry,
	struct sl_err *err)
{
	uint32_t place = builder->latest[entry->partition];
	struct held *held = place > 0 ? &builder->held[place - 1] : NULL;

	if (held == NULL || entry->term > held->term)
		held = new_held(builder, entry);
	if (held == NULL)
		return no_memory(builder, err);
	// The tables are read without their batches, so their sums are not known. What does not go
	// on must not make a reader skip anything.
	if (entry->term != held->term || entry->event_count == 0 ||
		entry->first_offset < held->next_offset ||
		(entry->first_offset > held->next_offset && !builder->has_fence))
		return damage(builder, "a partition table that does not go on", err);
	held->next_offset = entry->first_offset + entry->event_count;
	if (!sl_index_set_add(&held->batches, builder->batch_count))
		return no_memory(builder, err);
	return 0;
}

static int add_table(
	struct sl_index_builder *builder, const struct sl_batch_header *header, struct sl_err *err)
{
	uint32_t table_count = header->table_count, event_count = header->event_count;
	const struct sl_batch_table_entry *table;
	const void *data;
	int result = sl_segment_file_bytes(builder->file, header->position + header->table_offset,
		table_count * sizeof(*table), &data, err);

	table = data;
	for (uint32_t i = 0; result == 0 && i < table_count; i++) {
		event_count -= table[i].event_count;
		result = add_entry(builder, &table[i], err);
	}
	if (result == 0 && event_count != 0)
		return damage(builder, "a partition table that does not count its batch", err);
	return result;
}

static int add_batch(struct sl_index_builder *builder, struct sl_err *err)
{
	const struct sl_segment_footer *footer = &builder->file->footer;
	struct sl_segment_index_batch *batches;
	const struct sl_batch_header *header;
	enum sl_batch_verdict verdict;
	uint64_t next_position;
	int result = sl_segment_file_batch(
		builder->file, builder->position, true, &header, &verdict, err);

	if (result < 0)
		return result;
	if (verdict != SL_BATCH_OK)
		return damage(builder, sl_batch_verdict_name(verdict), err);
	if (header->number != footer->first_number + builder->batch_count ||
		(builder->batch_count > 0 && header->prev_body_crc != builder->last_body_crc))
		return damage(builder, "a batch that does not continue the chain", err);
	batches = grow(
		builder->batches, &builder->batch_capacity, builder->batch_count, sizeof(*batches));
	if (batches == NULL)
		return no_memory(builder, err);
	builder->batches = batches;
	builder->batches[builder->batch_count] = (struct sl_segment_index_batch){
		.position = builder->position,
		.time_base_ns = header->time_base_ns,
		.time_last_ns = header->time_last_ns,
		.body_crc = header->body_crc,
		.kind = header->kind,
	};
	builder->has_fence |= header->kind == SL_BATCH_FENCE;
	builder->last_body_crc = header->body_crc;
	next_position = builder->position + sl_batch_block_bytes(header);
	if (header->kind == SL_BATCH_EVENTS) // the header's block may go with the table's
		result = add_table(builder, header, err);
	builder->batch_count++;
	builder->position = next_position;
	return result;
}

int sl_index_builder_step(
	struct sl_index_builder *builder, uint32_t batch_count_max, struct sl_err *err)
{
	const struct sl_segment_footer *footer = &builder->file->footer;

	for (uint32_t i = 0; i < batch_count_max; i++) {
		int result;

		if (builder->position >= footer->end_position)
			break;
		result = add_batch(builder, err);
		if (result < 0)
			return result;
	}
	if (builder->position < footer->end_position)
		return 1;
	if (builder->position != footer->end_position ||
		builder->last_body_crc != footer->last_body_crc ||
		builder->batch_count != footer->last_number - footer->first_number + 1)
		return damage(builder, "an end that is not the footer's", err);
	return 0;
}

// ---- the file

static int compare_held(const void *a, const void *b)
{
	const struct held *left = a, *right = b;

	if (left->partition != right->partition)
		return left->partition < right->partition ? -1 : 1;
	return (left->term > right->term) - (left->term < right->term);
}

static size_t data_bytes(const struct sl_index_builder *builder, const struct held *held)
{
	return SL_MIN(held->batches.count * sizeof(uint32_t),
		sl_segment_index_bitmap_bytes(builder->batch_count));
}

static size_t tables_bytes(const struct sl_index_builder *builder)
{
	return sizeof(struct sl_segment_index_header) +
		builder->batch_count * sizeof(*builder->batches) +
		builder->held_count * sizeof(struct sl_segment_index_partition);
}

static void fill_partitions(const struct sl_index_builder *builder, char *bytes)
{
	size_t bitmap_bytes = sl_segment_index_bitmap_bytes(builder->batch_count);
	struct sl_segment_index_partition *entry =
		(void *)(bytes + sizeof(struct sl_segment_index_header) +
			builder->batch_count * sizeof(*builder->batches));
	size_t data_position = tables_bytes(builder);

	for (uint32_t i = 0; i < builder->held_count; i++, entry++) {
		const struct held *held = &builder->held[i];
		bool is_list = held->batches.count * sizeof(uint32_t) <= bitmap_bytes;

		*entry = (struct sl_segment_index_partition){
			.first_offset = held->first_offset,
			.next_offset = held->next_offset,
			.term = held->term,
			.batch_count = held->batches.count,
			.data_position = (uint32_t)data_position,
			.partition = held->partition,
			.form = is_list ? SL_SEGMENT_INDEX_LIST : SL_SEGMENT_INDEX_BITMAP,
		};
		if (is_list)
			sl_index_set_list(&held->batches, bytes + data_position);
		else
			sl_index_set_bitmap(&held->batches, bytes + data_position, bitmap_bytes);
		data_position += data_bytes(builder, held);
	}
}

static char *make_file(struct sl_index_builder *builder, size_t *count)
{
	const struct sl_segment_file *file = builder->file;
	struct sl_segment_index_header *header;
	char *bytes;

	if (builder->held_count > 0)
		qsort(builder->held, builder->held_count, sizeof(*builder->held), compare_held);
	*count = tables_bytes(builder);
	for (uint32_t i = 0; i < builder->held_count; i++)
		*count += data_bytes(builder, &builder->held[i]);
	bytes = *count > UINT32_MAX ? NULL : calloc(1, *count);
	if (bytes == NULL)
		return NULL;
	header = (struct sl_segment_index_header *)bytes;
	*header = (struct sl_segment_index_header){
		.magic = SL_SEGMENT_INDEX_MAGIC,
		.version = SL_FORMAT_VERSION,
		.byte_length = *count,
		.segment = file->number,
		.end_position = file->footer.end_position,
		.last_body_crc = file->footer.last_body_crc,
		.lane = file->lane,
		.batch_count = builder->batch_count,
		.partition_count = builder->held_count,
	};
	memcpy(header + 1, builder->batches, builder->batch_count * sizeof(*builder->batches));
	fill_partitions(builder, bytes);
	header->crc = sl_crc32c(file->salt_crc, bytes, *count);
	return bytes;
}

static int write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t part = write(fd, bytes, count);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return -errno;
		bytes += part;
		count -= (size_t)part;
	}
	return 0;
}

static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return result;
}

static int write_file(const char *temp_path, const char *path, const char *bytes, size_t count)
{
	int fd = open(temp_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int result = fd < 0 ? -errno : write_all(fd, bytes, count);

	if (result == 0 && fsync(fd) < 0)
		result = -errno;
	if (fd >= 0 && close(fd) < 0 && result == 0)
		result = -errno;
	if (result == 0 && rename(temp_path, path) < 0)
		result = -errno;
	if (result < 0)
		unlink(temp_path);
	return result;
}

int sl_index_builder_write(struct sl_index_builder *builder, struct sl_err *err)
{
	char temp_path[SL_PATH_BYTES_MAX], path[SL_PATH_BYTES_MAX];
	uint64_t number = builder->file->number;
	int result = sl_segment_index_path(path, builder->lane_path, number, err);
	size_t count;
	char *bytes;

	if (result == 0)
		result = sl_segment_temp_path(temp_path, builder->lane_path, number, err);
	if (result < 0)
		return result;
	bytes = make_file(builder, &count);
	if (bytes == NULL)
		return no_memory(builder, err);
	result = write_file(temp_path, path, bytes, count);
	free(bytes);
	if (result == 0)
		result = sync_directory(builder->lane_path);
	if (result < 0)
		return sl_err_set(err, result, "cannot write %s: %s", path, strerror(-result));
	return 0;
}
