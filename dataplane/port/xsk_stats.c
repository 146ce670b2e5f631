/* SPDX-License-Identifier: BSD-3-Clause */
// AF_XDP sockets from the outside. A socket's receive ring is found where the driver has it mapped
// already (/proc/self/maps): kernels before 6.4 refuse to map it again once the socket is bound.
#include "port/xsk_stats.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif

struct queue {
	int fd; // the driver's: not ours to close
	bool is_zero_copy;
	const uint32_t *producer, *consumer; // in the driver's mapping of the RX ring
};

struct sl_xsk_stats {
	uint32_t queue_count;
	struct queue queues[SL_QUEUE_COUNT_MAX];
};

static bool is_xsk(int fd)
{
	int domain;
	socklen_t bytes = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_XDP;
}

int sl_xsk_set_read(struct sl_xsk_set *set)
{
	struct dirent *entry;
	DIR *folder = opendir("/proc/self/fd");

	if (folder == NULL)
		return -errno;
	set->count = 0;
	while ((entry = readdir(folder)) != NULL && set->count < SL_ARRAY_COUNT(set->fds)) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && is_xsk(fd))
			set->fds[set->count++] = fd;
	}
	closedir(folder);
	return 0;
}

static bool has(const struct sl_xsk_set *set, int fd)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (set->fds[i] == fd)
			return true;
	}
	return false;
}

// Where this process has the socket's RX ring mapped (XDP_PGOFF_RX_RING is offset 0), or NULL.
static const char *find_rx_ring(int fd)
{
	uintptr_t start, found = 0;
	uint64_t offset, inode;
	struct stat status;
	char line[512];

	if (fstat(fd, &status) != 0)
		return NULL;
	FILE *file = fopen("/proc/self/maps", "re");
	if (file == NULL)
		return NULL;
	while (found == 0 && fgets(line, sizeof(line), file) != NULL) {
		if (strstr(line, "socket:[") != NULL &&
			sscanf(line, "%" SCNxPTR "-%*x %*s %" SCNx64 " %*s %" SCNu64, &start,
				&offset, &inode) == 3 &&
			inode == status.st_ino && offset == XDP_PGOFF_RX_RING)
			found = start;
	}
	fclose(file);
	return (const char *)found;
}

static int open_queue(struct queue *queue, int fd, struct sl_err *err)
{
	struct xdp_mmap_offsets offsets;
	struct xdp_options options;
	socklen_t offsets_bytes = sizeof(offsets), options_bytes = sizeof(options);
	const char *ring = find_rx_ring(fd);

	if (ring == NULL)
		return sl_err_set(err, -ENOENT,
			"receive ring of the AF_XDP socket is not in /proc/self/maps");
	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &offsets_bytes) != 0 ||
		getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &options_bytes) != 0)
		return sl_err_set(err, -errno, "cannot ask the AF_XDP socket: %s", strerror(errno));
	*queue = (struct queue){
		.fd = fd,
		.is_zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY,
		.producer = (const uint32_t *)(ring + offsets.rx.producer),
		.consumer = (const uint32_t *)(ring + offsets.rx.consumer),
	};
	return 0;
}

struct sl_xsk_stats *sl_xsk_stats_create(
	const struct sl_xsk_set *before, uint32_t queue_count, struct sl_err *err)
{
	struct sl_xsk_stats *stats = calloc(1, sizeof(*stats));
	struct sl_xsk_set now;
	int rc = stats == NULL ? -ENOMEM : sl_xsk_set_read(&now);

	if (rc != 0) {
		sl_err_set(err, rc, "cannot look for AF_XDP sockets: %s", strerror(-rc));
		goto failed;
	}
	for (uint32_t i = 0; i < now.count; i++) {
		if (has(before, now.fds[i]))
			continue;
		if (stats->queue_count == SL_QUEUE_COUNT_MAX)
			break;
		rc = open_queue(&stats->queues[stats->queue_count], now.fds[i], err);
		if (rc != 0)
			goto failed;
		stats->queue_count++;
	}
	if (stats->queue_count == queue_count)
		return stats;
	rc = sl_err_set(err, -ENOENT, "%u AF_XDP sockets found for %u receive queues",
		stats->queue_count, queue_count);
failed:
	free(stats);
	errno = -rc;
	return NULL;
}

void sl_xsk_stats_destroy(struct sl_xsk_stats *stats)
{
	free(stats);
}

static uint32_t in_ring(const struct queue *queue)
{
	// Consumer first: the producer only runs ahead of it, so the difference is never negative.
	uint32_t consumer = SL_LOAD_ACQUIRE(*queue->consumer);

	return SL_LOAD_ACQUIRE(*queue->producer) - consumer;
}

int sl_xsk_stats_read(const struct sl_xsk_stats *stats, struct sl_xsk_counters *counters)
{
	struct sl_xsk_counters sum = {0};

	for (uint32_t i = 0; i < stats->queue_count; i++) {
		const struct queue *queue = &stats->queues[i];
		struct xdp_statistics kernel = {0};
		socklen_t bytes = sizeof(kernel);

		if (getsockopt(queue->fd, SOL_XDP, XDP_STATISTICS, &kernel, &bytes) != 0)
			return -errno;
		// In copy mode an empty fill ring counts a frame twice, in rx_dropped too
		// (xsk_buff_alloc fails inside of __xsk_rcv). In zero-copy mode it is the driver
		// that finds it empty, before the frame reaches the XDP program: no loss of ours.
		uint64_t fill_empty = queue->is_zero_copy
			? 0
			: SL_MIN(kernel.rx_fill_ring_empty_descs, kernel.rx_dropped);
		sum.ring_full += kernel.rx_ring_full;
		sum.fill_empty += fill_empty;
		sum.rx_dropped += kernel.rx_dropped - fill_empty;
		sum.in_ring += in_ring(queue);
	}
	*counters = sum;
	return 0;
}

uint64_t sl_xsk_stats_in_ring(const struct sl_xsk_stats *stats)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < stats->queue_count; i++)
		sum += in_ring(&stats->queues[i]);
	return sum;
}

bool sl_xsk_stats_is_busy_polling(const struct sl_xsk_stats *stats)
{
	for (uint32_t i = 0; i < stats->queue_count; i++) {
		int prefer = 0, poll_us = 0;
		socklen_t prefer_bytes = sizeof(prefer), poll_bytes = sizeof(poll_us);
		int fd = stats->queues[i].fd;

		if (getsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer, &prefer_bytes) != 0 ||
			getsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &poll_us, &poll_bytes) != 0)
			return false;
		if (prefer == 0 || poll_us == 0)
			return false;
	}
	return true;
}
