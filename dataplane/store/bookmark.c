/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/bookmark.h"

#include "fault.h"
#include "format/crc32c.h"
#include "store/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t states_crc(const struct sl_bookmark_block *block, uint32_t salt_crc)
{
	return sl_crc32c(salt_crc, (const char *)block + sizeof(block->bookmark),
		sizeof(*block) - sizeof(block->bookmark));
}

static void fill(struct sl_bookmark_block *block, const struct sl_lane *lane)
{
	const struct sl_segment *segment = lane->segment;
	struct sl_segment_bookmark *bookmark = &block->bookmark;

	memset(block, 0, sizeof(*block));
	*bookmark = (struct sl_segment_bookmark){
		.magic = SL_BOOKMARK_MAGIC,
		.version = SL_FORMAT_VERSION,
		.bookmark_bytes = sizeof(*bookmark),
		.last_body_crc = segment->last_body_crc,
		.lane = lane->lane,
		.state_count = lane->owned_count,
		.segment = segment->number,
		.epoch = lane->epoch,
		.first_number = segment->first_number,
		.last_number = segment->last_number,
		.end_position = segment->end_position,
		.event_count = segment->event_count,
		.time_first_ns = segment->time_first_ns,
		.time_last_ns = segment->time_last_ns,
	};
	for (uint32_t i = 0; i < lane->owned_count; i++) {
		const struct sl_partition *partition = &lane->partitions[lane->owned[i]];

		block->states[i] = (struct sl_partition_state){
			.next_offset = partition->next_offset,
			.term_start = partition->term_start,
			.term = partition->term,
			.partition = lane->owned[i],
		};
	}
	bookmark->states_crc = states_crc(block, lane->salt_crc);
	bookmark->bookmark_crc = sl_crc32c(lane->salt_crc, bookmark, sizeof(*bookmark));
}

// Else a partition's next offset counts events that were given up.
static bool has_stored_all(const struct sl_lane *lane)
{
	for (uint32_t i = 0; i < lane->owned_count; i++) {
		uint16_t partition = lane->owned[i];

		if (SL_LOAD_ACQUIRE(lane->shm_partitions[partition].watermark) !=
			lane->partitions[partition].next_offset)
			return false;
	}
	return true;
}

int sl_bookmark_write(const struct sl_lane *lane, struct sl_err *err)
{
	const struct sl_segment *segment = lane->segment;
	struct sl_bookmark_block *block;
	ssize_t count;
	int result;

	if (lane->owned_count > SL_BOOKMARK_STATE_COUNT_MAX)
		return sl_err_set(err, -E2BIG, "lane %u: %u partitions are too many for a bookmark",
			lane->lane, lane->owned_count);
	if (!has_stored_all(lane))
		return sl_err_set(err, -EBUSY,
			"lane %u: events of its partitions have been given up", lane->lane);
	block = aligned_alloc(SL_BLOCK_BYTES, sizeof(*block));
	if (block == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for a bookmark");
	fill(block, lane);
	count = pwrite(segment->fd, block, sizeof(*block), (off_t)sl_segment_usable_bytes(segment));
	result = count < 0 ? -errno : count < (ssize_t)sizeof(*block) ? -EIO : 0;
	if (result == 0 && fdatasync(segment->fd) < 0)
		result = -errno;
	free(block);
	if (result < 0)
		return sl_err_set(err, result,
			"lane %u: cannot write the bookmark of segment %" PRIu64 ": %s", lane->lane,
			segment->number, strerror(-result));
	return 0;
}

static bool is_whole(struct sl_bookmark_block *block, const struct sl_segment_file *file)
{
	struct sl_segment_bookmark *bookmark = &block->bookmark;
	uint32_t crc = bookmark->bookmark_crc;

	bookmark->bookmark_crc = 0;
	return bookmark->magic == SL_BOOKMARK_MAGIC &&
		sl_crc32c(file->salt_crc, bookmark, sizeof(*bookmark)) == crc &&
		states_crc(block, file->salt_crc) == bookmark->states_crc &&
		bookmark->version == SL_FORMAT_VERSION &&
		bookmark->bookmark_bytes == sizeof(*bookmark) &&
		bookmark->state_count <= SL_BOOKMARK_STATE_COUNT_MAX &&
		bookmark->lane == file->lane && bookmark->segment == file->number &&
		bookmark->end_position >= 2 * SL_BLOCK_BYTES &&
		bookmark->end_position <= sl_segment_file_usable_bytes(file) &&
		bookmark->end_position % SL_BLOCK_BYTES == 0;
}

static const struct sl_batch_header *batch_at(
	struct sl_segment_file *file, uint64_t position, bool only_header)
{
	const struct sl_batch_header *header;
	enum sl_batch_verdict verdict;

	if (sl_segment_file_batch(file, position, only_header, &header, &verdict, NULL) != 0 ||
		verdict != SL_BATCH_OK)
		return NULL;
	return header;
}

static bool ends_with_mark(struct sl_segment_file *file, const struct sl_segment_bookmark *bookmark)
{
	const struct sl_batch_header *mark =
		batch_at(file, bookmark->end_position - SL_BLOCK_BYTES, false);

	return mark != NULL && mark->kind == SL_BATCH_MARK &&
		(mark->flags & SL_BATCH_FLAG_CLEAN_STOP) != 0 &&
		mark->number == bookmark->last_number &&
		mark->body_crc == bookmark->last_body_crc && mark->epoch == bookmark->epoch;
}

// A start that went on here began right behind the mark. Its epoch would have told, unless
// lane.meta has lost its newer slot since.
static bool went_on(struct sl_segment_file *file, const struct sl_segment_bookmark *bookmark)
{
	const struct sl_batch_header *next = batch_at(file, bookmark->end_position, true);

	return next != NULL && next->epoch >= bookmark->epoch;
}

bool sl_bookmark_read(struct sl_segment_file *file, uint64_t epoch, struct sl_bookmark_block *block)
{
	const void *data;

	file->ahead_bytes = SL_BLOCK_BYTES;
	if (sl_segment_file_bytes(
		    file, sl_segment_file_usable_bytes(file), sizeof(*block), &data, NULL) != 0)
		return false;
	memcpy(block, data, sizeof(*block));
	if (!is_whole(block, file))
		return false;
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_TRUST_BOOKMARK))
		return true;
#endif
	return block->bookmark.epoch == epoch && ends_with_mark(file, &block->bookmark) &&
		!went_on(file, &block->bookmark);
}
