/* SPDX-License-Identifier: BSD-3-Clause */
// What the appliance will take of memory, listed before it is taken: `--check` prints it, EAL
// reserves it, and a configuration that does not fit is refused with the sum. Thread rule: main
// thread, before start.
#pragma once

#include "base.h"
#include "config/config.h"
#include "err.h"
#include "layout.h"

#include <stdio.h>

#define SL_MEMORY_ITEM_COUNT_MAX 12

struct sl_memory_item {
	const char *name;
	uint64_t bytes;
	bool is_hugepage;
	char detail[160]; // how bytes came about
};

struct sl_memory_plan {
	struct sl_memory_item items[SL_MEMORY_ITEM_COUNT_MAX];
	uint32_t item_count;
	uint32_t mbuf_count;
	uint32_t mbuf_data_bytes;
	uint32_t ring_count; // of each RX lcore
	uint32_t ring_entries; // of each ring
	uint64_t hugepage_bytes, total_bytes; // of hugepages whole ones
};

// queue_counts[i]: RX queues of port i. Reads the store's metadata when there is a store: streams
// that the configuration does not name any more have partitions, which are in every checkpoint.
// Returns 0, or -EINVAL with err when rings, descriptors and caches together could hold all mbufs:
// then one slow worker would starve the ports; or when the configuration does not fit the store.
int sl_memory_plan_make(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const uint32_t *queue_counts, struct sl_err *err);

// A table, one line an item, the sum last.
void sl_memory_plan_print(const struct sl_memory_plan *plan, FILE *out);
