/* SPDX-License-Identifier: BSD-3-Clause */
#include "lap.h"

#include "suite.h"

static void laps_follow_each_other_without_a_gap(void)
{
	struct sl_lcore_cycles cycles = {0};
	uint64_t start_tsc = sl_lap_start(&cycles);
	uint64_t lap_tsc = start_tsc;

	sl_lap(&cycles, SL_TIMED_RECEIVE, 7, &lap_tsc);
	sl_lap(&cycles, SL_TIMED_PARSE, 7, &lap_tsc);
	sl_lap(&cycles, SL_TIMED_RECEIVE, 3, &lap_tsc);
	CU_ASSERT_EQUAL(cycles.stages[SL_TIMED_RECEIVE].count, 10);
	CU_ASSERT_EQUAL(cycles.stages[SL_TIMED_RECEIVE].calls, 2);
	CU_ASSERT_EQUAL(cycles.stages[SL_TIMED_PARSE].calls, 1);
	CU_ASSERT_EQUAL(
		cycles.stages[SL_TIMED_RECEIVE].cycles + cycles.stages[SL_TIMED_PARSE].cycles,
		lap_tsc - start_tsc);
}

static void a_stage_within_another_is_not_counted_twice(void)
{
	struct sl_lcore_cycles cycles = {0};
	uint64_t start_tsc = sl_lap_start(&cycles);
	uint64_t lap_tsc = start_tsc;

	sl_lap_nested(&cycles, SL_TIMED_SEAL, 1, __rdtsc());
	sl_lap_nested(&cycles, SL_TIMED_SEAL, 1, __rdtsc());
	sl_lap(&cycles, SL_TIMED_APPEND, 2, &lap_tsc);
	CU_ASSERT(cycles.stages[SL_TIMED_SEAL].cycles > 0);
	CU_ASSERT_EQUAL(cycles.stages[SL_TIMED_SEAL].cycles + cycles.stages[SL_TIMED_APPEND].cycles,
		lap_tsc - start_tsc);
}

static void what_stands_before_a_lap_takes_nothing_from_it(void)
{
	struct sl_lcore_cycles cycles = {0};
	uint64_t start_tsc, lap_tsc;

	sl_lap_nested(&cycles, SL_TIMED_SEAL, 1, __rdtsc() - 1000000000);
	start_tsc = sl_lap_start(&cycles);
	lap_tsc = start_tsc;
	sl_lap(&cycles, SL_TIMED_SUBMIT, 1, &lap_tsc);
	CU_ASSERT_EQUAL(cycles.stages[SL_TIMED_SUBMIT].cycles, lap_tsc - start_tsc);
}

static const struct sl_test tests[] = {
	SL_TEST(laps_follow_each_other_without_a_gap),
	SL_TEST(a_stage_within_another_is_not_counted_twice),
	SL_TEST(what_stands_before_a_lap_takes_nothing_from_it),
};
SL_SUITE(dataplane_lap);
