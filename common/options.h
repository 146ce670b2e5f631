/* SPDX-License-Identifier: BSD-3-Clause */
// Command lines from one table: a command's options, arguments and exit codes are written once, and
// parsing, `--help`, the man page (hidden `--man`) and the words for shell completion (hidden
// `--complete`) all come from it, so that none of them can lie. Every command has `--help` (-h) and
// `--version` without naming them.
// Thread rule: main thread (getopt_long has global state); tables are const.
#pragma once

#include "base.h"
#include "err.h"

#include <stdio.h>

#define SL_EXIT_USAGE 2 // wrong options or arguments
#define SL_OPTIONS_GO_ON (-1) // of sl_options_parse: nothing to exit for
#define SL_OPTION_COUNT_MAX 40 // of one command

struct sl_option {
	const char *name; // long name without "--"
	char short_name; // 0: none
	const char *argument; // its name in the help ("FILE", "raw|json"); NULL: takes none
	const char *help; // lower case, no full stop
	const char *default_text; // what holds without the option; NULL: nothing to say
};

struct sl_exit_code {
	int code;
	const char *help;
};

struct sl_command {
	const char *name; // as typed: "sluicectl read"
	const char *arguments; // as in the synopsis: "STREAM"; NULL: takes none
	uint32_t argument_count_min, argument_count_max; // ignored when there are subcommands
	const char *summary; // one line, lower case, no full stop
	const char *description; // paragraphs, a blank line between two; NULL: none
	const struct sl_option *options;
	size_t option_count;
	const struct sl_exit_code *exit_codes; // code 2 is added when it is not listed
	size_t exit_code_count;
	const struct sl_command *const *subcommands; // their names start with ours and a space
	size_t subcommand_count;
	int man_section; // 0 means 1
};

// Called for each option in the order of the command line; value is NULL when it takes none and
// lives as long as argv. Returns 0, or a negative errno with err saying what the value must be.
typedef int (*sl_option_handler)(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err);

// Parses a command line (argv[0] is skipped) and hands every option to the handler (may be NULL
// when the command has no options). Returns SL_OPTIONS_GO_ON, with *argc and *argv then holding the
// arguments alone (for a command with subcommands: the rest from the subcommand's name on), or the
// exit code: 0 after help and the like have been printed to stdout, SL_EXIT_USAGE after one line on
// stderr that names what is wrong.
int sl_options_parse(const struct sl_command *command, int *argc, char ***argv,
	sl_option_handler handler, void *context);

// The subcommand called `name`. NULL after one line on stderr, when there is none or name is NULL.
const struct sl_command *sl_options_subcommand(const struct sl_command *command, const char *name);

// A whole decimal number within [min, max]. Returns 0, or -EINVAL with err saying so.
int sl_option_number(
	const char *text, uint64_t min, uint64_t max, uint64_t *number, struct sl_err *err);

// One line on stderr, "NAME: TEXT; try 'NAME --help'". Returns SL_EXIT_USAGE.
int sl_options_usage_error(const struct sl_command *command, const char *format, ...)
	SL_PRINTF(2, 3);

// What --help, --man and --complete print.
void sl_options_help(const struct sl_command *command, FILE *out);
void sl_options_man(const struct sl_command *command, FILE *out);
void sl_options_complete(const struct sl_command *command, FILE *out);
