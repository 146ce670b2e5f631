/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

static const struct sl_option options[] = {
	{
		.name = "count",
		.short_name = 'c',
		.argument = "N",
		.help = "stop after N events, wherever they come from, and say how many were left",
		.default_text = "all",
	},
	{.name = "an-option-with-a-long-name", .argument = "FILE", .help = "read .rc\\files"},
};
static const struct sl_exit_code exit_codes[] = {{0, "all is well"}, {1, "nothing is well"}};
static const struct sl_command command_read = {
	.name = "ctl read",
	.arguments = "STREAM",
	.summary = "print events",
	.description = "One paragraph that is long enough to be wrapped somewhere behind its "
		       "eightieth column.\n\n.dot - and dash.",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
	.exit_codes = exit_codes,
	.exit_code_count = SL_ARRAY_COUNT(exit_codes),
	.man_section = 8,
};
static const struct sl_command *const subcommands[] = {&command_read};
static const struct sl_exit_code exit_codes_ctl[] = {{2, "wrong in our own words"}};
static const struct sl_command command_ctl = {
	.name = "ctl",
	.summary = "control it",
	.exit_codes = exit_codes_ctl,
	.exit_code_count = 1,
	.subcommands = subcommands,
	.subcommand_count = 1,
};

static char *print(
	void (*printer)(const struct sl_command *, FILE *), const struct sl_command *command)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	printer(command, out);
	fclose(out);
	return text;
}

static void help_shows_everything_in_80_columns(void)
{
	char *text = print(sl_options_help, &command_read);

	CU_ASSERT_STRING_EQUAL(text,
		"Usage: ctl read [OPTION]... STREAM\n"
		"Print events.\n"
		"\n"
		"One paragraph that is long enough to be wrapped somewhere behind its eightieth\n"
		"column.\n"
		"\n"
		".dot - and dash.\n"
		"\n"
		"Options:\n"
		"  -c, --count N             stop after N events, wherever they come from, and\n"
		"                            say how many were left (default: all)\n"
		"      --an-option-with-a-long-name FILE\n"
		"                            read .rc\\files\n"
		"  -h, --help                print this help\n"
		"      --version             print the version\n"
		"\n"
		"Exit codes:\n"
		"  0                         all is well\n"
		"  1                         nothing is well\n"
		"  2                         wrong options or arguments\n");
	free(text);
}

static void help_of_a_command_with_subcommands_lists_them(void)
{
	char *text = print(sl_options_help, &command_ctl);

	CU_ASSERT_STRING_EQUAL(text,
		"Usage: ctl [OPTION]... COMMAND\n"
		"Control it.\n"
		"\n"
		"Commands:\n"
		"  read                      print events\n"
		"\n"
		"Options:\n"
		"  -h, --help                print this help\n"
		"      --version             print the version\n"
		"\n"
		"Exit codes:\n"
		"  2                         wrong in our own words\n"
		"\n"
		"'ctl COMMAND --help' says more about a command.\n");
	free(text);
}

static void man_page_escapes_what_troff_would_take(void)
{
	char *text = print(sl_options_man, &command_read);

	CU_ASSERT_STRING_EQUAL(text,
		".TH CTL\\-READ 8 \"\" \"Sluice " SL_VERSION "\" \"Sluice\"\n"
		".SH NAME\n"
		"ctl\\-read \\- print events\n"
		".SH SYNOPSIS\n"
		".B ctl read\n"
		"[\\fIOPTION\\fR]... \\fISTREAM\\fR\n"
		".SH DESCRIPTION\n"
		"One paragraph that is long enough to be wrapped somewhere behind its eightieth "
		"column.\n"
		".PP\n"
		"\\&.dot \\- and dash.\n"
		".SH OPTIONS\n"
		".TP\n"
		"\\fB\\-c\\fR, \\fB\\-\\-count\\fR \\fIN\\fR\n"
		"stop after N events, wherever they come from, and say how many were left "
		"(default: all)\n"
		".TP\n"
		"\\fB\\-\\-an\\-option\\-with\\-a\\-long\\-name\\fR \\fIFILE\\fR\n"
		"read .rc\\efiles\n"
		".TP\n"
		"\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n"
		"print this help\n"
		".TP\n"
		"\\fB\\-\\-version\\fR\n"
		"print the version\n"
		".SH EXIT STATUS\n"
		".TP\n0\nall is well\n"
		".TP\n1\nnothing is well\n"
		".TP\n2\nwrong options or arguments\n");
	free(text);
}

static void man_page_of_a_command_with_subcommands_lists_them(void)
{
	char *text = print(sl_options_man, &command_ctl);

	CU_ASSERT_PTR_NOT_NULL(strstr(text, "[\\fIOPTION\\fR]... \\fICOMMAND\\fR\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, ".SH COMMANDS\n.TP\n.B read\nprint events\n"));
	CU_ASSERT_EQUAL(strncmp(text, ".TH CTL 1 ", 10), 0);
	free(text);
}

static void completion_words_are_commands_and_options(void)
{
	char *text = print(sl_options_complete, &command_ctl);

	CU_ASSERT_STRING_EQUAL(text, "read\n--help\n--version\n");
	free(text);
	text = print(sl_options_complete, &command_read);
	CU_ASSERT_STRING_EQUAL(text, "--count\n--an-option-with-a-long-name\n--help\n--version\n");
	free(text);
}

static const struct sl_test tests[] = {
	SL_TEST(help_shows_everything_in_80_columns),
	SL_TEST(help_of_a_command_with_subcommands_lists_them),
	SL_TEST(man_page_escapes_what_troff_would_take),
	SL_TEST(man_page_of_a_command_with_subcommands_lists_them),
	SL_TEST(completion_words_are_commands_and_options),
};
SL_SUITE(common_options_text);
