/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sl_option options[] = {
	{.name = "count", .short_name = 'c', .argument = "N", .help = "stop after N events"},
	{.name = "json", .help = "print JSON"},
	{.name = "quiet", .short_name = 'q', .help = "print less"},
};

static const struct sl_command command_read = {
	.name = "ctl read",
	.arguments = "STREAM",
	.argument_count_min = 1,
	.argument_count_max = 1,
	.summary = "print events",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
};
static const struct sl_command command_status = {.name = "ctl status", .summary = "say how it is"};
static const struct sl_command *const subcommands[] = {&command_read, &command_status};
static const struct sl_command command_ctl = {
	.name = "ctl",
	.summary = "control it",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
	.subcommands = subcommands,
	.subcommand_count = SL_ARRAY_COUNT(subcommands),
};

// What the handler saw: "count=3 json ".
static char seen[256];

static int note_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	uint64_t number;

	CU_ASSERT_PTR_EQUAL(context, seen);
	if (strcmp(option->name, "count") == 0 &&
		sl_option_number(value, 1, 100, &number, err) != 0)
		return err->code;
	strcat(seen, option->name);
	if (value != NULL)
		strcat(strcat(seen, "="), value);
	strcat(seen, " ");
	return 0;
}

// One parse with what it printed on stdout and stderr.
static struct {
	int code;
	int argc;
	char **argv;
	char out[4096];
	char err[4096];
} run;

static void read_back(FILE *file, char *text, size_t bytes)
{
	rewind(file);
	text[fread(text, 1, bytes - 1, file)] = '\0';
	fclose(file);
}

// The arguments are split at spaces.
static void parse(const struct sl_command *command, const char *line)
{
	static char words[256], *argv[16];
	FILE *files[2] = {tmpfile(), tmpfile()};
	int saved[2];

	run.argc = 0;
	snprintf(words, sizeof(words), "%s", line);
	for (char *at = strtok(words, " "); at != NULL; at = strtok(NULL, " "))
		argv[run.argc++] = at;
	argv[run.argc] = NULL;
	run.argv = argv;
	seen[0] = '\0';
	for (int i = 0; i < 2; i++) {
		fflush(i == 0 ? stdout : stderr);
		saved[i] = dup(1 + i);
		dup2(fileno(files[i]), 1 + i);
	}
	run.code = sl_options_parse(command, &run.argc, &run.argv, note_option, seen);
	for (int i = 0; i < 2; i++) {
		fflush(i == 0 ? stdout : stderr);
		dup2(saved[i], 1 + i);
		close(saved[i]);
	}
	read_back(files[0], run.out, sizeof(run.out));
	read_back(files[1], run.err, sizeof(run.err));
}

static void options_reach_the_handler_in_order_and_arguments_stay(void)
{
	static const char *const lines[] = {
		"ctl --count 3 --json plays",
		"ctl plays --count=3 --json",
		"ctl -c3 plays --json",
		"ctl -c 3 --json -- plays",
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(lines); i++) {
		parse(&command_read, lines[i]);
		CU_ASSERT_EQUAL(run.code, SL_OPTIONS_GO_ON);
		CU_ASSERT_STRING_EQUAL(seen, "count=3 json ");
		CU_ASSERT_EQUAL(run.argc, 1);
		CU_ASSERT_STRING_EQUAL(run.argv[0], "plays");
		CU_ASSERT_STRING_EQUAL(run.err, "");
	}
}

static void wrong_command_lines_print_one_line_and_exit_2(void)
{
	static const struct {
		const char *line;
		const char *expected;
	} cases[] = {
		{"ctl --nope plays", "unknown option '--nope'"},
		{"ctl --nope=3 plays", "unknown option '--nope'"},
		{"ctl -x plays", "unknown option '-x'"},
		{"ctl -qx plays", "unknown option '-x'"},
		{"ctl -xq plays", "unknown option '-x'"},
		{"ctl plays --count", "option '--count' needs N"},
		{"ctl plays -c", "option '--count' needs N"},
		{"ctl plays --json=yes", "option '--json' takes no value"},
		{"ctl plays --help=yes", "option '--help' takes no value"},
		{"ctl plays --count 0", "--count: value '0': must be a number from 1 to 100"},
		{"ctl plays -c many", "--count: value 'many': must be a number from 1 to 100"},
		{"ctl", "STREAM is missing"},
		{"ctl plays more", "unexpected argument 'more'"},
	};
	char expected[256];

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		parse(&command_read, cases[i].line);
		snprintf(expected, sizeof(expected), "ctl read: %s; try 'ctl read --help'\n",
			cases[i].expected);
		CU_ASSERT_EQUAL(run.code, SL_EXIT_USAGE);
		CU_ASSERT_STRING_EQUAL(run.err, expected);
		CU_ASSERT_STRING_EQUAL(run.out, "");
	}
}

static void help_version_man_and_words_print_and_exit_0(void)
{
	parse(&command_read, "ctl --help");
	CU_ASSERT_EQUAL(run.code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(run.out, "Usage: ctl read [OPTION]... STREAM\n"));
	parse(&command_read, "ctl -h");
	CU_ASSERT_EQUAL(run.code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(run.out, "Usage: ctl read"));
	parse(&command_read, "ctl --version");
	CU_ASSERT_EQUAL(run.code, 0);
	CU_ASSERT_STRING_EQUAL(run.out, "ctl (Sluice) " SL_VERSION "\n");
	parse(&command_read, "ctl --man");
	CU_ASSERT_EQUAL(run.code, 0);
	CU_ASSERT_EQUAL(strncmp(run.out, ".TH CTL\\-READ 1 ", 16), 0);
	parse(&command_status, "ctl --complete");
	CU_ASSERT_EQUAL(run.code, 0);
	CU_ASSERT_STRING_EQUAL(run.out, "--help\n--version\n");
}

static void options_behind_a_subcommand_are_left_to_it(void)
{
	parse(&command_ctl, "ctl --json read --count 3 plays");
	CU_ASSERT_EQUAL(run.code, SL_OPTIONS_GO_ON);
	CU_ASSERT_STRING_EQUAL(seen, "json ");
	CU_ASSERT_EQUAL(run.argc, 4);
	CU_ASSERT_STRING_EQUAL(run.argv[0], "read");
	const struct sl_command *command = sl_options_subcommand(&command_ctl, run.argv[0]);
	CU_ASSERT_PTR_EQUAL_FATAL(command, &command_read);
	seen[0] = '\0';
	CU_ASSERT_EQUAL(sl_options_parse(command, &run.argc, &run.argv, note_option, seen),
		SL_OPTIONS_GO_ON);
	CU_ASSERT_STRING_EQUAL(seen, "count=3 ");
	CU_ASSERT_EQUAL(run.argc, 1);
	CU_ASSERT_STRING_EQUAL(run.argv[0], "plays");
}

static void unknown_and_missing_subcommands_are_named(void)
{
	char text[256];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);

	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	CU_ASSERT_PTR_NULL(sl_options_subcommand(&command_ctl, "reed"));
	CU_ASSERT_PTR_NULL(sl_options_subcommand(&command_ctl, NULL));
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	read_back(file, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text,
		"ctl: unknown command 'reed'; try 'ctl --help'\n"
		"ctl: a command is missing; try 'ctl --help'\n");
}

static void numbers_are_whole_decimal_and_in_range(void)
{
	static const char *const wrong[] = {
		"", " 1", "+1", "-1", "1k", "0x10", "101", "0", "1.0", "99999999999999999999"};
	uint64_t number = 7;
	struct sl_err err = {0};

	for (size_t i = 0; i < SL_ARRAY_COUNT(wrong); i++) {
		CU_ASSERT_EQUAL(sl_option_number(wrong[i], 1, 100, &number, &err), -EINVAL);
		CU_ASSERT_STRING_EQUAL(err.text, "must be a number from 1 to 100");
	}
	CU_ASSERT_EQUAL(number, 7);
	CU_ASSERT_EQUAL(sl_option_number("100", 1, 100, &number, &err), 0);
	CU_ASSERT_EQUAL(number, 100);
	CU_ASSERT_EQUAL(sl_option_number("18446744073709551615", 0, UINT64_MAX, &number, &err), 0);
	CU_ASSERT_EQUAL(number, UINT64_MAX);
}

static const struct sl_test tests[] = {
	SL_TEST(options_reach_the_handler_in_order_and_arguments_stay),
	SL_TEST(wrong_command_lines_print_one_line_and_exit_2),
	SL_TEST(help_version_man_and_words_print_and_exit_0),
	SL_TEST(options_behind_a_subcommand_are_left_to_it),
	SL_TEST(unknown_and_missing_subcommands_are_named),
	SL_TEST(numbers_are_whole_decimal_and_in_range),
};
SL_SUITE(common_options);
