/* SPDX-License-Identifier: BSD-3-Clause */
// The copies of store.meta on several paths.
#include "format/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sl_store_meta_write_all(struct sl_store_meta *meta, const struct sl_store_meta_place *places,
	uint32_t place_count, struct sl_err *err)
{
	uint64_t generation = meta->header.generation, written = generation;
	int result = 0;

	// A copy that is ahead, of a write that did not reach the others, keeps its slot.
	for (uint32_t i = 0; i < place_count; i++) {
		struct sl_store_meta there;

		if (sl_store_meta_read(&there, places[i].path, NULL) == 0)
			generation = SL_MAX(generation, there.header.generation);
		sl_store_meta_free(&there);
	}
	for (uint32_t i = 0; result == 0 && i < place_count; i++) {
		meta->header.generation = generation;
		meta->header.path_index = places[i].index;
		result = sl_store_meta_write(meta, places[i].path, err);
		written = meta->header.generation;
	}
	meta->header.generation = written;
	return result;
}

int sl_store_meta_flush(const char *store_path, struct sl_err *err)
{
	char path[SL_PATH_BYTES_MAX + sizeof(SL_STORE_META_NAME) + 1];
	int result = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", store_path, SL_STORE_META_NAME);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fdatasync(fd) < 0)
		result = -errno;
	if (fd >= 0)
		close(fd);
	if (result < 0)
		return sl_err_set(err, result, "cannot flush %s: %s", path, strerror(-result));
	return 0;
}
