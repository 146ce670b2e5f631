/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/batch_ages.h"

#include "suite.h"

static struct sl_batch_ages ages;
static struct sl_latency latency;

static uint64_t event_count(void)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < ages.count; i++)
		count += ages.event_counts[i];
	return count;
}

static void each_burst_keeps_its_own_time_while_there_is_room(void)
{
	ages.count = 0;
	latency = (struct sl_latency){0};
	for (uint32_t i = 0; i < SL_BATCH_AGE_COUNT_MAX; i++)
		sl_batch_ages_add(&ages, 1000000 + i * 100000, 3);
	CU_ASSERT_EQUAL(ages.count, SL_BATCH_AGE_COUNT_MAX);
	sl_batch_ages_record(&ages, 1000000 + 128 * 100000, &latency);
	CU_ASSERT_EQUAL(latency.max_ns, 12800000);
	CU_ASSERT_EQUAL(sl_latency_event_count(&latency), 3 * SL_BATCH_AGE_COUNT_MAX);
	CU_ASSERT_EQUAL(latency.buckets[sl_latency_bucket(100000)], 3);
}

static void bursts_that_are_merged_keep_the_older_time_and_every_event(void)
{
	uint64_t total = 0;

	ages.count = 0;
	for (uint32_t i = 0; i < 10000; i++) {
		sl_batch_ages_add(&ages, 5000 + i, 1 + i % 3);
		total += 1 + i % 3;
	}
	CU_ASSERT(ages.count > SL_BATCH_AGE_COUNT_MAX / 2);
	CU_ASSERT(ages.count <= SL_BATCH_AGE_COUNT_MAX);
	CU_ASSERT_EQUAL(event_count(), total);
	CU_ASSERT_EQUAL(ages.receive_ns[0], 5000);
	// Every event's own time is not before that of its pair.
	uint64_t events_before = 0;
	for (uint32_t i = 0; i < ages.count; i++) {
		uint64_t own_ns = 5000 + events_before / 2; // each burst has two on the average

		CU_ASSERT(ages.receive_ns[i] <= own_ns + 1);
		events_before += ages.event_counts[i];
	}
}

static void an_older_burst_behind_a_younger_one_makes_both_older(void)
{
	ages.count = 0;
	latency = (struct sl_latency){0};
	sl_batch_ages_add(&ages, 5000, 1);
	sl_batch_ages_add(&ages, 9000, 2);
	sl_batch_ages_add(&ages, 4000, 4);
	CU_ASSERT_EQUAL(event_count(), 7);
	sl_batch_ages_record(&ages, 1004000, &latency);
	CU_ASSERT_EQUAL(latency.max_ns, 1000000);
	CU_ASSERT_EQUAL(latency.buckets[sl_latency_bucket(1000000)], 6);
	CU_ASSERT_EQUAL(latency.buckets[sl_latency_bucket(999000)], 1);
	// A clock that was set back gives no age below zero.
	sl_batch_ages_record(&ages, 1000, &latency);
	CU_ASSERT_EQUAL(latency.buckets[0], 7);
}

static const struct sl_test tests[] = {
	SL_TEST(each_burst_keeps_its_own_time_while_there_is_room),
	SL_TEST(bursts_that_are_merged_keep_the_older_time_and_every_event),
	SL_TEST(an_older_burst_behind_a_younger_one_makes_both_older),
};
SL_SUITE(dataplane_store_batch_ages);
