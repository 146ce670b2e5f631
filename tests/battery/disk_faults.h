/* SPDX-License-Identifier: BSD-3-Clause */
// What a disk is told to do wrong, by lines written into its control file. Thread rule: one thread.
#pragma once

#include "base.h"

enum disk_operation { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_OPERATION_COUNT };

struct disk_fault {
	uint64_t fail_count; // how many more fail with EIO
	uint64_t from, to; // only those that touch these bytes of the disk; flushes have none
	uint64_t skip_count; // so many of these are done before the first fails
	uint64_t delay_us; // each takes this much longer
	uint64_t done_count, failed_count;
};

struct disk_faults {
	struct disk_fault by_operation[DISK_OPERATION_COUNT];
};

// Lines of `fail read|write|flush COUNT [FROM TO [SKIPPED]]` and `delay read|write|flush
// MICROSECONDS`. Returns 0 or -EINVAL; lines before a wrong one hold.
int disk_faults_command(struct disk_faults *faults, const char *text, size_t bytes);

// Waits as long as it was told to, and counts. Returns 0, or -EIO when the operation is to fail.
int disk_faults_meet(struct disk_faults *faults, enum disk_operation operation, uint64_t position,
	uint64_t bytes);

// JSON of one line: for each operation how many were done and how many failed. Returns its length.
size_t disk_faults_print(const struct disk_faults *faults, char *text, size_t bytes_max);
