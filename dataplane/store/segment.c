/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/segment_internal.h"

#include "fault.h"
#include "format/crc32c.h"
#include "format/segment_file.h"
#include "format/segment_list.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int sl_segment_lock_byte(int fd, int command)
{
	// An OFD lock (l_pid 0) lives as long as the open file, which io_uring's writes keep alive.
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)SL_SEGMENT_LOCK_WRITER,
		.l_len = 1,
	};
	int result;

	do {
		result = fcntl(fd, command, &lock);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : 0;
}

int sl_segment_open_direct(const char *path, int flags, struct sl_err *err)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC | flags, 0640);
	int result = -errno;

	if (fd >= 0)
		return fd;
	if (result == -EINVAL)
		return sl_err_set(err, result,
			"%s: the file system refuses O_DIRECT: put the store on ext4 or XFS", path);
	return sl_err_set(err, result, "cannot open %s: %s", path, strerror(-result));
}

int sl_segment_sync_directory(const char *path, struct sl_err *err)
{
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_SKIP_NAME_FLUSH))
		return 0;
#endif
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (result < 0)
		return sl_err_set(
			err, result, "cannot flush the directory %s: %s", path, strerror(-result));
	return 0;
}

// From an empty temporary file to one that is whole on the disk, but for its name.
static int grow(int fd, uint64_t bytes)
{
	struct statvfs room;
	int result;

	// fallocate itself takes all that is left before it fails, and starves the other lanes.
	if (fstatvfs(fd, &room) < 0)
		return -errno;
	if (bytes / room.f_frsize >= room.f_bavail)
		return -ENOSPC;
	do {
		result = fallocate(fd, 0, 0, (off_t)bytes) < 0 ? -errno : 0;
	} while (result == -EINTR);
	if (result == 0 && fdatasync(fd) < 0)
		result = -errno;
	return result;
}

// A file that holds the number under its final name; -1 with errno.
static int give_birth(const char *lane_path, uint64_t number, uint64_t bytes, struct sl_err *err)
{
	char temp_path[SL_PATH_BYTES_MAX], path[SL_PATH_BYTES_MAX];
	int result = sl_segment_temp_path(temp_path, lane_path, number, err);
	int fd;

	if (result == 0)
		result = sl_segment_path(path, lane_path, number, err);
	if (result < 0)
		return result;
	fd = sl_segment_open_direct(temp_path, O_CREAT | O_TRUNC, err);
	if (fd < 0)
		return fd;
	result = grow(fd, bytes);
	// Before the name: who sees a segment sees it locked.
	if (result == 0)
		result = sl_segment_lock_byte(fd, F_OFD_SETLK);
	if (result == -ENOSPC || result == -EDQUOT) {
		sl_err_set(err, result,
			"no %s for a segment of %" PRIu64
			" bytes in %s: free some, or set retention_bytes or segment_bytes lower",
			result == -ENOSPC ? "room" : "quota", bytes, lane_path);
		goto remove_temp;
	}
	SL_FAULT_POINT(BIRTH_GROWN);
	// Numbers are never used twice: never take the place of a file that is there.
	if (result == 0 && renameat2(AT_FDCWD, temp_path, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		result = -errno;
	if (result < 0) {
		sl_err_set(err, result, "cannot make the segment %s: %s", path, strerror(-result));
		goto remove_temp;
	}
	SL_FAULT_POINT(BIRTH_RENAMED);
	result = sl_segment_sync_directory(lane_path, err);
	if (result == 0)
		return fd;
	unlink(path);
remove_temp:
	unlink(temp_path);
	close(fd);
	return result;
}

struct sl_segment *sl_segment_allocate(uint64_t number, uint64_t file_bytes, struct sl_err *err)
{
	struct sl_segment *segment = calloc(1, sizeof(*segment));

	if (segment == NULL) {
		sl_err_set(err, -ENOMEM, "no memory for a segment");
		errno = ENOMEM;
		return NULL;
	}
	*segment = (struct sl_segment){.fd = -1, .number = number, .file_bytes = file_bytes};
	return segment;
}

static struct sl_segment *fail(struct sl_segment *segment, int result)
{
	sl_segment_close(segment);
	errno = -result;
	return NULL;
}

struct sl_segment *sl_segment_create(
	const char *lane_path, uint64_t number, uint64_t file_bytes, struct sl_err *err)
{
	struct sl_segment *segment = sl_segment_allocate(number, file_bytes, err);

	assert(file_bytes % SL_BLOCK_BYTES == 0);
	if (segment == NULL)
		return NULL;
	segment->fd = give_birth(lane_path, number, file_bytes, err);
	return segment->fd < 0 ? fail(segment, segment->fd) : segment;
}

static int wait_for_lock(int fd, const char *path)
{
	int result = sl_segment_lock_byte(fd, F_OFD_SETLK);

	if (result != -EAGAIN && result != -EACCES)
		return result;
	sl_log_notice("recovery", "%s: waiting for I/O of the previous run", path);
	return sl_segment_lock_byte(fd, F_OFD_SETLKW);
}

struct sl_segment *sl_segment_open(const char *lane_path, uint64_t number, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	struct sl_segment *segment = sl_segment_allocate(number, 0, err);
	struct stat status;
	int result;

	if (segment == NULL)
		return NULL;
	result = sl_segment_path(path, lane_path, number, err);
	if (result == 0)
		result = segment->fd = sl_segment_open_direct(path, 0, err);
	if (result < 0)
		return fail(segment, result);
	result = wait_for_lock(segment->fd, path);
	if (result == 0 && fstat(segment->fd, &status) < 0)
		result = -errno;
	if (result < 0) {
		sl_err_set(err, result, "cannot lock %s: %s", path, strerror(-result));
		return fail(segment, result);
	}
	segment->file_bytes = (uint64_t)status.st_size;
	segment->formatted_bytes = sl_segment_written_bytes(segment->fd, segment->file_bytes);
	return segment;
}

static void fill_footer(void *block, const struct sl_segment *segment, uint16_t lane,
	uint64_t epoch, uint32_t salt_crc)
{
	struct sl_segment_footer *footer = block;

	memset(block, 0, SL_BLOCK_BYTES);
	*footer = (struct sl_segment_footer){
		.magic = SL_FOOTER_MAGIC,
		.version = SL_FORMAT_VERSION,
		.footer_bytes = sizeof(*footer),
		.last_body_crc = segment->last_body_crc,
		.lane = lane,
		.segment = segment->number,
		.epoch = epoch,
		.first_number = segment->first_number,
		.last_number = segment->last_number,
		.end_position = segment->end_position,
		.event_count = segment->event_count,
		.time_first_ns = segment->time_first_ns,
		.time_last_ns = segment->time_last_ns,
	};
	footer->footer_crc = sl_crc32c(salt_crc, footer, sizeof(*footer));
}

int sl_segment_seal(struct sl_segment *segment, uint16_t lane, uint64_t epoch, uint32_t salt_crc,
	struct sl_err *err)
{
	void *block = aligned_alloc(SL_BLOCK_BYTES, SL_BLOCK_BYTES);
	ssize_t count = 0;
	int result;

	if (block == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for a footer");
	fill_footer(block, segment, lane, epoch, salt_crc);
	// The footer says that all batches are durable: they must be, before it is.
	result = segment->is_flushed || fdatasync(segment->fd) == 0 ? 0 : -errno;
	segment->is_flushed = result == 0;
	SL_FAULT_POINT(SEAL_FLUSHED);
	if (result == 0) {
		count = pwrite(segment->fd, block, SL_BLOCK_BYTES,
			(off_t)sl_segment_usable_bytes(segment));
		result = count < 0 ? -errno : count < (ssize_t)SL_BLOCK_BYTES ? -EIO : 0;
	}
	SL_FAULT_POINT(SEAL_WRITTEN);
	if (result == 0 && fdatasync(segment->fd) < 0)
		result = -errno;
	free(block);
	if (result < 0)
		return sl_err_set(err, result, "cannot seal segment %" PRIu64 " of lane %u: %s",
			segment->number, lane, strerror(-result));
	return 0;
}

uint64_t sl_segment_trim(struct sl_segment *segment)
{
	uint64_t usable_bytes = sl_segment_usable_bytes(segment);
	uint64_t unused_bytes = usable_bytes - segment->end_position;

	if (segment->end_position == 0 || segment->end_position > segment->file_bytes / 2)
		return segment->file_bytes;
	if (fallocate(segment->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    (off_t)segment->end_position, (off_t)unused_bytes) < 0) {
		sl_log_debug("store", "segment %" PRIu64 ": cannot give its unused room back: %s",
			segment->number, strerror(errno));
		return segment->file_bytes;
	}
	return segment->file_bytes - unused_bytes;
}

void sl_segment_close(struct sl_segment *segment)
{
	if (segment == NULL)
		return;
	if (segment->fd >= 0)
		close(segment->fd);
	free(segment);
}

int sl_segment_remove(const char *lane_path, uint64_t number, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int result = sl_segment_path(path, lane_path, number, err);

	if (result < 0)
		return result;
	if (unlink(path) < 0 && errno != ENOENT) {
		result = -errno;
		return sl_err_set(err, result, "cannot remove %s: %s", path, strerror(-result));
	}
	return 0;
}

int sl_segment_discard(const char *lane_path, uint64_t number, struct sl_err *err)
{
	int result = sl_segment_remove(lane_path, number, err);

	return result == 0 ? sl_segment_sync_directory(lane_path, err) : result;
}

static int remove_temps(const char *lane_path, struct sl_err *err)
{
	struct sl_segment_list list;
	int result = sl_segment_list_read_temps(&list, lane_path, err);
	char path[SL_PATH_BYTES_MAX];

	for (size_t i = 0; result == 0 && i < list.count; i++) {
		result = sl_segment_temp_path(path, lane_path, list.numbers[i], err);
		if (result == 0 && unlink(path) < 0 && errno != ENOENT) {
			result = -errno;
			sl_err_set(err, result, "cannot remove %s: %s", path, strerror(-result));
		}
	}
	sl_segment_list_free(&list);
	return result;
}

// Blocks that delayed allocation or the file system's own tables add are not the segment's.
static uint64_t disk_bytes(int fd, uint64_t file_bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return file_bytes;
	return SL_MIN((uint64_t)status.st_blocks * 512, file_bytes);
}

// Size and footer of one segment; -ENOENT when it vanished meanwhile.
static int examine(struct sl_segment_entry *entry, const char *lane_path, uint16_t lane,
	uint32_t salt_crc, struct sl_err *err)
{
	struct sl_segment_file *file;
	int result = sl_segment_file_open(&file, lane_path, lane, entry->number, salt_crc, err);

	if (result < 0)
		return result;
	entry->file_bytes = file->file_bytes;
	entry->disk_bytes = disk_bytes(file->fd, file->file_bytes);
	entry->sealed = file->is_sealed;
	if (file->is_sealed) {
		entry->time_last_ns = file->footer.time_last_ns;
		entry->event_count = file->footer.event_count;
	}
	sl_segment_file_close(file);
	return 0;
}

int sl_segment_list(const char *lane_path, uint16_t lane, uint32_t salt_crc, bool remove_temporary,
	struct sl_segment_entry **entries, uint32_t *entry_count, struct sl_err *err)
{
	struct sl_segment_list list;
	int result = remove_temporary ? remove_temps(lane_path, err) : 0;

	*entries = NULL;
	*entry_count = 0;
	if (result == 0)
		result = sl_segment_list_read(&list, lane_path, err);
	if (result < 0)
		return result;
	*entries = calloc(SL_MAX(list.count, 1u), sizeof(**entries));
	if (*entries == NULL)
		result = sl_err_set(err, -ENOMEM, "no memory for the list of segments");
	for (size_t i = 0; result == 0 && i < list.count; i++) {
		struct sl_segment_entry *entry = &(*entries)[*entry_count];

		*entry = (struct sl_segment_entry){.number = list.numbers[i]};
		result = examine(entry, lane_path, lane, salt_crc, err);
		if (result == -ENOENT)
			result = 0; // expired between listing and opening
		else if (result == 0)
			(*entry_count)++;
	}
	sl_segment_list_free(&list);
	if (result < 0) {
		free(*entries);
		*entries = NULL;
		*entry_count = 0;
	}
	return result;
}
