/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/segment_index.h"

#include "format/crc32c.h"
#include "format/segment_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// No segment has more blocks, nor a batch more events: what is larger is no index.
#define INDEX_BYTES_MAX (1ull << 30)

static int read_all(int fd, char *bytes, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t part = pread(fd, bytes + done, count - done, (off_t)done);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return part < 0 ? -errno : -EBADMSG;
		done += (size_t)part;
	}
	return 0;
}

static int load(struct sl_segment_index *index, const char *path, size_t *count)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	int result = fd < 0 ? -errno : 0;

	if (result == 0 && fstat(fd, &status) < 0)
		result = -errno;
	if (result == 0 &&
		((uint64_t)status.st_size < sizeof(*index->header) ||
			(uint64_t)status.st_size > INDEX_BYTES_MAX))
		result = -EBADMSG;
	if (result == 0) {
		*count = (size_t)status.st_size;
		index->bytes = malloc(*count);
		result = index->bytes == NULL ? -ENOMEM : read_all(fd, index->bytes, *count);
	}
	if (fd >= 0)
		close(fd);
	return result;
}

static bool sum_is_right(char *bytes, size_t count, uint32_t salt_crc)
{
	struct sl_segment_index_header *header = (struct sl_segment_index_header *)bytes;
	uint32_t crc = header->crc;
	bool is_right;

	header->crc = 0;
	is_right = sl_crc32c(salt_crc, bytes, count) == crc;
	header->crc = crc;
	return is_right;
}

static bool partition_fits(const struct sl_segment_index_header *header,
	const struct sl_segment_index_partition *entry)
{
	uint64_t bytes = entry->form == SL_SEGMENT_INDEX_BITMAP
		? sl_segment_index_bitmap_bytes(header->batch_count)
		: (uint64_t)entry->batch_count * sizeof(uint32_t);

	return entry->form <= SL_SEGMENT_INDEX_BITMAP &&
		entry->data_position % sizeof(uint32_t) == 0 &&
		entry->data_position + bytes <= header->byte_length;
}

// The tables lie inside, and the lists too: the sum is right, but the writer may be wrong.
static bool fits_together(struct sl_segment_index *index)
{
	const struct sl_segment_index_header *header = index->header;
	uint64_t tables_bytes = sizeof(*header) +
		(uint64_t)header->batch_count * sizeof(*index->batches) +
		(uint64_t)header->partition_count * sizeof(*index->partitions);

	if (tables_bytes > header->byte_length || header->batch_count == 0)
		return false;
	index->batches = (const void *)(header + 1);
	index->partitions = (const void *)(index->batches + header->batch_count);
	for (uint32_t i = 0; i < header->partition_count; i++)
		if (!partition_fits(header, &index->partitions[i]))
			return false;
	return index->batches[0].position == 0;
}

static int check(struct sl_segment_index *index, size_t count, const struct sl_segment_file *sealed)
{
	const struct sl_segment_index_header *header = (const void *)index->bytes;

	index->header = header;
	if (header->magic != SL_SEGMENT_INDEX_MAGIC || header->version != SL_FORMAT_VERSION ||
		header->byte_length != count ||
		!sum_is_right(index->bytes, count, sealed->salt_crc))
		return -EBADMSG;
	if (header->lane != sealed->lane || header->segment != sealed->number ||
		header->end_position != sealed->footer.end_position ||
		header->last_body_crc != sealed->footer.last_body_crc ||
		header->batch_count != sealed->footer.last_number - sealed->footer.first_number + 1)
		return -ESTALE;
	return fits_together(index) ? 0 : -EBADMSG;
}

int sl_segment_index_read(struct sl_segment_index *index, const char *lane_path,
	const struct sl_segment_file *sealed, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	size_t count = 0;
	int result = sl_segment_index_path(path, lane_path, sealed->number, err);

	*index = (struct sl_segment_index){0};
	if (result < 0)
		return result;
	result = load(index, path, &count);
	if (result == 0)
		result = check(index, count, sealed);
	if (result == 0)
		return 0;
	sl_segment_index_free(index);
	return sl_err_set(err, result, "%s is of no use: %s", path,
		result == -ESTALE            ? "it is the index of another segment"
			: result == -EBADMSG ? "it is damaged"
					     : strerror(-result));
}

void sl_segment_index_free(struct sl_segment_index *index)
{
	free(index->bytes);
	*index = (struct sl_segment_index){0};
}

static bool is_wanted(
	const struct sl_segment_index_partition *entry, const struct sl_index_wanted *wanted)
{
	if (entry->partition < wanted->first_partition ||
		(uint32_t)(entry->partition - wanted->first_partition) >= wanted->partition_count)
		return false;
	return entry->term > wanted->term ||
		(entry->term == wanted->term && entry->next_offset > wanted->from);
}

static void add(uint8_t *bitmap, const struct sl_segment_index *index,
	const struct sl_segment_index_partition *entry)
{
	const char *data = index->bytes + entry->data_position;

	if (entry->form == SL_SEGMENT_INDEX_BITMAP) {
		size_t bytes = sl_segment_index_bitmap_bytes(index->header->batch_count);

		for (size_t i = 0; i < bytes; i++)
			bitmap[i] |= (uint8_t)data[i];
		return;
	}
	for (uint32_t i = 0; i < entry->batch_count; i++) {
		uint32_t place;

		memcpy(&place, data + i * sizeof(place), sizeof(place));
		if (place < index->header->batch_count)
			bitmap[place / 8] |= (uint8_t)(1u << place % 8);
	}
}

// Others are rare, and say something to every reader: fences name what is lost, unknown ones are
// counted.
static bool may_be_skipped(uint8_t kind)
{
	return kind >= SL_BATCH_EVENTS && kind <= SL_BATCH_MARK;
}

uint8_t *sl_segment_index_select(
	const struct sl_segment_index *index, const struct sl_index_wanted *wanted)
{
	const struct sl_segment_index_header *header = index->header;
	uint8_t *bitmap = calloc(1, sl_segment_index_bitmap_bytes(header->batch_count));

	if (bitmap == NULL)
		return NULL;
	for (uint32_t i = 0; i < header->partition_count; i++)
		if (is_wanted(&index->partitions[i], wanted))
			add(bitmap, index, &index->partitions[i]);
	for (uint32_t i = 0; i < header->batch_count; i++)
		if (!may_be_skipped(index->batches[i].kind))
			bitmap[i / 8] |= (uint8_t)(1u << i % 8);
	return bitmap;
}
