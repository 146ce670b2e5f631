/* SPDX-License-Identifier: BSD-3-Clause */
// A file of two slots that are written in turn: a torn write leaves the other one.
#include "format/meta_internal.h"

#include "format/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
static size_t covered_bytes(const struct sl_meta_kind *kind, const void *slot)
{
	const struct sl_store_meta_header *header = slot;

	if (kind->covered_bytes != 0)
		return kind->covered_bytes;
	return header->byte_length >= sizeof(*header) && header->byte_length <= kind->slot_bytes
		? header->byte_length
		: 0;
}

static enum sl_meta_slot_state check_slot(const struct sl_meta_kind *kind, const void *slot)
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
	if (prefix->magic != kind->magic || (kind->is_right != NULL && !kind->is_right(slot)))
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

void sl_meta_slots_free(struct sl_meta_slots *slots)
{
	for (int i = 0; i < SL_META_SLOT_COUNT; i++) {
		free(slots->bytes[i]);
		slots->bytes[i] = NULL;
	}
}

static int slots_read(
	struct sl_meta_slots *slots, const struct sl_meta_kind *kind, int fd, struct sl_err *err)
{
	*slots = (struct sl_meta_slots){0};
	for (int i = 0; i < SL_META_SLOT_COUNT; i++) {
		int result;

		slots->bytes[i] = calloc(1, kind->slot_bytes);
		if (slots->bytes[i] == NULL) {
			sl_meta_slots_free(slots);
			return sl_err_set(err, -ENOMEM, "no memory for %s", kind->name);
		}
		result = read_all(
			fd, slots->bytes[i], kind->slot_bytes, (uint64_t)i * kind->slot_bytes);
		if (result < 0) {
			sl_meta_slots_free(slots);
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
	const struct sl_meta_slots *slots, const struct sl_meta_kind *kind, struct sl_err *err)
{
	int newest = -1;

	for (int i = 0; i < SL_META_SLOT_COUNT; i++) {
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
	const struct sl_meta_kind *kind, struct sl_err *err)
{
	int bytes = snprintf(path, SL_PATH_BYTES_MAX, "%s/%s", directory, kind->name);

	if (bytes >= SL_PATH_BYTES_MAX)
		return sl_err_set(err, -ENAMETOOLONG, "path of %s is longer than %d bytes",
			kind->name, SL_PATH_BYTES_MAX - 1);
	return 0;
}

// Reads both slots of DIRECTORY/NAME.
static int meta_load(struct sl_meta_slots *slots, const struct sl_meta_kind *kind,
	const char *directory, struct sl_err *err)
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

int sl_meta_slots_read(struct sl_meta_slots *slots, const struct sl_meta_kind *kind,
	const char *directory, struct sl_err *err)
{
	int result = meta_load(slots, kind, directory, err);

	if (result < 0)
		return result;
	result = slots_newest(slots, kind, err);
	if (result < 0) {
		sl_meta_slots_free(slots);
		sl_err_prefix(err, "%s", directory);
	}
	return result;
}

int sl_meta_slots_judge(enum sl_meta_slot_state states[SL_META_SLOT_COUNT],
	const struct sl_meta_kind *kind, const char *directory, struct sl_err *err)
{
	struct sl_meta_slots slots;
	int result = meta_load(&slots, kind, directory, err);

	if (result < 0)
		return result;
	memcpy(states, slots.states, sizeof(slots.states));
	sl_meta_slots_free(&slots);
	return 0;
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

// Before the other slot goes. A slot that fits in a sector needs none of it: after a crash it is
// what it was or what it is.
static int settle_newest(
	int fd, const struct sl_meta_kind *kind, const struct sl_meta_slots *slots, int newest)
{
	int result;

	if (kind->covered_bytes != 0)
		return 0;
	result = write_all(fd, slots->bytes[newest], covered_bytes(kind, slots->bytes[newest]),
		(uint64_t)newest * kind->slot_bytes);
	return result == 0 && fdatasync(fd) < 0 ? -errno : result;
}

int sl_meta_slots_settle(const struct sl_meta_kind *kind, const char *directory, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	struct sl_meta_slots slots;
	int result = meta_path(path, directory, kind, err);
	int fd;

	if (result < 0)
		return result;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		return sl_err_set(err, result, "cannot open %s: %s", path, strerror(-result));
	}
	result = slots_read(&slots, kind, fd, err);
	if (result == 0) {
		result = slots_newest(&slots, kind, err);
		if (result >= 0) {
			result = settle_newest(fd, kind, &slots, result);
			if (result < 0)
				sl_err_set(err, result, "cannot write %s again: %s", path,
					strerror(-result));
		}
		sl_meta_slots_free(&slots);
	}
	close(fd);
	return result;
}

// Chooses the slot that may be overwritten and the generation to write: never the newest valid one,
// which is on the disk then.
static int choose_slot(
	int fd, const struct sl_meta_kind *kind, uint64_t *generation, struct sl_err *err)
{
	struct sl_meta_slots slots;
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
		result = settle_newest(fd, kind, &slots, newest);
		if (result < 0)
			target = sl_err_set(err, result, "cannot write %s again: %s", kind->name,
				strerror(-result));
	}
	sl_meta_slots_free(&slots);
	return target;
}

int sl_meta_slots_write(const struct sl_meta_kind *kind, const char *directory, char *slot,
	size_t bytes, struct sl_err *err)
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
