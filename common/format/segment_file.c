/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/segment_file.h"

#include "format/crc32c.h"
#include "format/segment_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Large enough for the drive's sequential speed; the window grows for larger batches.
#define WINDOW_BYTES (2u * 1024 * 1024)

static_assert(SL_BATCH_BYTES_MAX % SL_BLOCK_BYTES == 0, "the window is whole blocks");
static_assert(SL_BATCH_BYTES_MAX <= SL_READ_AHEAD_SPAN_BYTES_MAX, "a reader gives a batch whole");

static int open_direct(const char *path, struct sl_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int result;

	// A copy of a store may lie where O_DIRECT is refused: nobody writes there.
	if (fd < 0 && errno == EINVAL)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	result = -errno;
	return sl_err_set(err, result, "cannot open %s: %s", path, strerror(-result));
}

static bool is_named(int fd, const char *path)
{
	struct stat opened, named;

	return stat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
		named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

// -ENOENT when the writer has taken the segment back between listing and locking.
static int hold(int fd, const char *path, struct sl_err *err)
{
	struct flock lock = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)SL_SEGMENT_LOCK_READER,
		.l_len = 1,
	};
	int result;

	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		result = errno == EAGAIN || errno == EACCES ? -ENOENT : -errno;
		return sl_err_set(err, result, "cannot hold %s: %s", path, strerror(errno));
	}
	if (!is_named(fd, path))
		return sl_err_set(err, -ENOENT, "%s has expired", path);
	return 0;
}

static int read_length(struct sl_segment_file *file, struct sl_err *err)
{
	struct stat status;
	int result;

	if (fstat(file->fd, &status) < 0) {
		result = -errno;
		return sl_err_set(
			err, result, "cannot examine %s: %s", file->path, strerror(-result));
	}
	file->file_bytes = (uint64_t)status.st_size;
	if (file->is_shortened) {
		// As if the footer's block stood behind what is there.
		file->file_bytes = SL_ALIGN_UP(file->file_bytes, (uint64_t)SL_BLOCK_BYTES) +
			2 * SL_BLOCK_BYTES;
		return 0;
	}
	if (file->file_bytes < 2 * SL_BLOCK_BYTES || file->file_bytes % SL_BLOCK_BYTES != 0)
		return sl_err_set(err, -EBADMSG,
			"%s: a length of %" PRIu64 " bytes is no segment's: the file was truncated",
			file->path, file->file_bytes);
	return 0;
}

static int open_segment(struct sl_segment_file **opened, const char *lane_path, uint16_t lane,
	uint64_t number, uint32_t salt_crc, bool is_shortened, struct sl_err *err)
{
	struct sl_segment_file *file = calloc(1, sizeof(*file));
	int result;

	*opened = NULL;
	if (file == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for a segment");
	*file = (struct sl_segment_file){.fd = -1,
		.lane = lane,
		.number = number,
		.salt_crc = salt_crc,
		.is_shortened = is_shortened};
	result = sl_segment_path(file->path, lane_path, number, err);
	if (result == 0)
		result = file->fd = open_direct(file->path, err);
	if (result >= 0)
		result = hold(file->fd, file->path, err);
	if (result == 0)
		result = read_length(file, err);
	if (result == 0 && !is_shortened)
		result = sl_segment_file_read_footer(file, err);
	if (result < 0) {
		sl_segment_file_close(file);
		return result;
	}
	*opened = file;
	return 0;
}

int sl_segment_file_open(struct sl_segment_file **file, const char *lane_path, uint16_t lane,
	uint64_t number, uint32_t salt_crc, struct sl_err *err)
{
	return open_segment(file, lane_path, lane, number, salt_crc, false, err);
}

int sl_segment_file_open_shortened(struct sl_segment_file **file, const char *lane_path,
	uint16_t lane, uint64_t number, uint32_t salt_crc, struct sl_err *err)
{
	return open_segment(file, lane_path, lane, number, salt_crc, true, err);
}

bool sl_segment_file_has_expired(const struct sl_segment_file *file)
{
	return !is_named(file->fd, file->path);
}

void sl_segment_file_close(struct sl_segment_file *file)
{
	if (file == NULL)
		return;
	if (file->reader != NULL)
		sl_read_ahead_stop(file->reader);
	if (file->fd >= 0)
		close(file->fd);
	free(file->window);
	free(file);
}

void sl_segment_file_forget(struct sl_segment_file *file)
{
	file->window_bytes = 0;
	file->reader_position = UINT64_MAX;
}

void sl_segment_file_read_ahead(struct sl_segment_file *file, struct sl_read_ahead *reader)
{
	file->reader = reader;
	file->reader_position = UINT64_MAX;
}

static int grow_window(struct sl_segment_file *file, size_t bytes, struct sl_err *err)
{
	char *window;

	if (bytes <= file->window_capacity)
		return 0;
	window = aligned_alloc(SL_BLOCK_BYTES, bytes);
	if (window == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to read %s", file->path);
	if (file->window_bytes > 0)
		memcpy(window, file->window, file->window_bytes);
	free(file->window);
	file->window = window;
	file->window_capacity = bytes;
	return 0;
}

// -ENODATA: there is nothing to read at this position.
static int cannot_read(
	const struct sl_segment_file *file, uint64_t position, int error, struct sl_err *err)
{
	return sl_err_set(err, error == -ENODATA ? -EIO : error,
		"cannot read %s at position %" PRIu64 ": %s", file->path, position,
		error == -ENODATA ? "the file ends there" : strerror(-error));
}

// Reads until the window holds bytes from its position on.
static int fill_window(struct sl_segment_file *file, size_t bytes, struct sl_err *err)
{
	while (file->window_bytes < bytes) {
		uint64_t position = file->window_position + file->window_bytes;
		ssize_t count = pread(file->fd, file->window + file->window_bytes,
			bytes - file->window_bytes, (off_t)position);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return cannot_read(file, position, count < 0 ? -errno : -ENODATA, err);
		// Direct reads go on at a block; what is left of a broken one is read again.
		file->window_bytes += (size_t)count / SL_BLOCK_BYTES * SL_BLOCK_BYTES;
		file->bytes_read += (uint64_t)count;
	}
	return 0;
}

// Makes [position, position + bytes) part of the window, reading ahead_bytes when it must read.
static int load(struct sl_segment_file *file, uint64_t position, size_t bytes, size_t ahead_bytes,
	struct sl_err *err)
{
	uint64_t window_end = file->window_position + file->window_bytes;
	size_t wanted_bytes;
	int result;

	if (position >= file->window_position && position + bytes <= window_end)
		return 0;
	if (position >= file->window_position && position < window_end) {
		file->window_bytes = (size_t)(window_end - position);
		memmove(file->window, file->window + (position - file->window_position),
			file->window_bytes);
	} else {
		file->window_bytes = 0;
	}
	file->window_position = position;
	wanted_bytes = SL_MAX(bytes, ahead_bytes);
	wanted_bytes = (size_t)SL_MIN((uint64_t)wanted_bytes, file->file_bytes - position);
	result = grow_window(file, SL_MAX(wanted_bytes, (size_t)WINDOW_BYTES), err);
	if (result < 0)
		return result;
	result = fill_window(file, wanted_bytes, err);
	// What cannot be read may stand behind what is asked for.
	if (result < 0 && file->window_bytes < bytes && bytes < wanted_bytes)
		result = fill_window(file, bytes, err);
	return file->window_bytes >= bytes ? 0 : result;
}

static const void *at(const struct sl_segment_file *file, uint64_t position)
{
	return file->window + (position - file->window_position);
}

static int get_ahead(struct sl_segment_file *file, uint64_t position, size_t bytes,
	const void **data, struct sl_err *err)
{
	uint64_t unreadable;
	int error;

	if (position < file->reader_position)
		sl_read_ahead_begin(
			file->reader, file->fd, position, sl_segment_file_usable_bytes(file));
	file->reader_position = position;
	*data = sl_read_ahead_get(file->reader, position, bytes);
	unreadable = sl_read_ahead_unreadable(file->reader, &error);
	return unreadable < position + bytes ? cannot_read(file, unreadable, error, err) : 0;
}

// [position, position + bytes) of the file at *data, until the next call.
static int get(struct sl_segment_file *file, uint64_t position, size_t bytes, size_t ahead_bytes,
	const void **data, struct sl_err *err)
{
	int result;

	if (file->reader != NULL)
		return get_ahead(file, position, bytes, data, err);
	result = load(file, position, bytes, ahead_bytes, err);
	*data = result == 0 ? at(file, position) : NULL;
	return result;
}

int sl_segment_file_read_footer(struct sl_segment_file *file, struct sl_err *err)
{
	uint64_t position = sl_segment_file_usable_bytes(file);
	struct sl_segment_footer footer;
	uint32_t crc;
	int result;

	sl_segment_file_forget(file);
	result = load(file, position, SL_BLOCK_BYTES, 0, err);
	if (result < 0)
		return result;
	memcpy(&footer, at(file, position), sizeof(footer));
	sl_segment_file_forget(file);
	file->is_sealed = false;
	if (((footer.magic ^ SL_FOOTER_MAGIC) & SL_FOOTER_MAGIC_FAMILY) != 0)
		return 0;
	crc = footer.footer_crc;
	footer.footer_crc = 0;
	if (sl_crc32c(file->salt_crc, &footer, sizeof(footer)) != crc)
		return 0;
	if (footer.version != SL_FORMAT_VERSION)
		return sl_err_set(err, -EPROTO,
			"%s: footer of format version %u, this program knows version %d: read the "
			"store with the program that wrote it",
			file->path, footer.version, SL_FORMAT_VERSION);
	footer.footer_crc = crc;
	// One of an earlier life of the file, or of another file, does not count.
	if (footer.magic != SL_FOOTER_MAGIC || footer.lane != file->lane ||
		footer.segment != file->number || footer.footer_bytes != sizeof(footer) ||
		footer.end_position > position || footer.end_position % SL_BLOCK_BYTES != 0)
		return 0;
	file->footer = footer;
	file->is_sealed = true;
	return 0;
}

static enum sl_batch_verdict check_header(
	const struct sl_segment_file *file, uint64_t position, const void *header)
{
	const struct sl_batch_place place = {
		.lane = file->lane, .segment = file->number, .position = position};

	return sl_batch_check_header(
		header, file->salt_crc, &place, sl_segment_file_usable_bytes(file) - position);
}

int sl_segment_file_batch(struct sl_segment_file *file, uint64_t position, bool only_header,
	const struct sl_batch_header **batch, enum sl_batch_verdict *verdict, struct sl_err *err)
{
	size_t ahead_bytes = only_header ? 0
		: file->ahead_bytes > 0  ? file->ahead_bytes
					 : WINDOW_BYTES;
	const void *data;
	int result;

	*verdict = SL_BATCH_NO_MAGIC;
	if (position >= sl_segment_file_usable_bytes(file))
		return 0;
	result = get(file, position, SL_BLOCK_BYTES, ahead_bytes, &data, err);
	if (result < 0)
		return result;
	*verdict = check_header(file, position, data);
	if (*verdict == SL_BATCH_OK && !only_header) {
		result = get(file, position, (size_t)sl_batch_block_bytes(data), ahead_bytes, &data,
			err);
		if (result < 0)
			return result;
		*verdict = sl_batch_check_sum(data, file->salt_crc);
	}
	*batch = *verdict == SL_BATCH_OK ? data : NULL;
	return 0;
}

int sl_segment_file_bytes(struct sl_segment_file *file, uint64_t position, size_t bytes,
	const void **data, struct sl_err *err)
{
	uint64_t first = position / SL_BLOCK_BYTES * SL_BLOCK_BYTES;
	uint64_t end = SL_ALIGN_UP(position + bytes, (uint64_t)SL_BLOCK_BYTES);
	int result = load(file, first, (size_t)(end - first), 0, err);

	*data = result == 0 ? (const char *)at(file, first) + (position - first) : NULL;
	return result;
}

// The next position from here on that is no hole: blocks that were never written need no reading.
static uint64_t skip_hole(const struct sl_segment_file *file, uint64_t position)
{
	off_t data = lseek(file->fd, (off_t)position, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? file->file_bytes : position;
	return (uint64_t)data / SL_BLOCK_BYTES * SL_BLOCK_BYTES;
}

static bool is_zero(const void *block)
{
	static const char zeros[SL_BLOCK_BYTES];

	return memcmp(block, zeros, SL_BLOCK_BYTES) == 0;
}

static int look_at_block(struct sl_segment_file *file, uint64_t position,
	struct sl_look_ahead *ahead, struct sl_err *err)
{
	const struct sl_batch_header *header = at(file, position);
	enum sl_batch_verdict verdict = check_header(file, position, header);

	if (verdict == SL_BATCH_BAD_VERSION)
		return sl_err_set(err, -EPROTO,
			"%s: batch of format version %u at position %" PRIu64
			", this program knows version %d: read the store with the program that "
			"wrote it",
			file->path, header->version, position, SL_FORMAT_VERSION);
	ahead->byte_count += is_zero(header) ? 0 : SL_BLOCK_BYTES;
	if (verdict != SL_BATCH_OK)
		return 0;
	ahead->number_min = SL_MIN(ahead->number_min, header->number);
	ahead->epoch_max = SL_MAX(ahead->epoch_max, header->epoch);
	if (header->durable_mark > ahead->mark_max) {
		ahead->mark_max = header->durable_mark;
		ahead->mark_position = position;
	}
	return 0;
}

static bool skip_unreadable(const struct sl_segment_file *file, struct sl_look_ahead *ahead,
	int result, uint64_t *position)
{
	if (result != -EIO || !ahead->skips_unreadable)
		return false;
	ahead->unreadable_count++;
	*position = skip_hole(file, *position + SL_BLOCK_BYTES);
	return true;
}

int sl_segment_file_look_ahead(struct sl_segment_file *file, uint64_t position,
	struct sl_look_ahead *ahead, struct sl_err *err)
{
	uint64_t end = sl_segment_file_usable_bytes(file);

	sl_segment_file_forget(file);
	for (position = skip_hole(file, position); position < end;) {
		uint64_t window_end;
		int result = load(file, position, SL_BLOCK_BYTES, WINDOW_BYTES, err);

		if (skip_unreadable(file, ahead, result, &position))
			continue;
		if (result < 0)
			return result;
		window_end = SL_MIN(end, file->window_position + file->window_bytes);
		for (; position < window_end; position += SL_BLOCK_BYTES) {
			result = look_at_block(file, position, ahead, err);
			if (result < 0)
				return result;
		}
		position = skip_hole(file, position);
	}
	return 0;
}
