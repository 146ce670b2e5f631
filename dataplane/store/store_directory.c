/* SPDX-License-Identifier: BSD-3-Clause */
// The store's directory: what it must be able to do, its lock, and its birth.
#include "log.h"
#include "store/segment_internal.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int check_directory(const struct sl_config *config, struct sl_err *err)
{
	const char *path = config->store.path;
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
static int check_direct_io(const struct sl_config *config, struct sl_err *err)
{
	const char *path = config->store.path;
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

// A start that failed removes the store that it had made, with its lock: who has opened that file
// before does not have the store's lock any more.
static bool is_removed(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_nlink == 0;
}

static int lock_directory(struct sl_store *store, struct sl_err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[SL_PATH_BYTES_MAX + sizeof(SL_STORE_LOCK_NAME) + 1];

	snprintf(path, sizeof(path), "%s/%s", store->path, SL_STORE_LOCK_NAME);
	do {
		if (store->lock_fd >= 0)
			close(store->lock_fd);
		store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
		if (store->lock_fd < 0)
			return sl_err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
		if (fcntl(store->lock_fd, F_OFD_SETLK, &lock) != 0)
			return sl_err_set(err, -EBUSY,
				"the store %s is in use by another appliance (%s is locked); stop it, or choose another store.paths",
				store->path, path);
	} while (is_removed(store->lock_fd));
	return 0;
}

static int check_empty(const struct sl_store *store, struct sl_err *err)
{
	DIR *directory = opendir(store->path);
	const struct dirent *entry;
	int result = 0;

	if (directory == NULL)
		return sl_err_set(err, -errno, "cannot read %s: %s", store->path, strerror(errno));
	while (result == 0 && (entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			strcmp(entry->d_name, SL_STORE_LOCK_NAME) == 0 ||
			strcmp(entry->d_name, SL_STORE_META_NAME) == 0 ||
			strcmp(entry->d_name, "lost+found") == 0)
			continue;
		result = sl_err_set(err, -ENOTEMPTY,
			"%s holds no store, and is not empty ('%s'): a store is only made in an empty directory; empty it or choose another store.paths",
			store->path, entry->d_name);
	}
	closedir(directory);
	return result;
}

static int draw_salt(struct sl_store *store, struct sl_err *err)
{
	if (getrandom(store->meta.header.salt, SL_SALT_BYTES, 0) != SL_SALT_BYTES)
		return sl_err_set(err, -EIO, "no random bytes for the store's salt");
	return 0;
}

// On the disk before there is a lane: a first start that is killed can be repeated.
static int create_meta(struct sl_store *store, struct sl_err *err)
{
	int result = check_empty(store, err);

	if (result != 0)
		return result;
	memset(&store->meta, 0, sizeof(store->meta));
	store->meta.header.segment_bytes = store->config->store.segment_bytes;
	result = draw_salt(store, err);
	if (result != 0)
		return result;
	store->is_new = true;
	sl_log_notice("store", "new store in %s", store->path);
	return sl_store_meta_write(&store->meta, store->path, err);
}

static bool has_meta(const struct sl_store *store)
{
	char path[SL_PATH_BYTES_MAX + sizeof(SL_STORE_META_NAME) + 1];

	snprintf(path, sizeof(path), "%s/%s", store->path, SL_STORE_META_NAME);
	return access(path, F_OK) == 0;
}

int sl_store_open_directory(struct sl_store *store, struct sl_err *err)
{
	int result = check_directory(store->config, err);

	if (result == 0)
		result = check_direct_io(store->config, err);
	// Before the lock: a directory that is somebody else's is left as it was.
	if (result == 0 && !has_meta(store))
		result = check_empty(store, err);
	if (result != 0)
		return result;
	warn_of_weak_file_systems(store->path);
	result = lock_directory(store, err);
	if (result != 0)
		return result;
	result = sl_store_meta_read(&store->meta, store->path, err);
	if (result == -ENOENT)
		return create_meta(store, err);
	// No slot is right, and nothing else is there: killed while it was being made.
	if (result == -EBADMSG && check_empty(store, NULL) == 0)
		return create_meta(store, err);
	return result;
}

// ---- taking a new store back

static int remove_file(const char *folder, const char *name)
{
	char path[2 * SL_PATH_BYTES_MAX];
	int result = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (unlink(path) != 0 && errno != ENOENT) {
		result = -errno;
		sl_log_warning("store", "cannot remove %s: %s", path, strerror(errno));
	}
	return result;
}

// All that a lane's folder holds, but keep; and that is on the drive.
static int empty_lane(const char *lane_path, const char *keep)
{
	DIR *directory = opendir(lane_path);
	const struct dirent *entry;
	struct sl_err err = {0};
	int result = 0;

	if (directory == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (result == 0 && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, keep) != 0)
			result = remove_file(lane_path, entry->d_name);
	}
	closedir(directory);
	if (result == 0)
		result = sl_segment_sync_directory(lane_path, &err);
	return result;
}

static int remove_folder(const char *lane_path)
{
	int result = empty_lane(lane_path, "");

	if (result == 0 && rmdir(lane_path) != 0 && errno != ENOENT)
		result = -errno;
	if (result != 0)
		sl_log_warning("store", "cannot remove %s: %s", lane_path, strerror(-result));
	return result;
}

static bool was_made(const struct sl_store *store, uint32_t index)
{
	// Also the one that got no further than its folder.
	return store->lanes != NULL && store->lanes[index].path[0] != '\0';
}

// Each step leaves a store that can be started, so that a failure or a kill in between harms
// nothing: lanes without segments, a store.meta that names no lanes, folders that it does not name
// and that hold no segments, and nothing.
int sl_store_remove(struct sl_store *store)
{
	struct sl_err err = {0};
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < SL_LANE_COUNT_MAX; i++) {
		if (was_made(store, i))
			result = empty_lane(store->lanes[i].path, SL_LANE_META_NAME);
	}
	if (result == 0)
		result = sl_store_meta_resize(&store->meta, 0, 0, 0, 0);
	// Another store from here on: the epochs of its lanes begin again.
	if (result == 0)
		result = draw_salt(store, &err);
	if (result == 0)
		result = sl_store_meta_write(&store->meta, store->path, &err);
	for (uint32_t i = 0; result == 0 && i < SL_LANE_COUNT_MAX; i++) {
		if (was_made(store, i))
			result = remove_folder(store->lanes[i].path);
	}
	if (result == 0)
		result = sl_segment_sync_directory(store->path, &err);
	if (result == 0)
		result = remove_file(store->path, SL_STORE_META_NAME);
	if (result == 0)
		result = remove_file(store->path, SL_STORE_LOCK_NAME);
	if (result != 0)
		sl_log_warning("store",
			"the new store in %s could not be taken back (%s): it holds no events, and the next start goes on in it",
			store->path, strerror(-result));
	return result;
}
