/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_reader.h"

#include "format/store_reader_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What the tables say of each other: readers index by these numbers.
static int check_meta(const struct sl_store_meta *meta, const char *path, struct sl_err *err)
{
	const struct sl_store_meta_header *header = &meta->header;

	for (uint32_t i = 0; i < header->stream_count; i++) {
		struct sl_store_meta_stream *stream = &meta->streams[i];

		if (stream->first_partition + stream->partition_count > header->partition_count)
			return sl_err_set(err, -EBADMSG,
				"%s/" SL_STORE_META_NAME ": stream %u has partitions that are not "
				"in the table: restore the file from a copy",
				path, i);
		stream->name[SL_NAME_BYTES_MAX - 1] = '\0';
	}
	return 0;
}

static int open_store(struct sl_store_reader *store, const char *const *paths, uint32_t path_count,
	struct sl_err *err)
{
	int result = sl_store_paths_find(&store->paths, &store->meta, paths, path_count, err);

	if (result < 0)
		return result;
	if (snprintf(store->path, sizeof(store->path), "%s", paths[0]) >= (int)sizeof(store->path))
		return sl_err_set(err, -ENAMETOOLONG, "the store's path is longer than %d bytes",
			SL_PATH_BYTES_MAX - 1);
	result = check_meta(&store->meta, paths[0], err);
	if (result < 0)
		return result;
	store->salt_crc = sl_batch_salt_crc(store->meta.header.salt);
	return sl_store_terms_learn(store, err);
}

int sl_store_reader_open_paths(struct sl_store_reader **opened, const char *const *paths,
	uint32_t path_count, bool is_degraded, struct sl_err *err)
{
	struct sl_store_reader *store = calloc(1, sizeof(*store));
	int result;

	*opened = NULL;
	if (store == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to open the store %s", paths[0]);
	store->is_degraded = is_degraded;
	result = open_store(store, paths, path_count, err);
	if (result < 0)
		sl_store_reader_close(store);
	else
		*opened = store;
	return result;
}

int sl_store_reader_open(struct sl_store_reader **opened, const char *path, struct sl_err *err)
{
	return sl_store_reader_open_paths(opened, &path, 1, false, err);
}

void sl_store_reader_close(struct sl_store_reader *store)
{
	if (store == NULL)
		return;
	sl_store_terms_free(store);
	sl_store_meta_free(&store->meta);
	free(store);
}

int sl_store_find_stream(const struct sl_store_reader *store, const char *name, struct sl_err *err)
{
	char names[512] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < store->meta.header.stream_count; i++) {
		const char *known = store->meta.streams[i].name;

		if (strcmp(known, name) == 0)
			return (int)i;
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
				i > 0 ? ", " : "", known);
	}
	return sl_err_set(err, -ENOENT, "no stream '%s' in %s; it has: %s", name, store->path,
		names[0] == '\0' ? "none" : names);
}

bool sl_store_path_is_live(const char *store_path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[SL_PATH_BYTES_MAX];
	bool is_held;
	int fd;

	if (snprintf(path, sizeof(path), "%s/" SL_STORE_LOCK_NAME, store_path) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is_held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return is_held;
}

int sl_store_open_lane(const struct sl_store_reader *store, uint16_t lane,
	struct sl_lane_reader *reader, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX];
	int result = sl_store_paths_lane(&store->paths, &store->meta, lane, path, err);

	*reader = (struct sl_lane_reader){0};
	// A folder that is not there is a lane without segments.
	if (result == -ENODEV && store->is_degraded) {
		path[0] = '\0';
		result = 0;
	}
	return result < 0 ? result : sl_lane_reader_open(reader, path, lane, store->salt_crc, err);
}

void sl_store_report_lane(
	struct sl_store_report *report, const struct sl_lane_reader *reader, bool is_at_end)
{
	report->batch_count += reader->batch_count;
	report->byte_count += reader->byte_count;
	report->skipped_batch_count += reader->skipped_batch_count;
	if (reader->file != NULL)
		report->byte_count += reader->file->bytes_read;
	report->expired_segment_count += reader->expired_count;
	report->torn_tail_count += is_at_end && reader->ahead.byte_count > 0;
}
