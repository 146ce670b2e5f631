/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/config_internal.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t capacity = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT(getdelim(&text, &capacity, '\0', file) > 0);
	fclose(file);
	return text;
}

// When this fails: put the output of build/common/config-doc between the marks of the page.
static void page_has_the_tables_of_the_schema(void)
{
	char *page = read_whole(SL_SOURCE_ROOT "/docs/configuration.md");
	char *tables = NULL;
	size_t bytes;
	FILE *out = open_memstream(&tables, &bytes);

	sl_config_document(out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(page, tables));
	free(tables);
	free(page);
}

static void every_default_passes_its_own_check(void)
{
	char text[SL_CONFIG_TEXT_BYTES_MAX];

	for (size_t i = 0; i < SL_CONFIG_KEY_COUNT; i++) {
		const struct sl_config_key *key = &sl_config_keys[i];
		CU_ASSERT(strlen(key->help) > 0);
		sl_config_describe(key, text);
		CU_ASSERT(strlen(text) > 0 && strlen(text) < sizeof(text) - 1);
		CU_ASSERT_EQUAL(key->is_required, key->default_text[0] == '\0');
		if (key->is_required || key->default_text[0] == '(')
			continue;
		switch (key->kind) {
		case SL_CONFIG_UINT:
			CU_ASSERT(strtoull(key->default_text, NULL, 10) >= key->min);
			CU_ASSERT(strtoull(key->default_text, NULL, 10) <= key->max);
			break;
		case SL_CONFIG_CHOICE:
			CU_ASSERT(sl_config_choice(key, key->default_text) >= 0);
			break;
		case SL_CONFIG_TEXT:
			CU_ASSERT_TRUE(key->check(key->default_text));
			break;
		default:
			CU_ASSERT_STRING_EQUAL(key->default_text, "false");
			break;
		}
	}
}

static const struct sl_test tests[] = {
	SL_TEST(page_has_the_tables_of_the_schema),
	SL_TEST(every_default_passes_its_own_check),
};
SL_SUITE(common_config_document);
