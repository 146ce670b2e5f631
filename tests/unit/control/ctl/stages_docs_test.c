/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/stages_docs.h"

#include "counters.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *generated(void)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	sl_stages_docs(out);
	fclose(out);
	return text;
}

static void the_page_in_docs_is_the_generated_one(void)
{
	char *text = generated();
	char *page = calloc(1, strlen(text) + 2);
	FILE *file = fopen(SL_SOURCE_ROOT "/docs/stages.md", "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	size_t bytes = fread(page, 1, strlen(text) + 1, file);
	CU_ASSERT_EQUAL(bytes, strlen(text));
	// When this fails: sluicectl stats --docs >docs/stages.md
	CU_ASSERT_STRING_EQUAL(page, text);
	fclose(file);
	free(page);
	free(text);
}

static void every_stage_is_on_the_page(void)
{
	char *text = generated();
	char row[64];

	for (int i = 0; i < SL_TIMED_STAGE_COUNT; i++) {
		snprintf(row, sizeof(row), "| `%s` | ", sl_timed_stage_infos[i].name);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, row));
	}
	free(text);
}

static const struct sl_test tests[] = {
	SL_TEST(the_page_in_docs_is_the_generated_one),
	SL_TEST(every_stage_is_on_the_page),
};
SL_SUITE(control_ctl_stages_docs);
