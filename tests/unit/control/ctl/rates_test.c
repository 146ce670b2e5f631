/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rates.h"

#include "made_segment.h"
#include "stats_json.h"
#include "suite.h"

static json_t *sample_at(json_int_t time_ns, json_int_t frames, json_int_t open_events)
{
	return json_pack("{s:I, s:{s:I, s:I}}", "time_ns", time_ns, "totals", "frames", frames,
		"open_events", open_events);
}

static void rates_are_the_growth_a_second(void)
{
	json_t *before = sample_at(1000000000, 100, 5);
	json_t *sample = sample_at(1500000000, 600, 9);

	CU_ASSERT_EQUAL(sl_rates_add(sample, before), 0);
	const json_t *rates = json_object_get(sample, "rates");
	CU_ASSERT_EQUAL(json_real_value(json_object_get(rates, "frames")), 1000.0);
	json_decref(before);
	json_decref(sample);
}

static void gauges_have_no_rate(void)
{
	json_t *before = sample_at(0, 100, 5);
	json_t *sample = sample_at(1000000000, 100, 9);

	CU_ASSERT_EQUAL(sl_rates_add(sample, before), 0);
	const json_t *rates = json_object_get(sample, "rates");
	CU_ASSERT_PTR_NULL(json_object_get(rates, "open_events"));
	CU_ASSERT_EQUAL(json_object_size(rates), 1);
	json_decref(before);
	json_decref(sample);
}

static void a_first_sample_and_one_of_the_same_moment_have_no_rates(void)
{
	json_t *before = sample_at(1000, 100, 5);
	json_t *sample = sample_at(1000, 200, 5);

	CU_ASSERT_EQUAL(sl_rates_add(sample, NULL), 0);
	CU_ASSERT_EQUAL(json_object_size(json_object_get(sample, "rates")), 0);
	CU_ASSERT_EQUAL(sl_rates_add(sample, before), 0);
	CU_ASSERT_EQUAL(json_object_size(json_object_get(sample, "rates")), 0);
	json_decref(before);
	json_decref(sample);
}

static void every_counter_of_real_totals_gets_a_rate(void)
{
	struct sl_made_segment made;

	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&made), 0);
	json_t *before = sl_stats_json_stats(&made.shm);
	json_t *sample = sl_stats_json_stats(&made.shm);
	json_object_set_new(before, "time_ns", json_integer(0));
	CU_ASSERT_EQUAL(sl_rates_add(sample, before), 0);
	// All but the two gauges.
	CU_ASSERT_EQUAL(json_object_size(json_object_get(sample, "rates")),
		json_object_size(json_object_get(sample, "totals")) - 2);
	json_decref(before);
	json_decref(sample);
	sl_made_segment_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(rates_are_the_growth_a_second),
	SL_TEST(gauges_have_no_rate),
	SL_TEST(a_first_sample_and_one_of_the_same_moment_have_no_rates),
	SL_TEST(every_counter_of_real_totals_gets_a_rate),
};
SL_SUITE(control_ctl_rates);
