/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/store/mend_internal.h"

#include "format/lane_reader.h"
#include "format/segment_index_build.h"
#include "format/segment_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (1024u * 1024)
#define ASIDE_COUNT_MAX 100

static int fail(struct sl_mend_copy *copy, int result, const char *what)
{
	return sl_err_set(
		copy->err, result, "cannot %s %s: %s", what, copy->path, strerror(-result));
}

int sl_mend_read(struct sl_mend_copy *copy, uint64_t position, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t count = pread(
			copy->fd, copy->memory + done, bytes - done, (off_t)(position + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return fail(copy, count < 0 ? -errno : -EIO, "read");
		done += (size_t)count;
	}
	return 0;
}

int sl_mend_write(struct sl_mend_copy *copy, uint64_t position, const void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t count = pwrite(copy->fd, (const char *)data + done, bytes - done,
			(off_t)(position + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return fail(copy, -errno, "write");
		done += (size_t)count;
	}
	return 0;
}

static int sync_directory(const struct sl_mend *mend, struct sl_err *err)
{
	int fd = open(mend->lane_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (result < 0)
		return sl_err_set(err, result, "cannot flush the directory %s: %s", mend->lane_path,
			strerror(-result));
	return 0;
}

// Writes of a process that was killed may still be landing: the file's lock ends with the last one.
static int open_locked(const struct sl_mend *mend, const char *path, struct sl_err *err)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)SL_SEGMENT_LOCK_WRITER,
		.l_len = 1,
	};
	int fd = open(path, O_RDWR | O_CLOEXEC), result;

	(void)mend;
	if (fd < 0) {
		result = -errno;
		return sl_err_set(err, result, "cannot open %s: %s", path, strerror(-result));
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return fd;
	result = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	close(fd);
	return sl_err_set(err, result,
		"%s is locked: writes of the previous run are still landing; try again", path);
}

// A name beside the segment's that is free, or that is the original already (a repair was killed).
static int keep_original(const struct sl_mend *mend, const char *path, struct sl_err *err)
{
	struct stat original, other;

	if (stat(path, &original) < 0)
		return sl_err_set(err, -errno, "cannot examine %s: %s", path, strerror(errno));
	for (int i = 0; i < ASIDE_COUNT_MAX; i++) {
		char aside[SL_PATH_BYTES_MAX + 16];

		snprintf(aside, sizeof(aside), i == 0 ? "%s.damaged" : "%s.damaged.%d", path, i);
		if (link(path, aside) == 0)
			return sync_directory(mend, err);
		if (errno != EEXIST)
			return sl_err_set(err, -errno, "cannot keep %s as %s: %s", path, aside,
				strerror(errno));
		if (stat(aside, &other) == 0 && other.st_ino == original.st_ino)
			return 0;
	}
	return sl_err_set(err, -EEXIST, "%s: too many .damaged files beside it", path);
}

static void note_unreadable(struct sl_mend_copy *copy, uint64_t position)
{
	const struct sl_mend *mend = copy->mend;

	for (size_t i = 0; i < mend->finding_count; i++) {
		const struct sl_chain_hole *hole = &mend->findings[i]->hole;

		if (position >= hole->position &&
			(!hole->is_resumed || position < hole->end_position))
			return;
	}
	copy->unreadable = SL_MIN(copy->unreadable, position);
}

// All of the original; what the drive cannot read stays zero.
static int copy_all(struct sl_mend_copy *copy, int source, uint64_t bytes)
{
	for (uint64_t position = 0; position < bytes;) {
		off_t data = lseek(source, (off_t)position, SEEK_DATA);
		ssize_t count;
		int result;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data > (off_t)position)
			position = (uint64_t)data;
		count = pread(source, copy->memory, COPY_BYTES, (off_t)position);
		if (count < 0)
			count = pread(source, copy->memory, SL_BLOCK_BYTES, (off_t)position);
		if (count == 0)
			return 0;
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0) {
			note_unreadable(copy, position);
			position = SL_ALIGN_UP(position + 1, (uint64_t)SL_BLOCK_BYTES);
			continue;
		}
		result = sl_mend_write(copy, position, copy->memory, (size_t)count);
		if (result < 0)
			return result;
		position += (uint64_t)count;
	}
	return 0;
}

// Zeros from the end of the log on: nothing there vouches for anything any more. Then the length,
// with all its blocks reserved.
static int set_length(struct sl_mend_copy *copy)
{
	int result;

	if (ftruncate(copy->fd, (off_t)copy->end_position) < 0)
		return fail(copy, -errno, "cut");
	copy->file_bytes = SL_MAX(copy->file_bytes, copy->end_position + SL_BLOCK_BYTES);
	do {
		result = fallocate(copy->fd, 0, 0, (off_t)copy->file_bytes) < 0 ? -errno : 0;
	} while (result == -EINTR);
	if (result == -EOPNOTSUPP)
		result = ftruncate(copy->fd, (off_t)copy->file_bytes) < 0 ? -errno : 0;
	return result < 0 ? fail(copy, result, "reserve the blocks of") : 0;
}

// Room for every number of the hole, its records, and the footer.
static uint64_t gone_bytes(const struct sl_mend *mend)
{
	const struct sl_finding *finding = mend->findings[0];
	uint64_t numbers = finding->hole.last_number - finding->hole.first_number + 1;
	uint64_t records = (mend->partition_count + finding->lost_count) * 24ull;

	return (numbers + 4) * SL_BLOCK_BYTES + SL_ALIGN_UP(records, (uint64_t)SL_BLOCK_BYTES) * 2;
}

// What a later segment has taken over is no part of this one (docs/format.md, "The chain").
static int find_number_end(struct sl_mend_copy *copy)
{
	const struct sl_mend *mend = copy->mend;
	struct sl_segment_list list;
	int result = sl_segment_list_read(&list, mend->lane_path, copy->err);

	copy->number_end = UINT64_MAX;
	for (size_t i = 0; result == 0 && i < list.count; i++) {
		struct sl_takeover takeover = {0};
		struct sl_segment_file *file;

		if (list.numbers[i] <= mend->segment)
			continue;
		result = sl_segment_file_open(&file, mend->lane_path, mend->lane, list.numbers[i],
			mend->salt_crc, copy->err);
		if (result == -EBADMSG) {
			result = 0;
			continue;
		}
		if (result == 0)
			result = sl_takeover_read(file, &takeover, copy->err);
		sl_segment_file_close(file);
		if (takeover.number != 0)
			copy->number_end = SL_MIN(copy->number_end, takeover.number);
	}
	sl_segment_list_free(&list);
	return result;
}

// The log must not end where a block could be read when it was judged, and now cannot.
static int check_end(struct sl_mend_copy *copy)
{
	const struct sl_mend *mend = copy->mend;
	uint64_t last_number = mend->is_tail ? mend->tail_number : copy->number_end - 1;

	if (copy->unreadable == UINT64_MAX || copy->last_number >= last_number)
		return 0;
	return sl_err_set(copy->err, -EIO,
		"segment %" PRIu64 " of %s cannot be read at position %" PRIu64
		", but could be a moment ago: it stays as it is; run this again",
		mend->segment, mend->lane_path, copy->unreadable);
}

static int make(struct sl_mend_copy *copy, int source)
{
	const struct sl_mend *mend = copy->mend;
	bool was_sealed = !mend->is_tail;
	struct stat status;
	int result = 0;

	if (source < 0) {
		copy->file_bytes = gone_bytes(mend);
	} else {
		if (fstat(source, &status) < 0)
			return fail(copy, -errno, "examine");
		copy->file_bytes = (uint64_t)status.st_size;
		if (copy->file_bytes < 2 * SL_BLOCK_BYTES || copy->file_bytes % SL_BLOCK_BYTES != 0)
			copy->file_bytes = SL_MAX(mend->segment_bytes,
				SL_ALIGN_UP(copy->file_bytes, (uint64_t)SL_BLOCK_BYTES) +
					2 * SL_BLOCK_BYTES);
		result = copy_all(copy, source, (uint64_t)status.st_size);
	}
	if (result == 0 && ftruncate(copy->fd, (off_t)copy->file_bytes) < 0)
		result = fail(copy, -errno, "set the length of");
	for (size_t i = 0; result == 0 && i < mend->finding_count; i++)
		result = sl_mend_fill(copy, mend->findings[i]);
	if (result == 0)
		result = find_number_end(copy);
	if (result == 0)
		result = sl_mend_walk(copy);
	if (result == 0)
		result = check_end(copy);
	if (result == 0 && copy->first_number == 0)
		return sl_err_set(
			copy->err, -EBADMSG, "%s: no batch of it can be mended", copy->path);
	if (result == 0)
		result = sl_mend_fill_tail(copy);
	if (result == 0)
		result = set_length(copy);
	if (result == 0 && was_sealed)
		result = sl_mend_write_footer(copy);
	if (result == 0 && fsync(copy->fd) < 0)
		result = fail(copy, -errno, "flush");
	return result;
}

// The index of a segment that is mended knows other batches. Gone before the segment is another.
static int remove_index(const struct sl_mend *mend, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int result = sl_segment_index_path(path, mend->lane_path, mend->segment, err);

	if (result < 0)
		return result;
	if (unlink(path) < 0 && errno != ENOENT)
		return sl_err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	return sync_directory(mend, err);
}

int sl_mend_index(const struct sl_mend *mend, struct sl_err *err)
{
	struct sl_index_builder *builder;
	int result = remove_index(mend, err);

	if (result == 0)
		result = sl_index_builder_create(
			&builder, mend->lane_path, mend->lane, mend->segment, mend->salt_crc, err);
	// One that is not sealed has none.
	if (result < 0)
		return result == -EAGAIN ? 0 : result;
	do {
		result = sl_index_builder_step(builder, UINT32_MAX, err);
	} while (result > 0);
	if (result == 0)
		result = sl_index_builder_write(builder, err);
	sl_index_builder_destroy(builder);
	return result;
}

static int open_copy(struct sl_mend_copy *copy, const struct sl_mend *mend, const char *temp_path,
	struct sl_err *err)
{
	*copy = (struct sl_mend_copy){.mend = mend, .err = err, .unreadable = UINT64_MAX};
	snprintf(copy->path, sizeof(copy->path), "%s", temp_path);
	copy->memory = aligned_alloc(SL_BLOCK_BYTES, SL_BATCH_BYTES_MAX);
	if (copy->memory == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to mend %s", temp_path);
	copy->fd = open(temp_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (copy->fd < 0) {
		free(copy->memory);
		return fail(copy, -errno, "make");
	}
	return 0;
}

int sl_mend_segment(const struct sl_mend *mend, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX], temp_path[SL_PATH_BYTES_MAX];
	struct sl_mend_copy copy;
	int source = -1;
	int result = sl_segment_path(path, mend->lane_path, mend->segment, err);

	if (result == 0)
		result = sl_segment_temp_path(temp_path, mend->lane_path, mend->segment, err);
	if (result == 0 && !mend->is_gone)
		result = source = open_locked(mend, path, err);
	if (result < 0)
		return result;
	result = open_copy(&copy, mend, temp_path, err);
	if (result == 0) {
		result = make(&copy, source);
		close(copy.fd);
		free(copy.memory);
	}
	if (result == 0 && mend->keep_original && !mend->is_gone)
		result = keep_original(mend, path, err);
	if (result == 0)
		result = remove_index(mend, err);
	// From here on the segment is the mended one.
	if (result == 0 && rename(temp_path, path) < 0)
		result = sl_err_set(err, -errno, "cannot rename %s to %s: %s", temp_path, path,
			strerror(errno));
	if (result == 0)
		result = sync_directory(mend, err);
	else
		unlink(temp_path);
	if (source >= 0)
		close(source);
	return result < 0 ? result : sl_mend_index(mend, err);
}

int sl_mend_footer(const struct sl_mend *mend, struct sl_err *err)
{
	struct sl_mend_copy copy = {.mend = mend, .err = err};
	struct stat status;
	int result = sl_segment_path(copy.path, mend->lane_path, mend->segment, err);

	if (result == 0)
		result = copy.fd = open_locked(mend, copy.path, err);
	if (result < 0)
		return result;
	copy.memory = aligned_alloc(SL_BLOCK_BYTES, SL_BATCH_BYTES_MAX);
	if (copy.memory == NULL || fstat(copy.fd, &status) < 0) {
		result = sl_err_set(err, -ENOMEM, "no memory to mend %s", copy.path);
	} else {
		copy.file_bytes = (uint64_t)status.st_size;
		result = find_number_end(&copy);
		if (result == 0)
			result = sl_mend_walk(&copy);
	}
	if (result == 0)
		result = remove_index(mend, err);
	// A footer says that what is in front of it is on the drive.
	if (result == 0 && fsync(copy.fd) < 0)
		result = fail(&copy, -errno, "flush");
	if (result == 0)
		result = sl_mend_write_footer(&copy);
	if (result == 0 && fsync(copy.fd) < 0)
		result = fail(&copy, -errno, "flush");
	free(copy.memory);
	close(copy.fd);
	return result < 0 ? result : sl_mend_index(mend, err);
}

int sl_mend_put_aside(const struct sl_mend *mend, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int result = sl_segment_path(path, mend->lane_path, mend->segment, err);

	if (result == 0 && mend->keep_original)
		result = keep_original(mend, path, err);
	if (result == 0 && unlink(path) < 0 && errno != ENOENT)
		result = sl_err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	return result < 0 ? result : remove_index(mend, err);
}
