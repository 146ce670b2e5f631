/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl_proto.h"

#include "suite.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void a_snapshot_request_is_understood(void)
{
	static const char *const lines[] = {
		"{\"command\":\"snapshot\"}\n",
		"{\"command\":\"snapshot\"}",
		" { \"command\" : \"snapshot\" } \n",
	};
	struct sl_err err;

	for (size_t i = 0; i < SL_ARRAY_COUNT(lines); i++) {
		enum sl_ctl_command command = SL_CTL_COMMAND_COUNT;
		CU_ASSERT_EQUAL(
			sl_ctl_request_parse(lines[i], strlen(lines[i]), &command, &err), 0);
		CU_ASSERT_EQUAL(command, SL_CTL_SNAPSHOT);
	}
}

static void a_bad_request_is_refused_with_its_reason(void)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{"", "not JSON"},
		{"\n", "not JSON"},
		{"snapshot\n", "not JSON"},
		{"{\"command\":\"snapshot\"", "not JSON"},
		{"{\"command\":\"snapshot\"} x", "not JSON"},
		{"{\"command\":\"snapshot\",\"command\":\"snapshot\"}", "not JSON"},
		{"{\"command\":\"a\\u0000b\"}", "not JSON"},
		{"[\"snapshot\"]", "is not {"},
		{"{}", "is not {"},
		{"{\"command\":1}", "is not {"},
		{"{\"command\":\"snapshot\",\"extra\":1}", "is not {"},
		{"{\"command\":\"reboot\"}", "unknown command \"reboot\""},
	};
	struct sl_err err;
	enum sl_ctl_command command;

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		CU_ASSERT_EQUAL(
			sl_ctl_request_parse(cases[i].line, strlen(cases[i].line), &command, &err),
			-EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].said));
	}
}

static void a_request_above_the_bound_is_refused_unread(void)
{
	enum sl_ctl_command command;
	struct sl_err err;
	char *line = malloc(SL_CTL_LINE_BYTES_MAX + 1);

	memset(line, ' ', SL_CTL_LINE_BYTES_MAX + 1);
	memcpy(line, "{\"command\":\"snapshot\"}", 22);
	CU_ASSERT_EQUAL(sl_ctl_request_parse(line, SL_CTL_LINE_BYTES_MAX, &command, &err), 0);
	CU_ASSERT_EQUAL(
		sl_ctl_request_parse(line, SL_CTL_LINE_BYTES_MAX + 1, &command, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "longer than"));
	free(line);
}

static void answers_are_one_line_of_json(void)
{
	char line[256];

	size_t bytes = sl_ctl_answer_snapshot(line, sizeof(line), 42);
	CU_ASSERT_EQUAL_FATAL(bytes, strlen("{\"ok\":true,\"snapshot\":42}\n"));
	CU_ASSERT_EQUAL(memcmp(line, "{\"ok\":true,\"snapshot\":42}\n", bytes), 0);

	bytes = sl_ctl_answer_error(line, sizeof(line), "two\nlines \"quoted\"");
	CU_ASSERT_FATAL(bytes > 0);
	CU_ASSERT_PTR_EQUAL(memchr(line, '\n', bytes), line + bytes - 1);
	json_t *answer = json_loadb(line, bytes, 0, NULL);
	CU_ASSERT(json_is_false(json_object_get(answer, "ok")));
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(answer, "error")), "two\nlines \"quoted\"");
	json_decref(answer);
}

static void an_answer_that_does_not_fit_is_not_written(void)
{
	char line[26];

	// 25 bytes and the newline.
	CU_ASSERT_EQUAL(sl_ctl_answer_snapshot(line, 26, 42), 26);
	CU_ASSERT_EQUAL(sl_ctl_answer_snapshot(line, 25, 42), 0);
	CU_ASSERT_EQUAL(sl_ctl_answer_error(line, 0, "x"), 0);
	// Not UTF-8: no JSON can say it.
	CU_ASSERT_EQUAL(sl_ctl_answer_error(line, sizeof(line), "\xff"), 0);
}

static const struct sl_test tests[] = {
	SL_TEST(a_snapshot_request_is_understood),
	SL_TEST(a_bad_request_is_refused_with_its_reason),
	SL_TEST(a_request_above_the_bound_is_refused_unread),
	SL_TEST(answers_are_one_line_of_json),
	SL_TEST(an_answer_that_does_not_fit_is_not_written),
};
SL_SUITE(common_ctl_proto);
