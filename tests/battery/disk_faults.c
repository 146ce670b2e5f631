/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk_faults.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const operation_names[DISK_OPERATION_COUNT] = {
	[DISK_READ] = "read",
	[DISK_WRITE] = "write",
	[DISK_FLUSH] = "flush",
};

static struct disk_fault *find(struct disk_faults *faults, const char *name)
{
	for (int i = 0; i < DISK_OPERATION_COUNT; i++) {
		if (strcmp(name, operation_names[i]) == 0)
			return &faults->by_operation[i];
	}
	return NULL;
}

static int command(struct disk_faults *faults, const char *line)
{
	uint64_t count, from = 0, to = UINT64_MAX, skip_count = 0;
	struct disk_fault *fault;
	char verb[8], name[8];

	if (sscanf(line, "%7s %7s %lu %lu %lu %lu", verb, name, &count, &from, &to, &skip_count) <
		3)
		return -EINVAL;
	fault = find(faults, name);
	if (fault == NULL)
		return -EINVAL;
	if (strcmp(verb, "delay") == 0) {
		fault->delay_us = count;
		return 0;
	}
	if (strcmp(verb, "fail") != 0)
		return -EINVAL;
	fault->fail_count = count;
	fault->from = from;
	fault->to = to;
	fault->skip_count = skip_count;
	return 0;
}

int disk_faults_command(struct disk_faults *faults, const char *text, size_t bytes)
{
	char copy[4096], *rest = NULL;
	int result = 0;

	if (bytes >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	for (char *line = strtok_r(copy, "\n", &rest); line != NULL && result == 0;
		line = strtok_r(NULL, "\n", &rest))
		result = command(faults, line);
	return result;
}

static void wait_us(uint64_t us)
{
	struct timespec left = {
		.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000 * SL_NS_PER_US)};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

int disk_faults_meet(struct disk_faults *faults, enum disk_operation operation, uint64_t position,
	uint64_t bytes)
{
	struct disk_fault *fault = &faults->by_operation[operation];

	fault->done_count++;
	if (fault->delay_us > 0)
		wait_us(fault->delay_us);
	if (fault->fail_count == 0)
		return 0;
	if (operation != DISK_FLUSH && (position >= fault->to || position + bytes <= fault->from))
		return 0;
	if (fault->skip_count > 0) {
		fault->skip_count--;
		return 0;
	}
	fault->fail_count--;
	fault->failed_count++;
	return -EIO;
}

size_t disk_faults_print(const struct disk_faults *faults, char *text, size_t bytes_max)
{
	size_t length = 0;

	for (int i = 0; i < DISK_OPERATION_COUNT; i++) {
		const struct disk_fault *fault = &faults->by_operation[i];

		length += (size_t)snprintf(text + length, bytes_max - length,
			"%s\"%s\": {\"done\": %lu, \"failed\": %lu}", i == 0 ? "{" : ", ",
			operation_names[i], fault->done_count, fault->failed_count);
	}
	length += (size_t)snprintf(text + length, bytes_max - length, "}\n");
	return length;
}
