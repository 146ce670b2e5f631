/* SPDX-License-Identifier: BSD-3-Clause */
// A directory of the store: what it must be able to do, and its lock.
#include "log.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int check_kind(const struct sl_config *config, const char *path, struct sl_err *err)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return sl_err_set(err, -errno,
			"%s:%u: store.paths: '%s': %s; make the directory: mkdir -p %s",
			config->path, config->store.line, path, strerror(errno), path);
	if (!S_ISDIR(status.st_mode))
		return sl_err_set(err, -ENOTDIR,
			"%s:%u: store.paths: '%s' is no directory; name one", config->path,
			config->store.line, path);
	return 0;
}

// A file without a name, so that nothing is left behind whatever happens.
static int check_direct_io(const struct sl_config *config, const char *path, struct sl_err *err)
{
	void *block = NULL;
	int result = 0;
	int fd = open(path, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EINVAL)
		return sl_err_set(err, -EINVAL,
			"%s:%u: store.paths: the file system of '%s' does not support O_DIRECT; use ext4 or XFS on a drive of its own",
			config->path, config->store.line, path);
	if (fd < 0)
		return sl_err_set(err, -errno,
			"%s:%u: store.paths: '%s' is not writable: %s; check its owner and mount options",
			config->path, config->store.line, path, strerror(errno));
	if (posix_memalign(&block, SL_BLOCK_BYTES, SL_BLOCK_BYTES) != 0) {
		close(fd);
		return sl_err_set(err, -ENOMEM, "store: out of memory");
	}
	memset(block, 0, SL_BLOCK_BYTES);
	if (pwrite(fd, block, SL_BLOCK_BYTES, 0) != SL_BLOCK_BYTES)
		result = sl_err_set(err, -errno,
			"%s:%u: store.paths: cannot write 4096 bytes with O_DIRECT to '%s': %s",
			config->path, config->store.line, path, strerror(errno));
	free(block);
	close(fd);
	return result;
}

// Durability is only as good as the file system's and the drive's word.
static void warn_of_weak_file_systems(const char *path)
{
	static const struct {
		long magic;
		const char *name;
	} weak[] = {
		{TMPFS_MAGIC, "tmpfs"},
		{OVERLAYFS_SUPER_MAGIC, "overlay"},
		{FUSE_SUPER_MAGIC, "FUSE"},
		{NFS_SUPER_MAGIC, "NFS"},
	};
	struct statfs status;

	if (statfs(path, &status) != 0)
		return;
	for (size_t i = 0; i < SL_ARRAY_COUNT(weak); i++) {
		if (status.f_type == weak[i].magic)
			sl_log_warning("store",
				"%s is on %s, which cannot promise durability across a power loss",
				path, weak[i].name);
	}
}

void sl_store_warn_of_slots(
	const char *directory, const char *name, const enum sl_meta_slot_state states[2])
{
	for (int i = 0; i < 2; i++) {
		if (states[i] == SL_META_SLOT_DAMAGED)
			sl_log_warning("store",
				"%s/%s: slot %d is damaged (rot, or a write that lost power), went on from the other one",
				directory, name, i);
	}
}

// A start that failed removes the store that it had made, with its lock: who has opened that file
// before does not have the store's lock any more.
static bool is_removed(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_nlink == 0;
}

int sl_store_lock_directory(const char *directory, struct sl_err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[SL_PATH_BYTES_MAX + sizeof(SL_STORE_LOCK_NAME) + 1];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", directory, SL_STORE_LOCK_NAME);
	do {
		if (fd >= 0)
			close(fd);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
		if (fd < 0)
			return sl_err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
		if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
			close(fd);
			return sl_err_set(err, -EBUSY,
				"the store %s is in use by another appliance (%s is locked); stop it, or choose another store.paths",
				directory, path);
		}
	} while (is_removed(fd));
	return fd;
}

int sl_store_check_empty(const char *path, struct sl_err *err)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	int result = 0;

	if (directory == NULL)
		return sl_err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	while (result == 0 && (entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			strcmp(entry->d_name, SL_STORE_LOCK_NAME) == 0 ||
			strcmp(entry->d_name, SL_STORE_META_NAME) == 0 ||
			strcmp(entry->d_name, "lost+found") == 0)
			continue;
		result = sl_err_set(err, -ENOTEMPTY,
			"%s holds no store, and is not empty ('%s'): a store is only made in an empty directory; empty it or choose another store.paths",
			path, entry->d_name);
	}
	closedir(directory);
	return result;
}

int sl_store_check_directory(const struct sl_config *config, const char *path, struct sl_err *err)
{
	int result = check_kind(config, path, err);

	if (result == 0)
		result = check_direct_io(config, path, err);
	if (result == 0)
		warn_of_weak_file_systems(path);
	return result;
}
