/* SPDX-License-Identifier: BSD-3-Clause */
#include "counters.h"

#include "suite.h"

#include <string.h>

static void every_drop_reason_has_a_unique_name_and_help(void)
{
	for (int i = 0; i < SL_DROP_REASON_COUNT; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(sl_drop_infos[i].name);
		CU_ASSERT(strlen(sl_drop_infos[i].help) > 0);
		for (int j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(sl_drop_infos[i].name, sl_drop_infos[j].name);
	}
}

static void counter_tables_point_at_their_own_fields(void)
{
	struct sl_rx_counters rx = {.frames = 1, .turn_ns_max = 2};
	const char *base = (const char *)&rx;

	CU_ASSERT_STRING_EQUAL(sl_rx_counter_infos[0].name, "frames");
	CU_ASSERT_EQUAL(*(const uint64_t *)(base + sl_rx_counter_infos[0].byte_offset), 1);
	CU_ASSERT_EQUAL(*(const uint64_t *)(base +
				sl_rx_counter_infos[sl_rx_counter_count - 1].byte_offset),
		2);
}

static const struct sl_test tests[] = {
	SL_TEST(every_drop_reason_has_a_unique_name_and_help),
	SL_TEST(counter_tables_point_at_their_own_fields),
};
SL_SUITE(common_counters);
