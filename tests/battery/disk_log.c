/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int create_file(const char *path, struct sl_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd >= 0 ? fd
		       : sl_err_set(err, -errno, "cannot create %s: %s", path, strerror(errno));
}

int disk_log_open(
	struct disk_log *log, const char *path, const char *runtime_dir, struct sl_err *err)
{
	char data_path[SL_PATH_BYTES_MAX];

	*log = (struct disk_log){.runtime_dir = runtime_dir, .fd = -1, .data_fd = -1};
	if (path == NULL)
		return 0;
	snprintf(data_path, sizeof(data_path), "%s.data", path);
	log->fd = create_file(path, err);
	if (log->fd < 0)
		return log->fd;
	log->data_fd = create_file(data_path, err);
	return log->data_fd < 0 ? log->data_fd : 0;
}

// The segment is another one after each start of the appliance.
static void follow_segment(struct disk_log *log)
{
	char path[SL_PATH_BYTES_MAX];
	struct stat status;

	snprintf(path, sizeof(path), "%s/" SL_SHM_NAME, log->runtime_dir);
	if (stat(path, &status) != 0 ||
		(status.st_dev == log->shm_device && status.st_ino == log->shm_inode))
		return;
	sl_shm_close(&log->shm);
	log->shm_device = 0;
	log->shm_inode = 0;
	if (sl_shm_open(&log->shm, log->runtime_dir, NULL) != 0)
		return;
	log->shm_device = status.st_dev;
	log->shm_inode = status.st_ino;
}

// A promise holds for ever: the highest that was ever made counts.
static void note_promises(struct disk_log *log)
{
	struct disk_log_record *last = &log->last;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	last->time_ns = (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
	if (log->runtime_dir == NULL)
		return;
	follow_segment(log);
	if (log->shm.header == NULL)
		return;
	for (uint32_t i = 0; i < log->shm.header->lane_count; i++)
		last->epoch = SL_MAX(last->epoch, SL_LOAD(log->shm.lanes[i].epoch));
	for (uint32_t i = 0; i <
		SL_MIN(log->shm.header->partition_count, (uint32_t)DISK_LOG_PARTITION_COUNT_MAX);
		i++)
		last->watermarks[i] = SL_MAX(
			last->watermarks[i], SL_LOAD_ACQUIRE(log->shm.partitions[i].watermark));
}

static int write_all(int fd, const void *data, size_t bytes)
{
	const char *next = data;

	while (bytes > 0) {
		ssize_t written = write(fd, next, bytes);

		if (written < 0)
			return -errno;
		next += written;
		bytes -= (size_t)written;
	}
	return 0;
}

static int append(struct disk_log *log, enum disk_log_kind kind, uint64_t position, size_t bytes)
{
	note_promises(log);
	log->last.kind = kind;
	log->last.position = position;
	log->last.bytes = bytes;
	log->last.data_position = log->data_bytes;
	return write_all(log->fd, &log->last, sizeof(log->last));
}

int disk_log_write(struct disk_log *log, uint64_t position, const void *data, size_t bytes)
{
	int result;

	if (log->fd < 0)
		return 0;
	result = append(log, DISK_LOG_WRITE, position, bytes);
	if (result == 0)
		result = write_all(log->data_fd, data, bytes);
	log->data_bytes += bytes;
	return result;
}

int disk_log_flush(struct disk_log *log)
{
	return log->fd < 0 ? 0 : append(log, DISK_LOG_FLUSH, 0, 0);
}

void disk_log_close(struct disk_log *log)
{
	sl_shm_close(&log->shm);
	if (log->fd >= 0)
		close(log->fd);
	if (log->data_fd >= 0)
		close(log->data_fd);
}
