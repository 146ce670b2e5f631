/* SPDX-License-Identifier: BSD-3-Clause */
// What the kernel knows of a network interface in this network namespace. Thread rule: any thread
// but a polling lcore.
#pragma once

#include "base.h"

// Channels as ethtool -l shows them. All 0 where the driver has no such notion: one queue.
struct sl_interface_channels {
	uint32_t receive; // separate ones
	uint32_t combined;
};

struct sl_interface_counters {
	uint64_t rx_packets, rx_dropped;
};

// Each returns 0 or a negative errno; -ENODEV when there is no such interface.
int sl_interface_read_channels(const char *interface, struct sl_interface_channels *channels);
int sl_interface_read_mtu(const char *interface, uint32_t *mtu);
int sl_interface_read_counters(const char *interface, struct sl_interface_counters *counters);
