/* SPDX-License-Identifier: BSD-3-Clause */
#include "err.h"

#include "suite.h"

#include <errno.h>
#include <string.h>

static void set_returns_the_code_and_keeps_the_text(void)
{
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_err_set(&err, -EINVAL, "port %d: no", 9), -EINVAL);
	CU_ASSERT_EQUAL(err.code, -EINVAL);
	CU_ASSERT_STRING_EQUAL(err.text, "port 9: no");
}

static void set_without_an_err_only_returns_the_code(void)
{
	CU_ASSERT_EQUAL(sl_err_set(NULL, -EIO, "nobody asked"), -EIO);
	CU_ASSERT_EQUAL(sl_err_prefix(NULL, "nobody asked"), 0);
}

static void text_stays_on_one_line(void)
{
	struct sl_err err = {0};

	sl_err_set(&err, -EINVAL, "value '%s'", "a\nb\r");
	sl_err_prefix(&err, "file\n%d", 1);
	CU_ASSERT_STRING_EQUAL(err.text, "file 1: value 'a b '");
}

static void prefixes_stack_in_front(void)
{
	struct sl_err err = {0};

	sl_err_set(&err, -EIO, "cause");
	CU_ASSERT_EQUAL(sl_err_prefix(&err, "inner"), -EIO);
	CU_ASSERT_EQUAL(sl_err_prefix(&err, "outer %s", "x"), -EIO);
	CU_ASSERT_STRING_EQUAL(err.text, "outer x: inner: cause");
}

static void text_too_long_is_cut_at_its_end(void)
{
	struct sl_err err = {0};
	char longest[SL_ERR_TEXT_BYTES_MAX + 100];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	sl_err_set(&err, -EIO, "%s", longest);
	CU_ASSERT_EQUAL(strlen(err.text), SL_ERR_TEXT_BYTES_MAX - 1);
	sl_err_prefix(&err, "context");
	CU_ASSERT_EQUAL(strlen(err.text), SL_ERR_TEXT_BYTES_MAX - 1);
	CU_ASSERT_EQUAL(strncmp(err.text, "context: xxx", 12), 0);
	// A context that fills the text by itself leaves the cause as it is.
	sl_err_set(&err, -EIO, "cause");
	sl_err_prefix(&err, "%s", longest);
	CU_ASSERT_STRING_EQUAL(err.text, "cause");
}

static const struct sl_test tests[] = {
	SL_TEST(set_returns_the_code_and_keeps_the_text),
	SL_TEST(set_without_an_err_only_returns_the_code),
	SL_TEST(text_stays_on_one_line),
	SL_TEST(prefixes_stack_in_front),
	SL_TEST(text_too_long_is_cut_at_its_end),
};
SL_SUITE(common_err);
