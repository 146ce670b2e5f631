/* SPDX-License-Identifier: BSD-3-Clause */
#include "docs_page.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

static char *generated(docs_generator *generate)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	generate(out);
	fclose(out);
	return text;
}

void sl_assert_page_is_generated(const char *name, docs_generator *generate)
{
	char *text = generated(generate);
	char *page = calloc(1, strlen(text) + 2);
	char path[256];

	snprintf(path, sizeof(path), SL_SOURCE_ROOT "/docs/%s", name);
	FILE *file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	size_t bytes = fread(page, 1, strlen(text) + 1, file);
	CU_ASSERT_EQUAL(bytes, strlen(text));
	CU_ASSERT_STRING_EQUAL(page, text);
	fclose(file);
	free(page);
	free(text);
}

void sl_assert_page_has_row(docs_generator *generate, const char *name)
{
	char *text = generated(generate);
	char row[64];

	snprintf(row, sizeof(row), "| `%s` | ", name);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, row));
	free(text);
}
