/* SPDX-License-Identifier: BSD-3-Clause */
// Segments whose blocks have been written before: from expired ones, or by writing them once.
#include "fault.h"
#include "format/segment_list.h"
#include "store/segment_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Readers lock this byte shared before they trust the name: while it is ours, nobody reads.
static int lock_out_readers(int fd, short type)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)SL_SEGMENT_LOCK_READER,
		.l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -EBUSY : 0;
}

static int check_length(int fd, uint64_t file_bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	// One that was trimmed has no written blocks to offer.
	return (uint64_t)status.st_size == file_bytes &&
			(uint64_t)status.st_blocks * 512 >= file_bytes
		? 0
		: -ESTALE;
}

// Two renames, so that a crash in between leaves a leftover that recovery removes, never a segment
// under a number that was not born.
static int rename_twice(const char *expired_path, const char *temp_path, const char *path)
{
	if (renameat2(AT_FDCWD, expired_path, AT_FDCWD, temp_path, RENAME_NOREPLACE) < 0)
		return -errno;
	SL_FAULT_POINT(RECYCLE_HALF);
	if (renameat2(AT_FDCWD, temp_path, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	int result = -errno;
	// It expires as it was, when it is due; what cannot be put back is a leftover.
	if (renameat2(AT_FDCWD, temp_path, AT_FDCWD, expired_path, RENAME_NOREPLACE) < 0)
		unlink(temp_path);
	return result;
}

static int take_over(struct sl_segment *segment, const char *expired_path, const char *lane_path,
	struct sl_err *err)
{
	char temp_path[SL_PATH_BYTES_MAX], path[SL_PATH_BYTES_MAX];
	int result = sl_segment_temp_path(temp_path, lane_path, segment->number, err);

	if (result == 0)
		result = sl_segment_path(path, lane_path, segment->number, err);
	if (result < 0)
		return result;
	result = segment->fd = sl_segment_open_direct(expired_path, 0, err);
	if (result < 0)
		return result;
	result = check_length(segment->fd, segment->file_bytes);
	if (result == 0)
		result = lock_out_readers(segment->fd, F_WRLCK);
	if (result == 0)
		result = sl_segment_lock_byte(segment->fd, F_OFD_SETLK);
	if (result == 0)
		result = rename_twice(expired_path, temp_path, path);
	if (result < 0)
		return sl_err_set(
			err, result, "cannot recycle %s: %s", expired_path, strerror(-result));
	lock_out_readers(segment->fd, F_UNLCK);
	return 0;
}

static int sync_directories(
	const char *expired_lane_path, const char *lane_path, struct sl_err *err)
{
	int result = sl_segment_sync_directory(lane_path, err);

	if (result == 0 && strcmp(expired_lane_path, lane_path) != 0)
		result = sl_segment_sync_directory(expired_lane_path, err);
	return result;
}

struct sl_segment *sl_segment_recycle(const char *expired_lane_path, uint64_t expired_number,
	const char *lane_path, uint64_t number, uint64_t file_bytes, struct sl_err *err)
{
	char expired_path[SL_PATH_BYTES_MAX];
	struct sl_segment *segment = sl_segment_allocate(number, file_bytes, err);
	int result;

	if (segment == NULL)
		return NULL;
	result = sl_segment_path(expired_path, expired_lane_path, expired_number, err);
	if (result == 0)
		result = take_over(segment, expired_path, lane_path, err);
	SL_FAULT_POINT(RECYCLE_RENAMED);
	if (result == 0) {
		result = sync_directories(expired_lane_path, lane_path, err);
		// Its new name may not last: it must not be written under it.
		if (result < 0)
			sl_segment_remove(lane_path, number, NULL);
	}
	if (result < 0) {
		sl_segment_close(segment);
		errno = -result;
		return NULL;
	}
	segment->formatted_bytes = file_bytes;
	return segment;
}

int sl_segment_format_step(
	struct sl_segment *segment, const void *zeros, uint64_t bytes_max, struct sl_err *err)
{
	uint64_t bytes = SL_MIN(bytes_max, segment->file_bytes - segment->formatted_bytes);
	ssize_t written = pwrite(segment->fd, zeros, bytes, (off_t)segment->formatted_bytes);
	int result = written < 0 ? -errno : 0;

	if (result == 0)
		segment->formatted_bytes += (uint64_t)written / SL_BLOCK_BYTES * SL_BLOCK_BYTES;
	if (result == 0 && segment->formatted_bytes == segment->file_bytes &&
		fdatasync(segment->fd) < 0)
		result = -errno;
	if (result < 0)
		return sl_err_set(err, result, "cannot write zeros to segment %" PRIu64 ": %s",
			segment->number, strerror(-result));
	return 0;
}
