/* SPDX-License-Identifier: BSD-3-Clause */
#include "latency.h"

#include "suite.h"

static struct sl_latency latency;

static void buckets_cover_all_durations_without_gap_or_overlap(void)
{
	CU_ASSERT_EQUAL(sl_latency_bucket(0), 0);
	for (uint32_t i = 0; i + 1 < SL_LATENCY_BUCKET_COUNT; i++) {
		uint64_t last_ns = sl_latency_bucket_last_ns(i);

		CU_ASSERT_EQUAL(sl_latency_bucket(last_ns), i);
		CU_ASSERT_EQUAL(sl_latency_bucket(last_ns + 1), i + 1);
	}
	CU_ASSERT_EQUAL(sl_latency_bucket_last_ns(0), 1023);
	CU_ASSERT_EQUAL(sl_latency_bucket_last_ns(SL_LATENCY_BUCKET_COUNT - 2), (1ull << 36) - 1);
	CU_ASSERT_EQUAL(sl_latency_bucket(UINT64_MAX), SL_LATENCY_BUCKET_COUNT - 1);
	CU_ASSERT_EQUAL(sl_latency_bucket_last_ns(SL_LATENCY_BUCKET_COUNT - 1), UINT64_MAX);
}

// The longest duration of a bucket is at most 1/32 above its shortest, and in the first bucket of
// each power of two it nearly is.
static void no_bucket_is_wider_than_a_thirtysecond_of_its_lower_end(void)
{
	for (uint32_t i = 1; i + 1 < SL_LATENCY_BUCKET_COUNT; i++) {
		uint64_t shortest_ns = sl_latency_bucket_last_ns(i - 1) + 1;
		uint64_t width_ns = sl_latency_bucket_last_ns(i) - shortest_ns + 1;

		CU_ASSERT(width_ns * 32 <= shortest_ns);
		if ((i - 1) % 32 == 0)
			CU_ASSERT_EQUAL(width_ns * 32, shortest_ns);
	}
}

static void record(uint64_t ns, uint64_t event_count)
{
	sl_latency_record(&latency, ns, event_count);
}

static void percentiles_are_the_ends_of_buckets_and_never_too_short(void)
{
	latency = (struct sl_latency){0};
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 990), 0);
	record(100000, 989); // 99,9xx: the bucket ends at 100,351
	record(5000000, 10);
	record(70000000, 1);
	CU_ASSERT_EQUAL(sl_latency_event_count(&latency), 1000);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 0), 100351);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 500), 100351);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 989), 100351);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 990),
		sl_latency_bucket_last_ns(sl_latency_bucket(5000000)));
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 999),
		sl_latency_bucket_last_ns(sl_latency_bucket(5000000)));
	// Not above what was seen.
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 1000), 70000000);
	CU_ASSERT_EQUAL(latency.max_ns, 70000000);
}

static void a_rank_is_rounded_up_to_whole_events(void)
{
	latency = (struct sl_latency){0};
	record(2000, 1);
	record(4000000, 1);
	CU_ASSERT(sl_latency_percentile_ns(&latency, 500) < 2100);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 501), 4000000);
}

static void what_lies_outside_is_counted_at_the_ends(void)
{
	latency = (struct sl_latency){0};
	record(0, 2);
	record(1ull << 40, 3);
	CU_ASSERT_EQUAL(latency.buckets[0], 2);
	CU_ASSERT_EQUAL(latency.buckets[SL_LATENCY_BUCKET_COUNT - 1], 3);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 400), 1023);
	CU_ASSERT_EQUAL(sl_latency_percentile_ns(&latency, 990), 1ull << 40);
}

static void sums_are_those_of_all_events(void)
{
	static struct sl_latency sum;

	sum = (struct sl_latency){0};
	latency = (struct sl_latency){0};
	record(5000, 7);
	record(9000, 1);
	sl_latency_add(&sum, &latency);
	sl_latency_add(&sum, &latency);
	CU_ASSERT_EQUAL(sl_latency_event_count(&sum), 16);
	CU_ASSERT_EQUAL(sum.buckets[sl_latency_bucket(5000)], 14);
	CU_ASSERT_EQUAL(sum.max_ns, 9000);
}

static const struct sl_test tests[] = {
	SL_TEST(buckets_cover_all_durations_without_gap_or_overlap),
	SL_TEST(no_bucket_is_wider_than_a_thirtysecond_of_its_lower_end),
	SL_TEST(percentiles_are_the_ends_of_buckets_and_never_too_short),
	SL_TEST(a_rank_is_rounded_up_to_whole_events),
	SL_TEST(what_lies_outside_is_counted_at_the_ends),
	SL_TEST(sums_are_those_of_all_events),
};
SL_SUITE(common_latency);
