/* SPDX-License-Identifier: BSD-3-Clause */
#include "files.h"

#include "disk.h"
#include "format/log_format.h"
#include "memory.h"
#include "oracle.h"
#include "sim.h"
#include "task.h"
#include "weather.h"
#include "wrap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FD_BASE 1000000
#define FD_COUNT_MAX 512

int __real_open64(const char *path, int flags, ...);
int __real_close(int fd);

static struct sim_file *files[FD_COUNT_MAX];

static int refuse(int error)
{
	errno = error;
	return -1;
}

// ---- descriptors

struct sim_file *sim_file_of(int fd)
{
	return fd >= FD_BASE && fd < FD_BASE + FD_COUNT_MAX ? files[fd - FD_BASE] : NULL;
}

struct sim_file *sim_file_get(struct sim_inode *inode)
{
	struct sim_file *file = sim_host_allocate(sizeof(*file));

	*file = (struct sim_file){.inode = inode, .reference_count = 1};
	inode->open_count++;
	return file;
}

static int install(struct sim_inode *inode)
{
	for (int i = 0; i < FD_COUNT_MAX; i++) {
		if (files[i] != NULL)
			continue;
		files[i] = sim_file_get(inode);
		return FD_BASE + i;
	}
	return refuse(EMFILE);
}

uint32_t sim_files_close_all(void)
{
	uint32_t count = 0;

	for (int i = 0; i < FD_COUNT_MAX; i++) {
		if (files[i] == NULL)
			continue;
		sim_file_put(files[i]);
		files[i] = NULL;
		count++;
	}
	return count;
}

SIM_WRAP(int, close, int fd)
{
	struct sim_file *file = sim_file_of(fd);

	if (file == NULL)
		return sim_in_task() ? refuse(EBADF) : __real_close(fd);
	sim_call();
	files[fd - FD_BASE] = NULL;
	sim_file_put(file);
	return 0;
}

// ---- paths

// The directory that holds path's last component, which *name is; NULL with errno.
static struct sim_inode *walk(const char *path, const char **name)
{
	struct sim_inode *directory = sim_root;
	const char *next = path + strlen(SIM_ROOT);

	for (;;) {
		char component[SIM_NAME_BYTES_MAX];
		const struct sim_entry *entry;
		size_t bytes;

		next += strspn(next, "/");
		bytes = strcspn(next, "/");
		*name = next;
		if (next[bytes] == '\0')
			return directory;
		snprintf(component, sizeof(component), "%.*s", (int)bytes, next);
		entry = sim_directory_find(directory, component);
		if (entry == NULL || !entry->inode->is_directory) {
			errno = entry == NULL ? ENOENT : ENOTDIR;
			return NULL;
		}
		directory = entry->inode;
		next += bytes;
	}
}

static bool is_virtual(const char *path)
{
	return strncmp(path, SIM_ROOT, strlen(SIM_ROOT)) == 0;
}

static struct sim_inode *find(const char *path)
{
	const char *name;
	struct sim_inode *directory = is_virtual(path) ? walk(path, &name) : NULL;
	const struct sim_entry *entry;

	if (!is_virtual(path))
		errno = ENOENT;
	if (directory == NULL || *name == '\0')
		return directory;
	entry = sim_directory_find(directory, name);
	if (entry == NULL)
		errno = ENOENT;
	return entry == NULL ? NULL : entry->inode;
}

static int create(const char *path)
{
	const char *name;
	struct sim_inode *directory = walk(path, &name);
	struct sim_inode *inode;

	if (directory == NULL)
		return -1;
	inode = sim_inode_create(false);
	sim_directory_link(directory, name, inode);
	return install(inode);
}

SIM_WRAP(int, open64, const char *path, int flags, ...)
{
	struct sim_inode *inode;

	// The harness reads configurations and writes reports; it has no use for modes.
	if (!is_virtual(path) && !sim_in_task())
		return __real_open64(path, flags, 0640);
	sim_call();
	if (sim_weather_strikes(SIM_WEATHER_OPEN))
		return refuse(EMFILE);
	inode = find(path);
	if (inode == NULL)
		return errno == ENOENT && (flags & O_CREAT) != 0 && is_virtual(path) ? create(path)
										     : -1;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return install(sim_inode_create(false));
	if ((flags & O_EXCL) != 0)
		return refuse(EEXIST);
	if ((flags & O_DIRECTORY) != 0 && !inode->is_directory)
		return refuse(ENOTDIR);
	if ((flags & O_TRUNC) != 0)
		sim_inode_resize(inode, 0);
	return install(inode);
}

SIM_WRAP(int, access, const char *path, int mode SL_UNUSED)
{
	sim_call();
	return find(path) == NULL ? -1 : 0;
}

SIM_WRAP(int, mkdir, const char *path, mode_t mode SL_UNUSED)
{
	const char *name;
	struct sim_inode *directory;

	sim_call();
	if (find(path) != NULL)
		return refuse(EEXIST);
	directory = walk(path, &name);
	if (directory == NULL)
		return -1;
	if (sim_weather_strikes(SIM_WEATHER_NAMES))
		return refuse(EIO);
	sim_directory_link(directory, name, sim_inode_create(true));
	return 0;
}

SIM_WRAP(int, unlink, const char *path)
{
	const char *name;
	struct sim_inode *directory;

	sim_call();
	if (find(path) == NULL)
		return -1;
	if (find(path)->is_directory)
		return refuse(EISDIR);
	directory = walk(path, &name);
	if (sim_weather_strikes(SIM_WEATHER_NAMES))
		return refuse(EIO);
	sim_directory_unlink(directory, name);
	return 0;
}

SIM_WRAP(int, rmdir, const char *path)
{
	const char *name;
	const struct sim_inode *inode;
	struct sim_inode *directory;

	sim_call();
	inode = find(path);
	if (inode == NULL)
		return -1;
	if (!inode->is_directory)
		return refuse(ENOTDIR);
	if (inode->entry_count > 0)
		return refuse(ENOTEMPTY);
	if (sim_weather_strikes(SIM_WEATHER_NAMES))
		return refuse(EIO);
	directory = walk(path, &name);
	sim_directory_unlink(directory, name);
	return 0;
}

SIM_WRAP(int, renameat2, int from_fd SL_UNUSED, const char *from, int to_fd SL_UNUSED,
	const char *to, unsigned int flags)
{
	const char *from_name, *to_name;
	struct sim_inode *from_directory, *to_directory;

	sim_call();
	if (find(from) == NULL)
		return -1;
	if ((flags & RENAME_NOREPLACE) != 0 && find(to) != NULL)
		return refuse(EEXIST);
	from_directory = walk(from, &from_name);
	to_directory = walk(to, &to_name);
	if (to_directory == NULL)
		return -1;
	if (sim_weather_strikes(SIM_WEATHER_NAMES))
		return refuse(EIO);
	sim_directory_move(from_directory, from_name, to_directory, to_name);
	return 0;
}

SIM_WRAP(int, rename, const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

// ---- what there is

static void fill_status(const struct sim_inode *inode, struct stat *status)
{
	memset(status, 0, sizeof(*status));
	status->st_dev = 1;
	status->st_ino = inode->number;
	status->st_mode = inode->is_directory ? S_IFDIR | 0750 : S_IFREG | 0640;
	status->st_nlink = inode->link_count;
	status->st_size = (off_t)inode->bytes;
	status->st_blksize = SL_BLOCK_BYTES;
	status->st_blocks = (blkcnt_t)(inode->bytes / 512);
}

SIM_WRAP(int, stat64, const char *path, struct stat *status)
{
	const struct sim_inode *inode;

	sim_call();
	inode = find(path);
	if (inode == NULL)
		return -1;
	fill_status(inode, status);
	return 0;
}

SIM_WRAP(int, fstat64, int fd, struct stat *status)
{
	sim_call();
	if (sim_file_of(fd) == NULL)
		return refuse(EBADF);
	fill_status(sim_file_of(fd)->inode, status);
	return 0;
}

SIM_WRAP(int, fstatvfs64, int fd SL_UNUSED, struct statvfs *room)
{
	sim_call();
	memset(room, 0, sizeof(*room));
	room->f_bsize = room->f_frsize = SL_BLOCK_BYTES;
	room->f_bavail = room->f_bfree = sim_disk_free_bytes() / SL_BLOCK_BYTES;
	room->f_blocks = sim_disk_capacity_bytes() / SL_BLOCK_BYTES;
	return 0;
}

SIM_WRAP(int, statvfs64, const char *path, struct statvfs *room)
{
	return find(path) == NULL ? -1 : fstatvfs(0, room);
}

SIM_WRAP(int, statfs64, const char *path, struct statfs *status)
{
	sim_call();
	memset(status, 0, sizeof(*status));
	status->f_type = EXT4_SUPER_MAGIC;
	status->f_bsize = SL_BLOCK_BYTES;
	return find(path) == NULL ? -1 : 0;
}

// ---- listing

struct listing {
	struct sim_entry *entries;
	uint32_t entry_count, next;
	struct dirent entry;
};

SIM_WRAP(DIR *, opendir, const char *path)
{
	const struct sim_inode *directory;
	struct listing *listing;

	sim_call();
	directory = find(path);
	if (directory == NULL || sim_weather_strikes(SIM_WEATHER_OPEN)) {
		errno = directory == NULL ? errno : EMFILE;
		return NULL;
	}
	listing = sim_host_allocate(sizeof(*listing));
	listing->entry_count = directory->entry_count;
	listing->entries =
		sim_host_allocate((directory->entry_count + 1) * sizeof(struct sim_entry));
	// In no particular order.
	for (uint32_t i = 0; i < listing->entry_count; i++) {
		uint32_t place = (uint32_t)sim_below(i + 1);

		listing->entries[i] = listing->entries[place];
		listing->entries[place] = directory->entries[i];
	}
	return (DIR *)listing;
}

SIM_WRAP(struct dirent *, readdir64, DIR *directory)
{
	struct listing *listing = (struct listing *)directory;

	if (listing->next == listing->entry_count)
		return NULL;
	snprintf(listing->entry.d_name, sizeof(listing->entry.d_name), "%s",
		listing->entries[listing->next].name);
	listing->entry.d_type =
		listing->entries[listing->next++].inode->is_directory ? DT_DIR : DT_REG;
	return &listing->entry;
}

SIM_WRAP(int, closedir, DIR *directory)
{
	struct listing *listing = (struct listing *)directory;

	sim_host_free(listing->entries);
	sim_host_free(listing);
	return 0;
}
