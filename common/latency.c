/* SPDX-License-Identifier: BSD-3-Clause */
#include "latency.h"

uint64_t sl_latency_bucket_last_ns(uint32_t bucket)
{
	uint32_t bit, sub;

	if (bucket == 0)
		return (1ull << SL_LATENCY_FIRST_BIT) - 1;
	if (bucket >= SL_LATENCY_BUCKET_COUNT - 1)
		return UINT64_MAX;
	bit = SL_LATENCY_FIRST_BIT + (bucket - 1) / SL_LATENCY_SUB_COUNT;
	sub = (bucket - 1) % SL_LATENCY_SUB_COUNT;
	return ((uint64_t)(SL_LATENCY_SUB_COUNT + sub + 1) << (bit - SL_LATENCY_SUB_BITS)) - 1;
}

uint64_t sl_latency_event_count(const struct sl_latency *latency)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < SL_LATENCY_BUCKET_COUNT; i++)
		count += SL_LOAD(latency->buckets[i]);
	return count;
}

uint64_t sl_latency_percentile_ns(const struct sl_latency *latency, uint32_t per_mille)
{
	uint64_t event_count = sl_latency_event_count(latency);
	uint64_t rank = (uint64_t)(((unsigned __int128)event_count * per_mille + 999) / 1000);
	uint64_t seen_count = 0;

	if (event_count == 0)
		return 0;
	for (uint32_t i = 0; i < SL_LATENCY_BUCKET_COUNT; i++) {
		seen_count += SL_LOAD(latency->buckets[i]);
		if (seen_count >= rank && seen_count > 0)
			return SL_MIN(sl_latency_bucket_last_ns(i), SL_LOAD(latency->max_ns));
	}
	return SL_LOAD(latency->max_ns);
}

void sl_latency_add(struct sl_latency *sum, const struct sl_latency *latency)
{
	sum->max_ns = SL_MAX(sum->max_ns, SL_LOAD(latency->max_ns));
	for (uint32_t i = 0; i < SL_LATENCY_BUCKET_COUNT; i++)
		sum->buckets[i] += SL_LOAD(latency->buckets[i]);
}
