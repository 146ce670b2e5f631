/* SPDX-License-Identifier: BSD-3-Clause */
#include "clock.h"

#include "suite.h"

#include <errno.h>
#include <time.h>

// A machine whose TSC and wall clock the test sets: no test here waits.
#define TSC_HZ 2500000000ull
#define TSC_START 123456789012345ull
#define WALL_START 1700000000000000000ull

static struct sl_clock clock_under_test;
static struct {
	uint64_t tsc;
	uint64_t wall_ns;
	uint64_t tsc_hz; // as the wall clock sees it
	uint64_t ours_ns_max; // latest time read
	uint64_t backward_count;
} machine;

static uint64_t ours(void)
{
	uint64_t ns = sl_clock_at_ns(&clock_under_test, machine.tsc);

	if (ns < machine.ours_ns_max)
		machine.backward_count++;
	machine.ours_ns_max = SL_MAX(machine.ours_ns_max, ns);
	return ns;
}

static int64_t error_ns(void)
{
	return (int64_t)(machine.wall_ns - ours());
}

static void machine_start(uint64_t tsc_hz)
{
	struct sl_clock_sample first = {.tsc = TSC_START, .ns = 5000};
	struct sl_clock_sample second = {
		.tsc = TSC_START + tsc_hz / 50, .ns = 5000 + SL_NS_PER_S / 50};
	struct sl_clock_sample wall = {.tsc = second.tsc + 1000, .ns = WALL_START};

	machine.tsc = wall.tsc;
	machine.wall_ns = WALL_START;
	machine.tsc_hz = tsc_hz;
	machine.ours_ns_max = 0;
	machine.backward_count = 0;
	sl_clock_calibrate(&clock_under_test, first, second, wall);
}

// A second in ten reads, then an update that takes 2000 ticks.
static int64_t pass_second(void)
{
	int64_t step_ns;

	for (int i = 0; i < 10; i++) {
		machine.tsc += machine.tsc_hz / 10;
		machine.wall_ns += SL_NS_PER_S / 10;
		ours();
	}
	struct sl_clock_sample wall = {.tsc = machine.tsc, .ns = machine.wall_ns};
	machine.tsc += 2000;
	machine.wall_ns += 2000 * SL_NS_PER_S / machine.tsc_hz;
	ours();
	sl_clock_steer(&clock_under_test, wall, machine.tsc, &step_ns);
	ours();
	return step_ns;
}

static bool is_near(int64_t value, int64_t expected, int64_t tolerance)
{
	return value >= expected - tolerance && value <= expected + tolerance;
}

static void follows_the_wall_clock_for_days_without_an_update(void)
{
	machine_start(TSC_HZ);
	machine.tsc += 10 * 86400 * TSC_HZ;
	machine.wall_ns += 10 * 86400 * SL_NS_PER_S;
	CU_ASSERT(is_near(error_ns(), 0, 100 * (int64_t)SL_NS_PER_US));
}

static void calibrates_any_tsc_frequency(void)
{
	static const uint64_t frequencies[] = {19200000, 1000000000, 2100000000, 5700000000};

	for (size_t i = 0; i < SL_ARRAY_COUNT(frequencies); i++) {
		machine_start(frequencies[i]);
		for (int second = 0; second < 100; second++)
			CU_ASSERT_EQUAL(pass_second(), 0);
		CU_ASSERT(is_near(error_ns(), 0, 200));
		CU_ASSERT_EQUAL(machine.backward_count, 0);
	}
}

static void learns_a_rate_that_calibration_missed(void)
{
	machine_start(TSC_HZ);
	machine.tsc_hz = TSC_HZ + TSC_HZ / 10000; // 100 ppm
	CU_ASSERT_EQUAL(pass_second(), 0);
	for (int second = 0; second < 5; second++)
		CU_ASSERT_EQUAL(pass_second(), 0);
	CU_ASSERT(is_near(error_ns(), 0, 200));
	CU_ASSERT_EQUAL(machine.backward_count, 0);
}

static void forward_step_is_reported_and_followed_at_once(void)
{
	machine_start(TSC_HZ);
	pass_second();
	machine.wall_ns += 3600 * SL_NS_PER_S;
	CU_ASSERT(is_near(pass_second(), 3600 * (int64_t)SL_NS_PER_S, 1000));
	CU_ASSERT(is_near(error_ns(), 0, 1000));
	CU_ASSERT_EQUAL(pass_second(), 0);
	CU_ASSERT(is_near(error_ns(), 0, 1000));
	CU_ASSERT_EQUAL(machine.backward_count, 0);
}

static void backward_step_is_reported_once_and_worked_off_without_going_back(void)
{
	machine_start(TSC_HZ);
	pass_second();
	machine.wall_ns -= 10 * SL_NS_PER_S;
	CU_ASSERT(is_near(pass_second(), -10 * (int64_t)SL_NS_PER_S, 1000));
	int seconds = 0;
	while (error_ns() < -1000 && seconds < 100) {
		uint64_t before = ours();
		CU_ASSERT_EQUAL(pass_second(), 0);
		CU_ASSERT(ours() > before);
		seconds++;
	}
	// Half a second each, and the last of it exactly.
	CU_ASSERT(seconds >= 19 && seconds <= 22);
	CU_ASSERT(is_near(error_ns(), 0, 1000));
	CU_ASSERT_EQUAL(machine.backward_count, 0);
}

static void step_below_10_ms_is_worked_off_and_not_reported(void)
{
	static const int64_t shifts[] = {5000000, -5000000};

	for (size_t i = 0; i < SL_ARRAY_COUNT(shifts); i++) {
		machine_start(TSC_HZ);
		pass_second();
		machine.wall_ns += (uint64_t)shifts[i];
		for (int second = 0; second < 6; second++)
			CU_ASSERT_EQUAL(pass_second(), 0);
		CU_ASSERT(is_near(error_ns(), 0, 20000));
		CU_ASSERT_EQUAL(machine.backward_count, 0);
	}
}

static void step_during_a_slew_is_reported_by_its_own_size(void)
{
	machine_start(TSC_HZ);
	machine.wall_ns -= 60 * SL_NS_PER_S;
	pass_second();
	machine.wall_ns += 20 * SL_NS_PER_S;
	CU_ASSERT(is_near(pass_second(), 20 * (int64_t)SL_NS_PER_S, 1000));
	machine.wall_ns -= 5 * SL_NS_PER_S;
	CU_ASSERT(is_near(pass_second(), -5 * (int64_t)SL_NS_PER_S, 1000));
	CU_ASSERT_EQUAL(machine.backward_count, 0);
}

static void updates_in_quick_succession_keep_the_rate(void)
{
	int64_t step_ns;

	machine_start(TSC_HZ);
	pass_second();
	for (int i = 0; i < 1000; i++) {
		machine.tsc += TSC_HZ / 1000000;
		machine.wall_ns += SL_NS_PER_US;
		// A sample that is off by 300 ns either way would be 30 % of the rate here.
		uint64_t jitter = i % 2 == 0 ? 300 : 0;
		struct sl_clock_sample wall = {.tsc = machine.tsc, .ns = machine.wall_ns + jitter};
		sl_clock_steer(&clock_under_test, wall, machine.tsc, &step_ns);
		CU_ASSERT_EQUAL(step_ns, 0);
		ours();
	}
	pass_second();
	pass_second();
	CU_ASSERT(is_near(error_ns(), 0, 1000));
	CU_ASSERT_EQUAL(machine.backward_count, 0);
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

// On the machine itself: between two reads of the system clock, give or take what a calibration of
// 20 ms can be wrong in the moments since.
static void now_agrees_with_the_system_clock(void)
{
	struct sl_clock clock = {0};
	int64_t step_ns = 0;
	int code = sl_clock_init(&clock);

	if (code == -ENOTSUP) // no invariant TSC: the data plane refuses such a machine
		return;
	CU_ASSERT_EQUAL_FATAL(code, 0);
	for (int round = 0; round < 2; round++) {
		uint64_t before = realtime_ns();
		uint64_t now = sl_clock_now_ns(&clock);
		uint64_t after = realtime_ns();
		CU_ASSERT(now + SL_NS_PER_MS > before);
		CU_ASSERT(now < after + SL_NS_PER_MS);
		CU_ASSERT(sl_clock_now_ns(&clock) >= now);
		sl_clock_update(&clock, &step_ns);
		CU_ASSERT_EQUAL(step_ns, 0);
		CU_ASSERT_EQUAL(clock.sequence % 2, 0);
	}
}

static const struct sl_test tests[] = {
	SL_TEST(follows_the_wall_clock_for_days_without_an_update),
	SL_TEST(calibrates_any_tsc_frequency),
	SL_TEST(learns_a_rate_that_calibration_missed),
	SL_TEST(forward_step_is_reported_and_followed_at_once),
	SL_TEST(backward_step_is_reported_once_and_worked_off_without_going_back),
	SL_TEST(step_below_10_ms_is_worked_off_and_not_reported),
	SL_TEST(step_during_a_slew_is_reported_by_its_own_size),
	SL_TEST(updates_in_quick_succession_keep_the_rate),
	SL_TEST(now_agrees_with_the_system_clock),
};
SL_SUITE(common_clock);
