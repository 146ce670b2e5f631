/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include "options_internal.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// getopt_long's answers for long options: beyond every character.
#define ANSWER_OPTION 0x100
#define ANSWER_BUILTIN 0x1000

const struct sl_option sl_options_builtin[BUILTIN_COUNT] = {
	[BUILTIN_HELP] = {.name = "help", .short_name = 'h', .help = "print this help"},
	[BUILTIN_VERSION] = {.name = "version", .help = "print the version"},
	[BUILTIN_MAN] = {.name = "man", .help = "print the man page"},
	[BUILTIN_COMPLETE] = {.name = "complete", .help = "print words for shell completion"},
};

const char *sl_options_last_word(const struct sl_command *command)
{
	const char *space = strrchr(command->name, ' ');

	return space == NULL ? command->name : space + 1;
}

int sl_options_usage_error(const struct sl_command *command, const char *format, ...)
{
	struct sl_err err = {0};
	va_list args;

	va_start(args, format);
	sl_err_set_list(&err, -EINVAL, format, args); // one line, whatever was typed
	va_end(args);
	fprintf(stderr, "%s: %s; try '%s --help'\n", command->name, err.text, command->name);
	return SL_EXIT_USAGE;
}

int sl_option_number(
	const char *text, uint64_t min, uint64_t max, uint64_t *number, struct sl_err *err)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	// strtoull takes "-1", " 1" and "+1": a digit must come first.
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min ||
		value > max)
		return sl_err_set(err, -EINVAL, "must be a number from %llu to %llu",
			(unsigned long long)min, (unsigned long long)max);
	*number = value;
	return 0;
}

const struct sl_command *sl_options_subcommand(const struct sl_command *command, const char *name)
{
	if (name == NULL) {
		sl_options_usage_error(command, "a command is missing");
		return NULL;
	}
	for (size_t i = 0; i < command->subcommand_count; i++)
		if (strcmp(name, sl_options_last_word(command->subcommands[i])) == 0)
			return command->subcommands[i];
	sl_options_usage_error(command, "unknown command '%s'", name);
	return NULL;
}

struct getopt_tables {
	struct option long_options[SL_OPTION_COUNT_MAX + BUILTIN_COUNT + 1];
	char short_options[2 + 2 * (SL_OPTION_COUNT_MAX + BUILTIN_COUNT) + 1];
};

static void add_option(struct getopt_tables *tables, const struct sl_option *option, int answer)
{
	struct option *entry = tables->long_options;
	char *letters = tables->short_options + strlen(tables->short_options);

	while (entry->name != NULL)
		entry++;
	entry->name = option->name;
	entry->has_arg = option->argument == NULL ? no_argument : required_argument;
	entry->val = answer;
	if (option->short_name == 0)
		return;
	*letters++ = option->short_name;
	if (option->argument != NULL)
		*letters++ = ':';
	*letters = '\0';
}

static void fill_tables(struct getopt_tables *tables, const struct sl_command *command)
{
	assert(command->option_count <= SL_OPTION_COUNT_MAX);
	memset(tables, 0, sizeof(*tables));
	// '+': a subcommand's options are its own; ':': a missing value is told from an unknown
	// option.
	strcpy(tables->short_options, command->subcommand_count > 0 ? "+:" : ":");
	for (size_t i = 0; i < command->option_count; i++)
		add_option(tables, &command->options[i], ANSWER_OPTION + (int)i);
	for (int i = 0; i < BUILTIN_COUNT; i++)
		add_option(tables, &sl_options_builtin[i], ANSWER_BUILTIN + i);
}

static const struct sl_option *option_of_answer(const struct sl_command *command, int answer)
{
	if (answer >= ANSWER_BUILTIN)
		return &sl_options_builtin[answer - ANSWER_BUILTIN];
	if (answer >= ANSWER_OPTION)
		return &command->options[answer - ANSWER_OPTION];
	for (size_t i = 0; i < command->option_count; i++)
		if (answer != 0 && command->options[i].short_name == answer)
			return &command->options[i];
	return answer == 'h' ? &sl_options_builtin[BUILTIN_HELP] : NULL;
}

// What getopt_long could not take. It leaves in optopt a short option's letter, our answer for a
// known long option, or 0 for an unknown one, which is then the argument before optind.
static int refuse(const struct sl_command *command, int answer, char **argv)
{
	const struct sl_option *option = option_of_answer(command, optopt);

	if (answer == ':')
		return sl_options_usage_error(
			command, "option '--%s' needs %s", option->name, option->argument);
	if (optopt == 0)
		return sl_options_usage_error(command, "unknown option '%.*s'",
			(int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
	if (optopt < ANSWER_OPTION)
		return sl_options_usage_error(command, "unknown option '-%c'", optopt);
	return sl_options_usage_error(command, "option '--%s' takes no value", option->name);
}

static int print_builtin(const struct sl_command *command, enum builtin_option builtin)
{
	switch (builtin) {
	case BUILTIN_HELP:
		sl_options_help(command, stdout);
		break;
	case BUILTIN_VERSION:
		printf("%.*s (Sluice) %s\n", (int)strcspn(command->name, " "), command->name,
			SL_VERSION);
		break;
	case BUILTIN_MAN:
		sl_options_man(command, stdout);
		break;
	default:
		sl_options_complete(command, stdout);
		break;
	}
	// A full disk behind a redirection is an error like any other.
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

static int check_argument_count(const struct sl_command *command, int count, char **arguments)
{
	if (command->subcommand_count > 0)
		return SL_OPTIONS_GO_ON;
	if ((uint32_t)count < command->argument_count_min)
		return sl_options_usage_error(command, "%s is missing", command->arguments);
	if ((uint32_t)count > command->argument_count_max)
		return sl_options_usage_error(command, "unexpected argument '%s'",
			arguments[command->argument_count_max]);
	return SL_OPTIONS_GO_ON;
}

static int take_option(const struct sl_command *command, const struct sl_option *option,
	const char *value, sl_option_handler handler, void *context)
{
	struct sl_err err = {0};

	if (option >= sl_options_builtin && option < sl_options_builtin + BUILTIN_COUNT)
		return print_builtin(command, (enum builtin_option)(option - sl_options_builtin));
	if (handler(context, option, value, &err) == 0)
		return SL_OPTIONS_GO_ON;
	if (value == NULL)
		return sl_options_usage_error(command, "--%s: %s", option->name, err.text);
	return sl_options_usage_error(
		command, "--%s: value '%s': %s", option->name, value, err.text);
}

int sl_options_parse(const struct sl_command *command, int *argc, char ***argv,
	sl_option_handler handler, void *context)
{
	struct getopt_tables tables;
	int answer;

	fill_tables(&tables, command);
	opterr = 0;
	optind = 0; // a new command line, for glibc
	while ((answer = getopt_long(
			*argc, *argv, tables.short_options, tables.long_options, NULL)) != -1) {
		if (answer == '?' || answer == ':')
			return refuse(command, answer, *argv);
		int code = take_option(
			command, option_of_answer(command, answer), optarg, handler, context);
		if (code != SL_OPTIONS_GO_ON)
			return code;
	}
	*argc -= optind;
	*argv += optind;
	return check_argument_count(command, *argc, *argv);
}
