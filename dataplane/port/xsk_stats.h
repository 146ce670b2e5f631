/* SPDX-License-Identifier: BSD-3-Clause */
// The AF_XDP sockets of a port, which DPDK's driver keeps to itself: the kernel's counters of what
// it could not deliver, and how many frames wait in the receive rings. Thread rule: main lcore.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"

// AF_XDP sockets that this process has at one moment.
struct sl_xsk_set {
	int fds[SL_PORT_COUNT_MAX * SL_QUEUE_COUNT_MAX];
	uint32_t count;
};

// Frames that the XDP program redirected and that never reached the driver, by reason, and those
// on their way. Each frame is in one of them.
struct sl_xsk_counters {
	uint64_t ring_full; // the receive ring was full: the RX lcore was too slow
	uint64_t fill_empty; // no free buffer was at hand: the mempool or the fill ring ran dry
	uint64_t rx_dropped; // any other reason, such as a frame larger than a buffer
	uint64_t in_ring;
};

struct sl_xsk_stats;

// Looks through /proc/self/fd. Returns 0 or a negative errno.
int sl_xsk_set_read(struct sl_xsk_set *set);

// Takes the sockets that are there now and were not in `before`: those of the port that was opened
// in between. They must be queue_count. Returns NULL with errno and err set. The caller owns it:
// sl_xsk_stats_destroy(), before the device is closed.
struct sl_xsk_stats *sl_xsk_stats_create(
	const struct sl_xsk_set *before, uint32_t queue_count, struct sl_err *err);

// Legal on NULL.
void sl_xsk_stats_destroy(struct sl_xsk_stats *stats);

// Sums over the sockets. Returns 0 or a negative errno.
int sl_xsk_stats_read(const struct sl_xsk_stats *stats, struct sl_xsk_counters *counters);

// Frames in the receive rings alone: no system call.
uint64_t sl_xsk_stats_in_ring(const struct sl_xsk_stats *stats);

// True when the kernel busy-polls for every socket. Without it the driver may sleep for a second
// in poll(2) on an idle queue.
bool sl_xsk_stats_is_busy_polling(const struct sl_xsk_stats *stats);
