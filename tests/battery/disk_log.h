/* SPDX-License-Identifier: BSD-3-Clause */
// What a disk was asked to do, in order, and what an appliance had promised before each of it: from
// this the images that a power cut may leave are built. Thread rule: one thread.
#pragma once

#include "base.h"
#include "err.h"
#include "shm.h"

#include <sys/types.h>

enum disk_log_kind { DISK_LOG_WRITE = 1, DISK_LOG_FLUSH = 2 };

#define DISK_LOG_PARTITION_COUNT_MAX 16

// One record of LOG, as recording.py reads it. The bytes of a write are in LOG.data.
struct disk_log_record {
	uint64_t kind; // enum disk_log_kind
	uint64_t position; // on the disk
	uint64_t bytes;
	uint64_t data_position; // in LOG.data
	uint64_t time_ns; // CLOCK_REALTIME
	uint64_t epoch; // highest seen of any lane
	uint64_t reserved[2];
	// Offsets below were stored, said the appliance before this arrived: the highest ever seen.
	uint64_t watermarks[DISK_LOG_PARTITION_COUNT_MAX];
};
static_assert(sizeof(struct disk_log_record) == 192, "file struct");

struct disk_log {
	const char *runtime_dir; // of the appliance that is watched; NULL: none
	struct sl_shm shm; // its figures, while there are some
	dev_t shm_device;
	ino_t shm_inode;
	int fd, data_fd; // -1: nothing is kept
	uint64_t data_bytes;
	struct disk_log_record last;
};

// path NULL: nothing is kept. Returns 0 or a negative errno with err filled.
int disk_log_open(
	struct disk_log *log, const char *path, const char *runtime_dir, struct sl_err *err);

// Notes a write before it is done. Returns 0 or a negative errno: then the recording is worth
// nothing any more.
int disk_log_write(struct disk_log *log, uint64_t position, const void *data, size_t bytes);

// Notes a flush: all writes noted before it are on stable storage from here on.
int disk_log_flush(struct disk_log *log);

void disk_log_close(struct disk_log *log);
