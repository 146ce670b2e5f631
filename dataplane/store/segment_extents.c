/* SPDX-License-Identifier: BSD-3-Clause */
// What the file system knows of a segment's blocks.
#include "store/segment_internal.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define EXTENT_COUNT 64u

#define NOT_WRITTEN (FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN)

// The end of what was written from this position on without a gap: the position itself where there
// is one at once.
static uint64_t find_gap(struct fiemap *map, int fd, uint64_t position, uint64_t file_bytes)
{
	*map = (struct fiemap){
		.fm_start = position,
		.fm_length = file_bytes - position,
		.fm_extent_count = EXTENT_COUNT,
	};
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		return position;
	for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *extent = &map->fm_extents[i];

		if (extent->fe_logical > position || (extent->fe_flags & NOT_WRITTEN) != 0)
			break;
		position = extent->fe_logical + extent->fe_length;
	}
	return position;
}

uint64_t sl_segment_written_bytes(int fd, uint64_t file_bytes)
{
	struct fiemap *map = calloc(1, sizeof(*map) + EXTENT_COUNT * sizeof(map->fm_extents[0]));
	uint64_t bytes = 0, seen_bytes;

	if (map == NULL)
		return 0;
	do {
		seen_bytes = bytes;
		bytes = find_gap(map, fd, seen_bytes, file_bytes);
	} while (bytes > seen_bytes && bytes < file_bytes);
	free(map);
	return SL_MIN(bytes, file_bytes) / SL_BLOCK_BYTES * SL_BLOCK_BYTES;
}
