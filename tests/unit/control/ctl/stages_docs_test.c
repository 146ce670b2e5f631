/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/stages_docs.h"

#include "counters.h"
#include "docs_page.h"
#include "suite.h"

// When this fails: sluicectl stats --docs >docs/stages.md
static void the_page_in_docs_is_the_generated_one(void)
{
	sl_assert_page_is_generated("stages.md", sl_stages_docs);
}

static void every_stage_is_on_the_page(void)
{
	for (int i = 0; i < SL_TIMED_STAGE_COUNT; i++)
		sl_assert_page_has_row(sl_stages_docs, sl_timed_stage_infos[i].name);
}

static const struct sl_test tests[] = {
	SL_TEST(the_page_in_docs_is_the_generated_one),
	SL_TEST(every_stage_is_on_the_page),
};
SL_SUITE(control_ctl_stages_docs);
