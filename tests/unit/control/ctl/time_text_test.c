/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/time_text.h"

#include "suite.h"

#include <errno.h>

static void dates_and_nanoseconds_are_times(void)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{"2026-11-21T08:43:52", 1795250632000000000},
		{"2026-11-21T08:43:52Z", 1795250632000000000},
		{"1970-01-01T00:00:00", 0},
		{"1795250632000000001", 1795250632000000001},
		{"0", 0},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		struct sl_err err;
		uint64_t ns = 77;

		CU_ASSERT_EQUAL(sl_time_parse(cases[i].text, &ns, &err), 0);
		CU_ASSERT_EQUAL(ns, cases[i].ns);
	}
}

static void anything_else_is_none(void)
{
	static const char *const texts[] = {"", "yesterday", "2026-11-21", "2026-11-21T08:43:52+1",
		"2026-13-21T08:43:52", "1960-01-01T00:00:00", "99999999999999999999", "-5", "5 "};

	for (size_t i = 0; i < SL_ARRAY_COUNT(texts); i++) {
		struct sl_err err;
		uint64_t ns;

		CU_ASSERT_EQUAL(sl_time_parse(texts[i], &ns, &err), -EINVAL);
	}
}

static const struct sl_test tests[] = {
	SL_TEST(dates_and_nanoseconds_are_times),
	SL_TEST(anything_else_is_none),
};
SL_SUITE(control_ctl_time_text);
