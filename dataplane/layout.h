/* SPDX-License-Identifier: BSD-3-Clause */
// Which lcore runs on which CPU with which role. A CPU in both lists gets one lcore that does both:
// run to completion. Thread rule: computed once by the main thread; const afterwards.
#pragma once

#include "base.h"
#include "bounds.h"
#include "config/config.h"
#include "err.h"

#define SL_ROLE_NONE UINT32_MAX

struct sl_layout_lcore {
	uint32_t lcore_id; // DPDK's; the main lcore is 0, polling ones count from 1
	uint32_t cpu;
	uint32_t rx_index; // SL_ROLE_NONE: does not receive
	uint32_t worker_index; // SL_ROLE_NONE: no worker
};

struct sl_layout {
	struct sl_layout_lcore lcores[SL_LCORE_COUNT_MAX]; // polling ones
	uint32_t lcore_count;
	uint32_t rx_count, worker_count;
	uint32_t main_cpu;
};

// From the configuration, and where that is silent from the CPUs this process may use: without any
// list, one lcore on the last CPU does everything (a second core helps only when one no longer
// keeps up, and then its owner says which); with one list, the other is the same; the main lcore
// goes to the first CPU that polls nothing, or shares the first one. -EINVAL with err when there
// are more lcores than SL_LCORE_COUNT_MAX.
int sl_layout_plan(struct sl_layout *layout, const struct sl_config *config, struct sl_err *err);
