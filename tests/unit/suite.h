/* SPDX-License-Identifier: BSD-3-Clause */
// How a test file offers its tests to the shared runner: one table, `SL_SUITE(name)`, named in
// suites.def. Test names are sentences: steer_counts_ring_full_when_ring_is_full.
#pragma once

#include "base.h"

#include <CUnit/CUnit.h>

struct sl_test {
	const char *name;
	void (*run)(void);
};

struct sl_suite {
	const char *name;
	const struct sl_test *tests;
	size_t test_count;
};

#define SL_TEST(function) \
	{ \
		.name = #function, .run = function \
	}

// Defines sl_suite_NAME from `static const struct sl_test tests[]` above it.
#define SL_SUITE(suite_name) \
	extern const struct sl_suite sl_suite_##suite_name; \
	const struct sl_suite sl_suite_##suite_name = { \
		.name = #suite_name, \
		.tests = tests, \
		.test_count = SL_ARRAY_COUNT(tests), \
	}
