/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/pacer.h"

#include "suite.h"

#define START_NS 1000000000000ull

// A perfect sender on a clock of our own: wakes when told, sending takes no time.
static uint64_t run_perfectly(struct sl_pacer *pacer, uint64_t until_ns)
{
	uint64_t now_ns = START_NS;

	while (now_ns < until_ns) {
		uint32_t count = sl_pacer_due(pacer, now_ns);

		if (count > 0)
			sl_pacer_sent(pacer, count, now_ns);
		else
			now_ns = sl_pacer_next_ns(pacer);
	}
	return pacer->sent_count;
}

static void a_perfect_sender_sends_the_rate_within_one_burst(void)
{
	static const uint64_t rates[] = {1, 7, 999, 2000, 200000, 333333, 1000000, 14880000};

	for (size_t i = 0; i < SL_ARRAY_COUNT(rates); i++) {
		struct sl_pacer pacer;

		sl_pacer_init(&pacer, rates[i], 0, SL_PACER_CATCH_UP_NS, START_NS);
		uint64_t sent = run_perfectly(&pacer, START_NS + 3 * SL_NS_PER_S);
		CU_ASSERT(sent >= 3 * rates[i]);
		CU_ASSERT(sent <= 3 * rates[i] + pacer.burst_count);
		CU_ASSERT_EQUAL(pacer.second_off_count, 0);
		CU_ASSERT_EQUAL(pacer.forgiven_ns, 0);
	}
}

static void the_burst_is_half_a_millisecond_of_the_rate(void)
{
	struct sl_pacer pacer;

	sl_pacer_init(&pacer, 200000, 0, SL_PACER_CATCH_UP_NS, START_NS);
	CU_ASSERT_EQUAL(pacer.burst_count, 100);
	sl_pacer_init(&pacer, 10, 0, SL_PACER_CATCH_UP_NS, START_NS);
	CU_ASSERT_EQUAL(pacer.burst_count, 1);
	sl_pacer_init(&pacer, 1000000000, 0, SL_PACER_CATCH_UP_NS, START_NS);
	CU_ASSERT_EQUAL(pacer.burst_count, SL_PACER_BURST_COUNT_MAX);
	sl_pacer_init(&pacer, 1000, 500, SL_PACER_CATCH_UP_NS, START_NS);
	CU_ASSERT_EQUAL(pacer.burst_count, 500);
}

static void flat_out_is_always_due(void)
{
	struct sl_pacer pacer;

	sl_pacer_init(&pacer, 0, 0, SL_PACER_CATCH_UP_NS, START_NS);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT(sl_pacer_due(&pacer, START_NS) > 0);
		sl_pacer_sent(&pacer, 1000000, START_NS);
	}
	CU_ASSERT_EQUAL(pacer.second_count, 0);
	CU_ASSERT_EQUAL(sl_pacer_worst_per_mille(&pacer), 0);
}

static void nothing_is_due_before_its_time(void)
{
	struct sl_pacer pacer;

	sl_pacer_init(&pacer, 1000, 10, SL_PACER_CATCH_UP_NS, START_NS);
	CU_ASSERT_EQUAL(sl_pacer_due(&pacer, START_NS), 10);
	sl_pacer_sent(&pacer, 10, START_NS);
	CU_ASSERT_EQUAL(sl_pacer_next_ns(&pacer), START_NS + 10 * SL_NS_PER_MS);
	CU_ASSERT_EQUAL(sl_pacer_due(&pacer, START_NS + 10 * SL_NS_PER_MS - 1), 0);
	CU_ASSERT_EQUAL(sl_pacer_due(&pacer, START_NS + 10 * SL_NS_PER_MS), 10);
}

static void a_short_stall_is_caught_up_and_a_long_one_forgiven(void)
{
	struct sl_pacer pacer;
	uint64_t now_ns = START_NS + 4 * SL_NS_PER_MS;
	uint32_t count, sent_count = 0;

	sl_pacer_init(&pacer, 1000, 1, SL_PACER_CATCH_UP_NS, START_NS);
	while ((count = sl_pacer_due(&pacer, now_ns)) > 0) {
		sl_pacer_sent(&pacer, count, now_ns);
		sent_count += count;
	}
	CU_ASSERT_EQUAL(sent_count, 5); // 0, 1, ... 4 ms
	CU_ASSERT_EQUAL(pacer.forgiven_ns, 0);

	now_ns += 500 * SL_NS_PER_MS;
	sent_count = 0;
	while ((count = sl_pacer_due(&pacer, now_ns)) > 0) {
		sl_pacer_sent(&pacer, count, now_ns);
		sent_count += count;
	}
	CU_ASSERT_EQUAL(sent_count, 6); // the last 5 ms
	// 500 ms behind, less the event that was not due yet and the 5 ms that count.
	CU_ASSERT_EQUAL(pacer.forgiven_ns, 494 * SL_NS_PER_MS);
}

static void what_is_caught_up_is_the_callers_choice(void)
{
	struct sl_pacer pacer;
	uint64_t now_ns = START_NS + 100 * SL_NS_PER_MS;
	uint32_t count, sent_count = 0;

	sl_pacer_init(&pacer, 1000, 1, 400 * SL_NS_PER_MS, START_NS);
	while ((count = sl_pacer_due(&pacer, now_ns)) > 0) {
		sl_pacer_sent(&pacer, count, now_ns);
		sent_count += count;
	}
	CU_ASSERT_EQUAL(sent_count, 101);
	CU_ASSERT_EQUAL(pacer.forgiven_ns, 0);

	sl_pacer_init(&pacer, 1000, 1, 0, START_NS);
	CU_ASSERT_EQUAL(sl_pacer_due(&pacer, now_ns), 1);
	sl_pacer_sent(&pacer, 1, now_ns);
	CU_ASSERT_EQUAL(sl_pacer_due(&pacer, now_ns), 0);
	CU_ASSERT_EQUAL(pacer.forgiven_ns, 100 * SL_NS_PER_MS);
}

static void a_second_that_was_off_by_more_than_half_a_percent_is_said(void)
{
	struct sl_pacer pacer;

	sl_pacer_init(&pacer, 10000, 1, SL_PACER_CATCH_UP_NS, START_NS);
	sl_pacer_sent(&pacer, 9950, START_NS + 1); // 0.5 % short: held
	sl_pacer_sent(&pacer, 9949, START_NS + SL_NS_PER_S);
	CU_ASSERT_EQUAL(pacer.second_count, 1);
	CU_ASSERT_EQUAL(pacer.second_off_count, 0);
	sl_pacer_sent(&pacer, 1, START_NS + 2 * SL_NS_PER_S);
	CU_ASSERT_EQUAL(pacer.second_count, 2);
	CU_ASSERT_EQUAL(pacer.second_off_count, 1);
	// Two seconds pass at once: the first had one event, the second none.
	sl_pacer_sent(&pacer, 1, START_NS + 4 * SL_NS_PER_S);
	CU_ASSERT_EQUAL(pacer.second_count, 4);
	CU_ASSERT_EQUAL(pacer.second_off_count, 3);
	CU_ASSERT_EQUAL(sl_pacer_worst_per_mille(&pacer), 1000);
}

static const struct sl_test tests[] = {
	SL_TEST(a_perfect_sender_sends_the_rate_within_one_burst),
	SL_TEST(the_burst_is_half_a_millisecond_of_the_rate),
	SL_TEST(flat_out_is_always_due),
	SL_TEST(nothing_is_due_before_its_time),
	SL_TEST(a_short_stall_is_caught_up_and_a_long_one_forgiven),
	SL_TEST(what_is_caught_up_is_the_callers_choice),
	SL_TEST(a_second_that_was_off_by_more_than_half_a_percent_is_said),
};
SL_SUITE(load_pacer);
