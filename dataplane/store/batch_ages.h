/* SPDX-License-Identifier: BSD-3-Clause */
// When the events of a batch were received, without a word per event: how many of them came with
// which receive time. More pairs than there is room for are merged two by two, and the older time
// stays: what comes out is never too young. Thread rule: the worker that owns the lane.
#pragma once

#include "base.h"
#include "latency.h"

// After a merge 64 pairs cover the batch, so a linger of 1 ms is resolved to 16 us.
#define SL_BATCH_AGE_COUNT_MAX 128

struct sl_batch_ages {
	uint32_t count;
	uint32_t event_counts[SL_BATCH_AGE_COUNT_MAX];
	uint64_t receive_ns[SL_BATCH_AGE_COUNT_MAX];
};

// Notes event_count events, none of them received before receive_ns.
void sl_batch_ages_add(struct sl_batch_ages *ages, uint64_t receive_ns, uint32_t event_count);

// Records all of them as through at now_ns.
void sl_batch_ages_record(
	const struct sl_batch_ages *ages, uint64_t now_ns, struct sl_latency *latency);
