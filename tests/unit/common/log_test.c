/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	int stderr_saved;
	int read_end;
	char text[8192];
} capture;

// The journal's variables come from whoever runs the tests: each test sets its own.
static void capture_begin(void)
{
	int ends[2];

	unsetenv("JOURNAL_STREAM");
	unsetenv("INVOCATION_ID");
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	capture.stderr_saved = dup(STDERR_FILENO);
	CU_ASSERT_FATAL(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	capture.read_end = ends[0];
}

static const char *capture_end(void)
{
	// The pipe's last writing end goes away here, so the read below ends.
	dup2(capture.stderr_saved, STDERR_FILENO);
	close(capture.stderr_saved);
	ssize_t bytes = read(capture.read_end, capture.text, sizeof(capture.text) - 1);
	close(capture.read_end);
	capture.text[bytes < 0 ? 0 : bytes] = '\0';
	unsetenv("JOURNAL_STREAM");
	unsetenv("INVOCATION_ID");
	sl_log_set_level(SL_LOG_INFO);
	return capture.text;
}

static void line_has_level_component_and_text(void)
{
	capture_begin();
	sl_log_warning("port", "link %s is %s", "eth0", "down");
	CU_ASSERT_STRING_EQUAL(capture_end(), "warning port: link eth0 is down\n");
}

static void newline_in_the_text_becomes_a_space(void)
{
	capture_begin();
	sl_log_error("port", "a\nb\r\nc\n");
	CU_ASSERT_STRING_EQUAL(capture_end(), "error port: a b  c \n");
}

static void levels_above_the_highest_are_not_written(void)
{
	capture_begin();
	sl_log_debug("x", "not by default");
	sl_log_info("x", "by default");
	sl_log_set_level(SL_LOG_ERROR);
	sl_log_warning("x", "no");
	sl_log_error("x", "yes");
	sl_log_set_level(SL_LOG_DEBUG);
	sl_log_debug("x", "now");
	CU_ASSERT_STRING_EQUAL(capture_end(), "info x: by default\nerror x: yes\ndebug x: now\n");
}

static void started_by_systemd_each_level_has_its_priority_prefix(void)
{
	capture_begin();
	sl_log_set_level(SL_LOG_DEBUG);
	setenv("JOURNAL_STREAM", "8:1234", 1);
	sl_log_error("x", "a");
	sl_log_warning("x", "b");
	sl_log_notice("x", "c");
	unsetenv("JOURNAL_STREAM");
	setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef", 1);
	sl_log_info("x", "d");
	sl_log_debug("x", "e");
	CU_ASSERT_STRING_EQUAL(capture_end(),
		"<3>error x: a\n<4>warning x: b\n<5>notice x: c\n<6>info x: d\n<7>debug x: e\n");
}

static void line_too_long_is_cut_and_still_ends_with_a_newline(void)
{
	char longest[5000];

	memset(longest, 'y', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	capture_begin();
	sl_log_info("x", "%s", longest);
	const char *line = capture_end();
	CU_ASSERT_EQUAL(strlen(line), 2048);
	CU_ASSERT_EQUAL(strncmp(line, "info x: yyy", 11), 0);
	CU_ASSERT_EQUAL(line[2047], '\n');
	CU_ASSERT_EQUAL(line[2046], 'y');
}

static void errno_survives_a_log_line(void)
{
	capture_begin();
	errno = ENOSPC;
	sl_log_info("x", "y");
	int errno_after = errno;
	capture_end();
	CU_ASSERT_EQUAL(errno_after, ENOSPC);
}

static const struct sl_test tests[] = {
	SL_TEST(line_has_level_component_and_text),
	SL_TEST(newline_in_the_text_becomes_a_space),
	SL_TEST(levels_above_the_highest_are_not_written),
	SL_TEST(started_by_systemd_each_level_has_its_priority_prefix),
	SL_TEST(line_too_long_is_cut_and_still_ends_with_a_newline),
	SL_TEST(errno_survives_a_log_line),
};
SL_SUITE(common_log);
