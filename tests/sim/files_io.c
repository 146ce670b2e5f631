/* SPDX-License-Identifier: BSD-3-Clause */
// The calls that take a descriptor: content, flushes, room, locks.
#include "disk.h"
#include "files.h"
#include "format/log_format.h"
#include "memory.h"
#include "oracle.h"
#include "sim.h"
#include "task.h"
#include "weather.h"
#include "wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

struct sim_lock {
	const struct sim_file *owner;
	off_t start, length; // 0: to the end of all files
	short type;
	struct sim_lock *next;
};

static int refuse(int error)
{
	errno = error;
	return -1;
}

// ---- content

SIM_WRAP(ssize_t, pread64, int fd, void *data, size_t bytes, off_t position)
{
	const struct sim_file *file = sim_file_of(fd);

	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	if (sim_weather_strikes(SIM_WEATHER_READ))
		return refuse(EIO);
	return (ssize_t)sim_inode_read(file->inode, (uint64_t)position, data, bytes);
}

SIM_WRAP(ssize_t, pwrite64, int fd, const void *data, size_t bytes, off_t position)
{
	const struct sim_file *file = sim_file_of(fd);
	bool fails;

	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	fails = sim_weather_strikes(SIM_WEATHER_PWRITE) ||
		sim_weather_drive_is_broken(file->inode->drive);
	sim_oracle_see_write(file->inode, (uint64_t)position, data, bytes);
	sim_inode_write(file->inode, (uint64_t)position, data,
		fails ? sim_below(bytes / 512 + 1) * 512 : bytes);
	return fails ? refuse(EIO) : (ssize_t)bytes;
}

ssize_t __real_write(int fd, const void *data, size_t bytes);

SIM_WRAP(ssize_t, write, int fd, const void *data, size_t bytes)
{
	struct sim_file *file = sim_file_of(fd);
	ssize_t written;

	if (file == NULL && !sim_in_task())
		return __real_write(fd, data, bytes);
	written = pwrite(fd, data, bytes, file == NULL ? 0 : (off_t)file->position);
	if (written > 0)
		file->position += (uint64_t)written;
	return written;
}

static int flush(int fd)
{
	const struct sim_file *file = sim_file_of(fd);

	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	// Once it works again, a flush covers what it had taken before.
	if (sim_weather_drive_is_broken(file->inode->drive))
		return refuse(EIO);
	if (sim_weather_strikes(SIM_WEATHER_FLUSH)) {
		sim_inode_doubt(file->inode);
		return refuse(EIO);
	}
	if (file->inode->is_directory)
		sim_directory_flush(file->inode);
	else
		sim_inode_flush(file->inode, 0, file->inode->bytes);
	sim_call();
	return 0;
}

SIM_WRAP(int, fsync, int fd)
{
	return flush(fd);
}

SIM_WRAP(int, fdatasync, int fd)
{
	return flush(fd);
}

SIM_WRAP(int, fallocate64, int fd, int mode, off_t position, off_t bytes)
{
	const struct sim_file *file = sim_file_of(fd);
	uint64_t end = (uint64_t)(position + bytes);

	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
		sim_inode_punch(file->inode, (uint64_t)position, (uint64_t)bytes);
		return 0;
	}
	if (mode != 0)
		return refuse(EOPNOTSUPP);
	if (sim_weather_drive_is_broken(file->inode->drive))
		return refuse(EIO);
	if (sim_weather_strikes(SIM_WEATHER_FALLOCATE) ||
		(end > file->inode->bytes && end - file->inode->bytes > sim_disk_free_bytes()))
		return refuse(ENOSPC);
	if (end > file->inode->bytes)
		sim_inode_resize(file->inode, end);
	return 0;
}

SIM_WRAP(int, ftruncate64, int fd, off_t bytes)
{
	const struct sim_file *file = sim_file_of(fd);

	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	sim_inode_resize(file->inode, (uint64_t)bytes);
	return 0;
}

SIM_WRAP(off_t, lseek64, int fd, off_t position, int whence)
{
	const struct sim_file *file = sim_file_of(fd);
	uint64_t data;

	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	if (whence != SEEK_DATA)
		return refuse(EINVAL);
	data = sim_inode_next_data(file->inode, (uint64_t)position);
	return data == UINT64_MAX ? refuse(ENXIO) : (off_t)data;
}

// ---- locks of open file descriptions

static off_t end_of(off_t start, off_t length)
{
	return length == 0 ? INT64_MAX : start + length;
}

static struct sim_lock *find_conflict(const struct sim_file *file, const struct flock *wanted)
{
	for (struct sim_lock *lock = file->inode->locks; lock != NULL; lock = lock->next) {
		if (lock->owner != file && (lock->type == F_WRLCK || wanted->l_type == F_WRLCK) &&
			lock->start < end_of(wanted->l_start, wanted->l_len) &&
			wanted->l_start < end_of(lock->start, lock->length))
			return lock;
	}
	return NULL;
}

// Each place is locked as one piece and never in part.
static void drop_lock(const struct sim_file *file, const struct flock *range)
{
	struct sim_lock **link = &file->inode->locks;

	while (*link != NULL) {
		struct sim_lock *lock = *link;

		if (lock->owner == file && (range == NULL || lock->start == range->l_start)) {
			*link = lock->next;
			sim_host_free(lock);
		} else {
			link = &lock->next;
		}
	}
}

static void add_lock(const struct sim_file *file, const struct flock *wanted)
{
	struct sim_lock *lock = sim_host_allocate(sizeof(*lock));

	*lock = (struct sim_lock){.owner = file,
		.start = wanted->l_start,
		.length = wanted->l_len,
		.type = wanted->l_type,
		.next = file->inode->locks};
	file->inode->locks = lock;
}

void sim_file_put(struct sim_file *file)
{
	if (--file->reference_count > 0)
		return;
	drop_lock(file, NULL);
	file->inode->open_count--;
	sim_host_free(file);
}

SIM_WRAP(int, fcntl64, int fd, int command, ...)
{
	const struct sim_file *file = sim_file_of(fd);
	struct flock *lock;
	va_list args;

	va_start(args, command);
	lock = va_arg(args, struct flock *);
	va_end(args);
	if (file == NULL)
		return refuse(EBADF);
	sim_call();
	switch (command) {
	case F_OFD_GETLK:
		if (find_conflict(file, lock) == NULL)
			lock->l_type = F_UNLCK;
		else
			lock->l_type = find_conflict(file, lock)->type;
		return 0;
	case F_OFD_SETLKW:
		while (find_conflict(file, lock) != NULL)
			sim_task_sleep(50 * SL_NS_PER_US);
		break;
	case F_OFD_SETLK:
		if (lock->l_type != F_UNLCK && find_conflict(file, lock) != NULL)
			return refuse(EAGAIN);
		break;
	default:
		return refuse(EINVAL);
	}
	drop_lock(file, lock);
	if (lock->l_type != F_UNLCK)
		add_lock(file, lock);
	return 0;
}
