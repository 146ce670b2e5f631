/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/meta.h"

#include "format/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_COUNT 2
#define MAGIC_FAMILY 0x00ffffffffffffffull // the last byte goes with the version

// What store.meta and lane.meta have in common: they begin with it.
struct meta_prefix {
	uint64_t magic;
	uint32_t version;
	uint32_t crc;
	uint64_t generation;
} SL_PACKED;
static_assert(offsetof(struct sl_store_meta_header, generation) ==
		offsetof(struct meta_prefix, generation),
	"common beginning");
static_assert(offsetof(struct sl_lane_meta, generation) == offsetof(struct meta_prefix, generation),
	"common beginning");

// One kind of two-slot file.
struct meta_kind {
	const char *name;
	uint64_t magic;
	size_t slot_bytes;
	size_t covered_bytes; // by the CRC, in every version; 0: the slot says it
};

struct meta_slots {
	enum sl_meta_slot_state states[SLOT_COUNT];
	uint64_t generations[SLOT_COUNT];
	char *bytes[SLOT_COUNT]; // content, slot_bytes each (less at the end of the file: zeros)
};

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
	return length == header->byte_length;
}

static const struct meta_kind store_kind = {
	SL_STORE_META_NAME, SL_STORE_META_MAGIC, SL_STORE_META_SLOT_BYTES, 0};
static const struct meta_kind lane_kind = {
	SL_LANE_META_NAME, SL_LANE_META_MAGIC, SL_BLOCK_BYTES, sizeof(struct sl_lane_meta)};

// CRC over the slot with its crc field as zero.
static uint32_t slot_crc(const void *slot, size_t bytes)
{
	const size_t crc_offset = offsetof(struct meta_prefix, crc);
	const uint32_t zero = 0;
	uint32_t crc = sl_crc32c(0, slot, crc_offset);

	crc = sl_crc32c(crc, &zero, sizeof(zero));
	return sl_crc32c(crc, (const char *)slot + crc_offset + sizeof(zero),
		bytes - crc_offset - sizeof(zero));
}

// 0 when the slot contradicts itself.
static size_t covered_bytes(const struct meta_kind *kind, const void *slot)
{
	const struct sl_store_meta_header *header = slot;

	if (kind->covered_bytes != 0)
		return kind->covered_bytes;
	return header->byte_length >= sizeof(*header) && header->byte_length <= kind->slot_bytes
		? header->byte_length
		: 0;
}

static enum sl_meta_slot_state check_slot(const struct meta_kind *kind, const void *slot)
{
	const struct meta_prefix *prefix = slot;
	size_t bytes;

	if (prefix->magic == 0)
		return SL_META_SLOT_EMPTY;
	if (((prefix->magic ^ kind->magic) & MAGIC_FAMILY) != 0)
		return SL_META_SLOT_DAMAGED;
	// A file that was cut off behind the magic; version 0 had a magic of its own.
	if (prefix->version == 0 && prefix->magic == kind->magic)
		return SL_META_SLOT_DAMAGED;
	// The rule of the checksum is that of all versions: one that rot made up is none.
	bytes = covered_bytes(kind, slot);
	if (bytes == 0 || slot_crc(slot, bytes) != prefix->crc)
		return SL_META_SLOT_DAMAGED;
	if (prefix->version != SL_FORMAT_VERSION)
		return SL_META_SLOT_UNKNOWN_VERSION;
	if (prefix->magic != kind->magic || (kind == &store_kind && !store_is_right(slot)))
		return SL_META_SLOT_DAMAGED;
	return SL_META_SLOT_VALID;
}

static int read_all(int fd, char *data, size_t bytes, uint64_t position)
{
	while (bytes > 0) {
		ssize_t count = pread(fd, data, bytes, (off_t)position);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			return 0; // a short file: the rest stays zero
		data += count;
		bytes -= (size_t)count;
		position += (uint64_t)count;
	}
	return 0;
}

static int write_all(int fd, const char *data, size_t bytes, uint64_t position)
{
	while (bytes > 0) {
		ssize_t count = pwrite(fd, data, bytes, (off_t)position);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		data += count;
		bytes -= (size_t)count;
		position += (uint64_t)count;
	}
	return 0;
}

static void slots_free(struct meta_slots *slots)
{
	for (int i = 0; i < SLOT_COUNT; i++) {
		free(slots->bytes[i]);
		slots->bytes[i] = NULL;
	}
}

static int slots_read(
	struct meta_slots *slots, const struct meta_kind *kind, int fd, struct sl_err *err)
{
	*slots = (struct meta_slots){0};
	for (int i = 0; i < SLOT_COUNT; i++) {
		int result;

		slots->bytes[i] = calloc(1, kind->slot_bytes);
		if (slots->bytes[i] == NULL) {
			slots_free(slots);
			return sl_err_set(err, -ENOMEM, "no memory for %s", kind->name);
		}
		result = read_all(
			fd, slots->bytes[i], kind->slot_bytes, (uint64_t)i * kind->slot_bytes);
		if (result < 0) {
			slots_free(slots);
			return sl_err_set(
				err, result, "cannot read %s: %s", kind->name, strerror(-result));
		}
		slots->states[i] = check_slot(kind, slots->bytes[i]);
		slots->generations[i] = ((struct meta_prefix *)slots->bytes[i])->generation;
	}
	return 0;
}

// Index of the valid slot of the higher generation, or a negative errno.
static int slots_newest(
	const struct meta_slots *slots, const struct meta_kind *kind, struct sl_err *err)
{
	int newest = -1;

	for (int i = 0; i < SLOT_COUNT; i++) {
		const struct meta_prefix *prefix = (const void *)slots->bytes[i];

		if (slots->states[i] == SL_META_SLOT_UNKNOWN_VERSION)
			return sl_err_set(err, -EPROTO,
				"%s has format version %" PRIu32
				", this program knows version %d: read the store with the program "
				"that wrote it, or give this one an empty directory",
				kind->name, prefix->version, SL_FORMAT_VERSION);
		if (slots->states[i] == SL_META_SLOT_VALID &&
			(newest < 0 || slots->generations[i] > slots->generations[newest]))
			newest = i;
	}
	if (newest < 0)
		return sl_err_set(err, -EBADMSG,
			"both slots of %s are damaged or empty: restore the file from a copy",
			kind->name);
	return newest;
}

static int meta_path(char path[SL_PATH_BYTES_MAX], const char *directory,
	const struct meta_kind *kind, struct sl_err *err)
{
	int bytes = snprintf(path, SL_PATH_BYTES_MAX, "%s/%s", directory, kind->name);

	if (bytes >= SL_PATH_BYTES_MAX)
		return sl_err_set(err, -ENAMETOOLONG, "path of %s is longer than %d bytes",
			kind->name, SL_PATH_BYTES_MAX - 1);
	return 0;
}

// Reads both slots of DIRECTORY/NAME.
static int meta_load(struct meta_slots *slots, const struct meta_kind *kind, const char *directory,
	struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int result = meta_path(path, directory, kind, err);
	int fd;

	if (result < 0)
		return result;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		return sl_err_set(err, result, "cannot open %s: %s", path, strerror(-result));
	}
	result = slots_read(slots, kind, fd, err);
	close(fd);
	if (result < 0)
		sl_err_prefix(err, "%s", directory);
	return result;
}

// Reads both slots and says which is the newest.
static int meta_read(struct meta_slots *slots, const struct meta_kind *kind, const char *directory,
	struct sl_err *err)
{
	int result = meta_load(slots, kind, directory, err);

	if (result < 0)
		return result;
	result = slots_newest(slots, kind, err);
	if (result < 0) {
		slots_free(slots);
		sl_err_prefix(err, "%s", directory);
	}
	return result;
}

static int meta_judge(enum sl_meta_slot_state states[2], const struct meta_kind *kind,
	const char *directory, struct sl_err *err)
{
	struct meta_slots slots;
	int result = meta_load(&slots, kind, directory, err);

	if (result < 0)
		return result;
	memcpy(states, slots.states, sizeof(slots.states));
	slots_free(&slots);
	return 0;
}

int sl_store_meta_slots(
	enum sl_meta_slot_state states[2], const char *store_path, struct sl_err *err)
{
	return meta_judge(states, &store_kind, store_path, err);
}

int sl_lane_meta_slots(enum sl_meta_slot_state states[2], const char *lane_path, struct sl_err *err)
{
	return meta_judge(states, &lane_kind, lane_path, err);
}

static int sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -errno;
	result = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return result;
}

// Chooses the slot that may be overwritten and the generation to write: never the newest valid one.
static int choose_slot(
	int fd, const struct meta_kind *kind, uint64_t *generation, struct sl_err *err)
{
	struct meta_slots slots;
	int result = slots_read(&slots, kind, fd, err);
	int newest, target = 0;

	if (result < 0)
		return result;
	newest = slots_newest(&slots, kind, err);
	if (newest == -EPROTO) {
		target = newest;
	} else if (newest >= 0) {
		target = 1 - newest;
		*generation = SL_MAX(*generation, slots.generations[newest]);
	}
	slots_free(&slots);
	return target;
}

// Writes slot (bytes long, its prefix filled but for crc and generation) and flushes it.
static int meta_write(const struct meta_kind *kind, const char *directory, char *slot, size_t bytes,
	struct sl_err *err)
{
	struct meta_prefix *prefix = (struct meta_prefix *)slot;
	uint64_t generation = prefix->generation;
	char path[SL_PATH_BYTES_MAX];
	int result = meta_path(path, directory, kind, err);
	int fd, target;

	if (result < 0)
		return result;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		result = -errno;
		return sl_err_set(err, result, "cannot open %s: %s", path, strerror(-result));
	}
	target = choose_slot(fd, kind, &generation, err);
	if (target < 0) {
		close(fd);
		return target;
	}
	prefix->generation = generation + 1;
	prefix->crc = slot_crc(slot, bytes);
	result = write_all(fd, slot, bytes, (uint64_t)target * kind->slot_bytes);
	if (result == 0 && fdatasync(fd) < 0)
		result = -errno;
	if (close(fd) < 0 && result == 0)
		result = -errno;
	// Cheap and rare, so always: the first write made the name, and a crash may have come
	// between.
	if (result == 0)
		result = sync_directory(directory);
	if (result < 0)
		return sl_err_set(err, result, "cannot write %s: %s", path, strerror(-result));
	return 0;
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
	struct meta_slots slots;
	int newest = meta_read(&slots, &store_kind, store_path, err);
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
		slots_free(&slots);
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
	slots_free(&slots);
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
	result = meta_write(&store_kind, store_path, slot, header->byte_length, err);
	if (result == 0)
		memcpy(header, slot, sizeof(*header));
	free(slot);
	return result;
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
	struct meta_slots slots;
	int newest = meta_read(&slots, &lane_kind, lane_path, err);

	*meta = (struct sl_lane_meta){0};
	if (newest < 0)
		return newest;
	memcpy(meta, slots.bytes[newest], sizeof(*meta));
	slots_free(&slots);
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
	result = meta_write(&lane_kind, lane_path, slot, sizeof(*meta), err);
	if (result == 0)
		memcpy(meta, slot, sizeof(*meta));
	free(slot);
	return result;
}
