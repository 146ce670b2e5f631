/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/output.h"

#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sl_output_column columns[] = {
	{"name", "name", SL_CELL_TEXT},
	{"inner.count", "count", SL_CELL_COUNT},
	{"ok", "ok", SL_CELL_TEXT},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE(NULL, NULL, columns),
	SL_OUTPUT_TABLE("ROWS", "rows", columns),
	SL_OUTPUT_TABLE("NONE", "none", columns),
	SL_OUTPUT_TABLE("ABSENT", "absent", columns),
};

static json_t *document(void)
{
	return json_pack("{s:s, s:{s:i}, s:b, s:[{s:s, s:{s:i}, s:b}, {s:s, s:{s:I}}], s:[]}",
		"name", "all", "inner", "count", 1234, "ok", 1, "rows", "name", "a", "inner",
		"count", 5, "ok", 0, "name", "longer", "inner", "count", (json_int_t)1234567,
		"none");
}

// What printing gives, as text that the caller frees.
static char *printed(bool is_json, const json_t *shown)
{
	char *text = NULL;
	size_t bytes;
	struct sl_output output = {.stream = open_memstream(&text, &bytes), .is_json = is_json};

	sl_output_document(&output, shown, tables, SL_ARRAY_COUNT(tables));
	CU_ASSERT_EQUAL(sl_output_finish(&output), 0);
	fclose(output.stream);
	return text;
}

static void text_shows_objects_as_lines_and_arrays_as_tables(void)
{
	json_t *shown = document();
	char *text = printed(false, shown);

	CU_ASSERT_STRING_EQUAL(text,
		"name   all\n"
		"count  1,234\n"
		"ok     yes\n"
		"\n"
		"ROWS\n"
		"name        count  ok\n"
		"a               5  no\n"
		"longer  1,234,567  -\n");
	free(text);
	json_decref(shown);
}

static void json_is_the_whole_document_on_one_line(void)
{
	json_t *shown = document();
	char *text = printed(true, shown);

	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
	json_t *read_back = json_loads(text, 0, NULL);
	CU_ASSERT(json_equal(read_back, shown));
	json_decref(read_back);
	free(text);
	json_decref(shown);
}

static void cells_are_written_by_their_kind(void)
{
	static const struct {
		const char *json;
		enum sl_output_cell cell;
		const char *text;
	} cases[] = {
		{"0", SL_CELL_COUNT, "0"},
		{"999", SL_CELL_COUNT, "999"},
		{"1000", SL_CELL_COUNT, "1,000"},
		{"-1000", SL_CELL_COUNT, "-1,000"},
		{"-100", SL_CELL_COUNT, "-100"},
		{"9223372036854775807", SL_CELL_COUNT, "9,223,372,036,854,775,807"},
		{"1999.6", SL_CELL_COUNT, "2,000"},
		{"9000", SL_CELL_TEXT, "9000"},
		{"0", SL_CELL_BYTES, "0 B"},
		{"1023", SL_CELL_BYTES, "1023 B"},
		{"1024", SL_CELL_BYTES, "1.0 KiB"},
		{"1536", SL_CELL_BYTES, "1.5 KiB"},
		{"1048575", SL_CELL_BYTES, "1.0 MiB"},
		{"1073741824", SL_CELL_BYTES, "1.0 GiB"},
		{"9223372036854775807", SL_CELL_BYTES, "8.0 EiB"},
		{"0", SL_CELL_TIME, "1970-01-01 00:00:00 UTC"},
		{"1700000000123456789", SL_CELL_TIME, "2023-11-14 22:13:20 UTC"},
		{"1700000000123456789", SL_CELL_CLOCK, "22:13:20"},
		{"null", SL_CELL_COUNT, "-"},
		{"[]", SL_CELL_TEXT, "?"},
		{"\"a\\u001b[31mb\\n\"", SL_CELL_TEXT, "a?[31mb?"},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		const struct sl_output_column column = {"x", "x", cases[i].cell};
		const struct sl_output_table table = {.columns = &column, .column_count = 1};
		json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		json_t *shown = json_pack("{s:o}", "x", value);
		char *text = NULL;
		char expected[64];
		size_t bytes;
		struct sl_output output = {.stream = open_memstream(&text, &bytes)};
		sl_output_document(&output, shown, &table, 1);
		CU_ASSERT_EQUAL(sl_output_finish(&output), 0);
		fclose(output.stream);
		snprintf(expected, sizeof(expected), "x  %s\n", cases[i].text);
		CU_ASSERT_STRING_EQUAL(text, expected);
		free(text);
		json_decref(shown);
	}
}

static void rows_have_fixed_columns_and_a_header_when_asked(void)
{
	static const struct sl_output_column fixed[] = {
		{"n", "n", SL_CELL_COUNT, 6},
		{"s", "s", SL_CELL_TEXT, 4},
		{"m", "many", SL_CELL_COUNT, 2},
	};
	json_t *row = json_pack("{s:i, s:s, s:i}", "n", 1000, "s", "ab", "m", 7);
	char *text = NULL;
	size_t bytes;
	struct sl_output output = {.stream = open_memstream(&text, &bytes)};

	sl_output_row(&output, row, fixed, SL_ARRAY_COUNT(fixed), true);
	sl_output_row(&output, row, fixed, SL_ARRAY_COUNT(fixed), false);
	output.is_json = true;
	sl_output_row(&output, row, fixed, SL_ARRAY_COUNT(fixed), true);
	CU_ASSERT_EQUAL(sl_output_finish(&output), 0);
	fclose(output.stream);
	CU_ASSERT_STRING_EQUAL(text,
		"     n  s     many\n"
		" 1,000  ab       7\n"
		" 1,000  ab       7\n"
		"{\"n\":1000,\"s\":\"ab\",\"m\":7}\n");
	free(text);
	json_decref(row);
}

static void a_range_shows_both_ends_when_they_differ(void)
{
	static const struct sl_output_column range = {"x", "x", SL_CELL_RANGE};
	static const struct sl_output_table table = {.columns = &range, .column_count = 1};
	static const struct {
		const char *json, *text;
	} cases[] = {
		{"{\"x\":1234,\"x_low\":1000}", "x  1,000..1,234\n"},
		{"{\"x\":1234,\"x_low\":1234}", "x  1,234\n"},
		{"{\"x\":1234}", "x  1,234\n"},
		{"{}", "x  -\n"},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		json_t *shown = json_loads(cases[i].json, 0, NULL);
		char *text = NULL;
		size_t bytes;
		struct sl_output output = {.stream = open_memstream(&text, &bytes)};
		sl_output_document(&output, shown, &table, 1);
		CU_ASSERT_EQUAL(sl_output_finish(&output), 0);
		fclose(output.stream);
		CU_ASSERT_STRING_EQUAL(text, cases[i].text);
		free(text);
		json_decref(shown);
	}
}

static void an_output_that_fails_is_reported_at_the_end(void)
{
	json_t *shown = document();
	struct sl_output output = {.stream = fopen("/dev/full", "w")};

	CU_ASSERT_PTR_NOT_NULL_FATAL(output.stream);
	sl_output_document(&output, shown, tables, SL_ARRAY_COUNT(tables));
	CU_ASSERT_EQUAL(sl_output_finish(&output), -ENOSPC);
	fclose(output.stream);
	json_decref(shown);
}

static const struct sl_test tests[] = {
	SL_TEST(text_shows_objects_as_lines_and_arrays_as_tables),
	SL_TEST(json_is_the_whole_document_on_one_line),
	SL_TEST(cells_are_written_by_their_kind),
	SL_TEST(rows_have_fixed_columns_and_a_header_when_asked),
	SL_TEST(a_range_shows_both_ends_when_they_differ),
	SL_TEST(an_output_that_fails_is_reported_at_the_end),
};
SL_SUITE(control_ctl_output);
