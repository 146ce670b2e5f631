/* SPDX-License-Identifier: BSD-3-Clause */
// DPDK's environment: its arguments from ours, its hugepages checked beforehand, its log lines
// forwarded to sl_log one level below ours (they are details of our own errors). Thread rule: main
// thread, which becomes the main lcore.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"

// One "--vdev=..." or "--allow=..." argument with its terminating zero: a path and some options.
#define SL_EAL_ARGUMENT_BYTES_MAX 5120

struct sl_eal_lcore {
	uint32_t lcore_id; // below RTE_MAX_LCORE
	uint32_t cpu; // several lcores may share one
};

struct sl_eal_config {
	const char *program; // argv[0] of EAL
	struct sl_eal_lcore lcores[SL_LCORE_COUNT_MAX + 1]; // [0] is the main lcore
	uint32_t lcore_count;
	const char *device_arguments[SL_PORT_COUNT_MAX]; // as sl_port_devargs() writes them
	uint32_t device_count;
	uint32_t memory_mib; // of hugepages, all pools and rings together; see sl_mempool_bytes()
	bool no_huge; // ordinary memory instead: tests without hugepages
};

// Checks CPUs and free hugepages, raises RLIMIT_MEMLOCK and initialises EAL with --in-memory,
// --no-telemetry, --single-file-segments, --iova-mode=va, a file prefix of its own and no PCI
// unless a device is a PCI one. Returns 0 or a negative errno; err says what is missing and the
// command that remedies it, or repeats what EAL said.
int sl_eal_init(const struct sl_eal_config *config, struct sl_err *err);

// Cleans EAL up. Every port must be closed and every other lcore be back.
void sl_eal_fini(void);

// What DPDK and its drivers logged as errors since the previous call, joined by "; ", "" if
// nothing: to put behind an error of theirs. Valid until the next call. Main thread.
const char *sl_eal_take_errors(void);
