/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/drops_docs.h"

#include "counters.h"
#include "docs_page.h"
#include "suite.h"

// When this fails: sluicectl drops --docs >docs/drops.md
static void the_page_in_docs_is_the_generated_one(void)
{
	sl_assert_page_is_generated("drops.md", sl_drops_docs);
}

static void every_reason_is_on_the_page(void)
{
	for (int i = 0; i < SL_DROP_REASON_COUNT; i++)
		sl_assert_page_has_row(sl_drops_docs, sl_drop_infos[i].name);
}

static const struct sl_test tests[] = {
	SL_TEST(the_page_in_docs_is_the_generated_one),
	SL_TEST(every_reason_is_on_the_page),
};
SL_SUITE(control_ctl_drops_docs);
