/* SPDX-License-Identifier: BSD-3-Clause */
// What no mark vouches for is written once more before anything is built on it: where a flush has
// failed in an earlier life, what a read shows may be nowhere but in a cache, and the next flush
// says that all is well. The bytes stay what they are, so a crash in between changes nothing.
#include "store/recovery_internal.h"

#include "bounds.h"
#include "fault.h"
#include "format/segment_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES SL_BATCH_BYTES_MAX

// Batches that stand side by side go in one write.
struct copy {
	const struct sl_segment *segment;
	char *buffer;
	uint64_t position; // of the buffer's first byte, in the file
	size_t bytes;
};

void sl_recovery_note_place(
	struct sl_recoverer *r, const struct sl_batch_header *batch, uint64_t mark)
{
	const struct sl_recovery_place here = {
		.index = r->current_index, .number = batch->number, .position = batch->position};

	if (r->unsure.number == 0 || mark + 1 >= here.number) {
		r->unsure = here;
		r->unsure_later.number = 0;
	} else if (r->unsure_later.number == 0) {
		r->unsure_later = here;
	} else if (mark + 1 >= r->unsure_later.number) {
		r->unsure = r->unsure_later;
		r->unsure_later = here;
	}
}

static int write_all(int fd, const char *data, size_t bytes, uint64_t position)
{
	while (bytes > 0) {
		ssize_t written = pwrite(fd, data, bytes, (off_t)position);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		// Direct writes go on at a block.
		written -= written % SL_BLOCK_BYTES;
		if (written == 0)
			return -EIO;
		data += written;
		bytes -= (size_t)written;
		position += (uint64_t)written;
	}
	return 0;
}

static int put(struct copy *copy, const struct sl_recoverer *r)
{
	int result = write_all(copy->segment->fd, copy->buffer, copy->bytes, copy->position);

	copy->position += copy->bytes;
	copy->bytes = 0;
	if (result < 0)
		return sl_err_set(r->err, result,
			"cannot write the end of segment %" PRIu64 " of %s again: %s",
			copy->segment->number, r->lane_path, strerror(-result));
	return 0;
}

static int add(struct copy *copy, const struct sl_recoverer *r, const struct sl_batch_header *batch)
{
	size_t bytes = (size_t)sl_batch_block_bytes(batch);
	int result = copy->bytes + bytes > BUFFER_BYTES ? put(copy, r) : 0;

	if (copy->bytes == 0)
		copy->position = batch->position;
	memcpy(copy->buffer + copy->bytes, batch, bytes);
	copy->bytes += bytes;
	return result;
}

static int write_batches(struct copy *copy, const struct sl_recoverer *r,
	struct sl_segment_file *file, uint64_t position, uint64_t end)
{
	int result = 0;

	while (result == 0 && position < end) {
		const struct sl_batch_header *batch;
		enum sl_batch_verdict verdict;

		result = sl_segment_file_batch(file, position, false, &batch, &verdict, r->err);
		if (result == 0 && verdict != SL_BATCH_OK)
			result = sl_err_set(r->err, -EIO,
				"%s: the batch at position %" PRIu64
				" is another one when it is read again: look at the drive",
				file->path, position);
		if (result < 0)
			return result;
		position += sl_batch_block_bytes(batch);
		if (batch->number > r->mark)
			result = add(copy, r, batch);
	}
	return result == 0 ? put(copy, r) : result;
}

static int write_segment(
	struct copy *copy, const struct sl_recoverer *r, uint32_t index, uint64_t position)
{
	struct sl_segment_file *file;
	int result = sl_segment_file_open(
		&file, r->lane_path, r->lane, r->entries[index].number, r->salt_crc, r->err);

	if (result < 0)
		return result;
	copy->segment = r->locked[index - r->tail_index];
	result = write_batches(copy, r, file, position, r->reaches[index].end_position);
	sl_segment_file_close(file);
	return result;
}

static int write_tail(struct sl_recoverer *r)
{
	struct copy copy = {.buffer = aligned_alloc(SL_BLOCK_BYTES, BUFFER_BYTES)};
	int result = 0;

	if (copy.buffer == NULL)
		return sl_err_set(r->err, -ENOMEM, "no memory to write the end of a lane again");
	for (uint32_t i = r->unsure.index; result == 0 && i <= r->end_index; i++)
		result = write_segment(&copy, r, i, i == r->unsure.index ? r->unsure.position : 0);
	free(copy.buffer);
	return result;
}

// Its batches were flushed before it was written; the flush behind it may have failed. Gone later,
// it would leave a segment without a footer among sealed ones, which never expires.
static int write_footer(struct sl_recoverer *r, uint64_t number)
{
	struct sl_segment *segment = sl_segment_open(r->lane_path, number, r->err);
	struct sl_segment_file *file = NULL;
	const void *block;
	int result;

	if (segment == NULL)
		return -errno;
	result = sl_segment_file_open(&file, r->lane_path, r->lane, number, r->salt_crc, r->err);
	if (result == 0)
		result = sl_segment_file_bytes(
			file, sl_segment_usable_bytes(segment), SL_BLOCK_BYTES, &block, r->err);
	if (result == 0) {
		result = write_all(
			segment->fd, block, SL_BLOCK_BYTES, sl_segment_usable_bytes(segment));
		if (result == 0 && fdatasync(segment->fd) < 0)
			result = -errno;
		if (result < 0)
			sl_err_set(r->err, result,
				"cannot write the footer of segment %" PRIu64 " of %s again: %s",
				number, r->lane_path, strerror(-result));
	}
	sl_segment_file_close(file);
	sl_segment_close(segment);
	return result;
}

int sl_recovery_rewrite(struct sl_recoverer *r)
{
	int result = 0;

	if (r->tail_index > 0)
		result = write_footer(r, r->entries[r->tail_index - 1].number);
	if (result == 0 && r->end_index != SL_RECOVERY_NO_INDEX && r->end_index >= r->tail_index)
		result = write_tail(r);
	SL_FAULT_POINT(RECOVERY_REWRITTEN);
	return result;
}
