/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/breaker.h"

#include "suite.h"

static void backoff_doubles_up_to_its_maximum(void)
{
	CU_ASSERT_EQUAL(sl_backoff_ns(0, 1000, 9000), 1000);
	CU_ASSERT_EQUAL(sl_backoff_ns(1, 1000, 9000), 2000);
	CU_ASSERT_EQUAL(sl_backoff_ns(3, 1000, 9000), 8000);
	CU_ASSERT_EQUAL(sl_backoff_ns(4, 1000, 9000), 9000);
	CU_ASSERT_EQUAL(sl_backoff_ns(62, 1000, 9000), 9000);
	CU_ASSERT_EQUAL(sl_backoff_ns(UINT32_MAX, 1000, 9000), 9000);
	CU_ASSERT_EQUAL(sl_backoff_ns(0, 1000, 1000), 1000);
}

static void a_closed_breaker_lets_everybody_try(void)
{
	struct sl_breaker breaker;

	sl_breaker_init(&breaker, 100, 1000);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 0), SL_BREAKER_TRY);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 0), SL_BREAKER_TRY);
}

static void an_open_one_lets_one_probe_through_when_its_time_is_over(void)
{
	struct sl_breaker breaker;

	sl_breaker_init(&breaker, 100, 1000);
	sl_breaker_trip(&breaker, 5000);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 5099), SL_BREAKER_WAIT);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 5100), SL_BREAKER_PROBE);
	CU_ASSERT_EQUAL(breaker.state, SL_BREAKER_HALF_OPEN);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 9999), SL_BREAKER_WAIT);
	sl_breaker_close(&breaker);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 9999), SL_BREAKER_TRY);
}

static void each_trip_opens_it_for_twice_as_long_until_a_lane_is_whole_again(void)
{
	struct sl_breaker breaker;

	sl_breaker_init(&breaker, 100, 350);
	sl_breaker_trip(&breaker, 0);
	CU_ASSERT_EQUAL(breaker.open_until_ns, 100);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 100), SL_BREAKER_PROBE);
	sl_breaker_trip(&breaker, 100);
	CU_ASSERT_EQUAL(breaker.open_until_ns, 300);
	// The probe alone is no proof.
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 300), SL_BREAKER_PROBE);
	sl_breaker_close(&breaker);
	sl_breaker_trip(&breaker, 400);
	CU_ASSERT_EQUAL(breaker.open_until_ns, 750);
	CU_ASSERT_EQUAL(breaker.opened_count, 3);
	CU_ASSERT_EQUAL(sl_breaker_ask(&breaker, 750), SL_BREAKER_PROBE);
	sl_breaker_close(&breaker);
	sl_breaker_forget(&breaker);
	sl_breaker_trip(&breaker, 1000);
	CU_ASSERT_EQUAL(breaker.open_until_ns, 1100);
}

static const struct sl_test tests[] = {
	SL_TEST(backoff_doubles_up_to_its_maximum),
	SL_TEST(a_closed_breaker_lets_everybody_try),
	SL_TEST(an_open_one_lets_one_probe_through_when_its_time_is_over),
	SL_TEST(each_trip_opens_it_for_twice_as_long_until_a_lane_is_whole_again),
};
SL_SUITE(dataplane_store_breaker);
