/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/batch_ages.h"

#include "hotpath.h"

static void merge_pairs(struct sl_batch_ages *ages)
{
	for (uint32_t i = 0; i < SL_BATCH_AGE_COUNT_MAX / 2; i++) {
		ages->event_counts[i] = ages->event_counts[2 * i] + ages->event_counts[2 * i + 1];
		ages->receive_ns[i] = SL_MIN(ages->receive_ns[2 * i], ages->receive_ns[2 * i + 1]);
	}
	ages->count = SL_BATCH_AGE_COUNT_MAX / 2;
}

void sl_batch_ages_add(struct sl_batch_ages *ages, uint64_t receive_ns, uint32_t event_count)
{
	// The rings of one turn bring events of the same burst, or of one before it.
	if (ages->count > 0 && receive_ns <= ages->receive_ns[ages->count - 1]) {
		ages->event_counts[ages->count - 1] += event_count;
		ages->receive_ns[ages->count - 1] = receive_ns;
		return;
	}
	if (sl_unlikely(ages->count == SL_BATCH_AGE_COUNT_MAX))
		merge_pairs(ages);
	ages->event_counts[ages->count] = event_count;
	ages->receive_ns[ages->count] = receive_ns;
	ages->count++;
}

void sl_batch_ages_record(
	const struct sl_batch_ages *ages, uint64_t now_ns, struct sl_latency *latency)
{
	for (uint32_t i = 0; i < ages->count; i++) {
		uint64_t receive_ns = ages->receive_ns[i];

		sl_latency_record(latency, now_ns > receive_ns ? now_ns - receive_ns : 0,
			ages->event_counts[i]);
	}
}
