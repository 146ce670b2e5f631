/* SPDX-License-Identifier: BSD-3-Clause */
// How long events took, as a histogram of fixed size: 32 buckets for each power of two from 1.024
// us to 68.7 s. Thread rule: a histogram has one writer; anyone reads with SL_LOAD().
#pragma once

#include "base.h"

#define SL_LATENCY_FIRST_BIT 10 // 2^10 ns: what is shorter is in the first bucket
#define SL_LATENCY_LAST_BIT 36 // 2^36 ns: what is not shorter is in the last bucket
#define SL_LATENCY_SUB_BITS 5 // 32 buckets: each is 1/32 of its lower end wide, at most
#define SL_LATENCY_SUB_COUNT (1u << SL_LATENCY_SUB_BITS)
#define SL_LATENCY_BUCKET_COUNT \
	((SL_LATENCY_LAST_BIT - SL_LATENCY_FIRST_BIT) * SL_LATENCY_SUB_COUNT + 2)

struct sl_latency {
	uint64_t max_ns;
	uint64_t buckets[SL_LATENCY_BUCKET_COUNT]; // events
};

// The bucket of a duration.
static inline uint32_t sl_latency_bucket(uint64_t ns)
{
	uint32_t bit, sub;

	if (ns < 1ull << SL_LATENCY_FIRST_BIT)
		return 0;
	bit = 63 - (uint32_t)__builtin_clzll(ns);
	if (bit >= SL_LATENCY_LAST_BIT)
		return SL_LATENCY_BUCKET_COUNT - 1;
	sub = (uint32_t)(ns >> (bit - SL_LATENCY_SUB_BITS)) & (SL_LATENCY_SUB_COUNT - 1);
	return 1 + (bit - SL_LATENCY_FIRST_BIT) * SL_LATENCY_SUB_COUNT + sub;
}

// Counts event_count events that took ns.
static inline void sl_latency_record(struct sl_latency *latency, uint64_t ns, uint64_t event_count)
{
	uint64_t *bucket = &latency->buckets[sl_latency_bucket(ns)];

	SL_STORE(*bucket, *bucket + event_count);
	if (ns > latency->max_ns)
		SL_STORE(latency->max_ns, ns);
}

// The longest duration of a bucket, in nanoseconds; of the last one UINT64_MAX.
uint64_t sl_latency_bucket_last_ns(uint32_t bucket);

// Events in all buckets.
uint64_t sl_latency_event_count(const struct sl_latency *latency);

// Within how many nanoseconds per_mille thousandths of the events were through, rounded up to whole
// events: the longest duration of its bucket, so never too short and at most 1/32 too long, and
// never above max_ns. 0 without events.
uint64_t sl_latency_percentile_ns(const struct sl_latency *latency, uint32_t per_mille);

// Adds what stands in another process's memory to sum.
void sl_latency_add(struct sl_latency *sum, const struct sl_latency *latency);
