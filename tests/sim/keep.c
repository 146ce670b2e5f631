/* SPDX-License-Identifier: BSD-3-Clause */
#include "keep.h"

#include "disk.h"
#include "format/log_format.h"
#include "oracle.h"
#include "sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 512

// Files are empty where nothing was written.
static int keep_file(const struct sim_inode *inode, const char *path)
{
	FILE *file = fopen(path, "w");
	uint64_t position = 0;
	int result = 0;

	if (file == NULL)
		return -errno;
	while ((position = sim_inode_next_data(inode, position)) < inode->bytes) {
		char block[SL_BLOCK_BYTES];
		uint64_t bytes = sim_inode_read(inode, position, block, sizeof(block));

		if (fseek(file, (long)position, SEEK_SET) != 0 ||
			fwrite(block, 1, bytes, file) != bytes)
			result = -errno;
		position += bytes;
	}
	// The last byte of a file that ends with a hole.
	if (inode->bytes > 0) {
		char last = 0;

		sim_inode_read(inode, inode->bytes - 1, &last, 1);
		if (fseek(file, (long)inode->bytes - 1, SEEK_SET) != 0 || fputc(last, file) == EOF)
			result = -errno;
	}
	return fclose(file) != 0 ? -errno : result;
}

int __real_mkdir(const char *path, mode_t mode);

static int keep_directory(const struct sim_inode *directory, const char *path)
{
	int result = __real_mkdir(path, 0750) != 0 ? -errno : 0;

	for (uint32_t i = 0; i < directory->entry_count && result == 0; i++) {
		const struct sim_entry *entry = &directory->entries[i];
		char below[PATH_BYTES];

		snprintf(below, sizeof(below), "%s/%s", path, entry->name);
		result = entry->inode->is_directory ? keep_directory(entry->inode, below)
						    : keep_file(entry->inode, below);
	}
	return result;
}

int sim_keep_store(const char *directory, uint32_t stream_count)
{
	const struct sim_entry *store = sim_directory_find(sim_root, "store");
	char path[PATH_BYTES];
	FILE *file;
	int result;

	if (sim_root->entry_count > 1)
		return -EXDEV;
	snprintf(path, sizeof(path), "%s/store", directory);
	result = keep_directory(store->inode, path);
	if (result != 0)
		return result;
	snprintf(path, sizeof(path), "%s/events", directory);
	file = fopen(path, "w");
	if (file == NULL)
		return -errno;
	fprintf(file, "%u %u\n", stream_count, sim_oracle_partition_count());
	sim_oracle_print(file);
	return fclose(file) != 0 ? -errno : 0;
}
