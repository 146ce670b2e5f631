/* SPDX-License-Identifier: BSD-3-Clause */
// The texts made from a command's table: help, man page, completion words.
#include "options.h"
#include "options_internal.h"

#include <ctype.h>
#include <string.h>

#define COLUMN_COUNT 80
#define HELP_COLUMN 28 // where the help of an option starts

static const struct sl_exit_code exit_code_usage = {SL_EXIT_USAGE, "wrong options or arguments"};

// Options of the table, then the built-in ones that are shown.
static const struct sl_option *option_at(const struct sl_command *command, size_t index)
{
	if (index < command->option_count)
		return &command->options[index];
	index -= command->option_count;
	return index < BUILTIN_SHOWN_COUNT ? &sl_options_builtin[index] : NULL;
}

static const struct sl_exit_code *exit_code_at(const struct sl_command *command, size_t index)
{
	if (index < command->exit_code_count)
		return &command->exit_codes[index];
	for (size_t i = 0; i < command->exit_code_count; i++)
		if (command->exit_codes[i].code == SL_EXIT_USAGE)
			return NULL;
	return index == command->exit_code_count ? &exit_code_usage : NULL;
}

// As the synopsis shows them; NULL: none.
static const char *arguments_of(const struct sl_command *command)
{
	return command->subcommand_count > 0 ? "COMMAND" : command->arguments;
}

// ---- help

// Words of text from `column` on, wrapped to lines that start at `indent`. Returns what is behind
// the paragraph, which ends at a blank line or at the end of the text.
static const char *print_paragraph(FILE *out, const char *text, size_t column, size_t indent)
{
	bool is_first = true;

	while (*text != '\0' && strncmp(text, "\n\n", 2) != 0) {
		size_t word = strcspn(text, " \n");
		if (word > 0 && !is_first && column + 1 + word > COLUMN_COUNT) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			is_first = true;
		}
		if (word > 0) {
			fprintf(out, "%s%.*s", is_first ? "" : " ", (int)word, text);
			column += word + !is_first;
			is_first = false;
		}
		text += word;
		if (word == 0)
			text++;
	}
	fputc('\n', out);
	return text + strspn(text, "\n");
}

static size_t pad_to(FILE *out, size_t column, size_t target)
{
	if (column + 2 > target) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", (int)(target - column), "");
	return target;
}

static void print_option(FILE *out, const struct sl_option *option)
{
	char help[1024];
	size_t column = 0;

	if (option->short_name != 0)
		column += (size_t)fprintf(out, "  -%c, --%s", option->short_name, option->name);
	else
		column += (size_t)fprintf(out, "      --%s", option->name);
	if (option->argument != NULL)
		column += (size_t)fprintf(out, " %s", option->argument);
	column = pad_to(out, column, HELP_COLUMN);
	if (option->default_text != NULL)
		snprintf(
			help, sizeof(help), "%s (default: %s)", option->help, option->default_text);
	else
		snprintf(help, sizeof(help), "%s", option->help);
	print_paragraph(out, help, column, HELP_COLUMN);
}

static void print_named(FILE *out, const char *name, const char *help)
{
	size_t column = (size_t)fprintf(out, "  %s", name);

	print_paragraph(out, help, pad_to(out, column, HELP_COLUMN), HELP_COLUMN);
}

void sl_options_help(const struct sl_command *command, FILE *out)
{
	const struct sl_option *option;
	const struct sl_exit_code *exit_code;
	char number[16];

	fprintf(out, "Usage: %s [OPTION]...", command->name);
	if (arguments_of(command) != NULL)
		fprintf(out, " %s", arguments_of(command));
	fputc('\n', out);
	fprintf(out, "%c%s.\n", toupper((unsigned char)command->summary[0]), command->summary + 1);
	for (const char *at = command->description; at != NULL && *at != '\0';) {
		fputc('\n', out);
		at = print_paragraph(out, at, 0, 0);
	}
	if (command->subcommand_count > 0)
		fprintf(out, "\nCommands:\n");
	for (size_t i = 0; i < command->subcommand_count; i++)
		print_named(out, sl_options_last_word(command->subcommands[i]),
			command->subcommands[i]->summary);
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
		print_option(out, option);
	fprintf(out, "\nExit codes:\n");
	for (size_t i = 0; (exit_code = exit_code_at(command, i)) != NULL; i++) {
		snprintf(number, sizeof(number), "%d", exit_code->code);
		print_named(out, number, exit_code->help);
	}
	if (command->subcommand_count > 0)
		fprintf(out, "\n'%s COMMAND --help' says more about a command.\n", command->name);
}

// ---- man page

// Escapes what troff would take for its own. A newline ends a line of input.
static void print_troff_bytes(FILE *out, const char *text, size_t bytes)
{
	bool is_line_start = true;

	for (size_t i = 0; i < bytes; i++) {
		if (is_line_start && (text[i] == '.' || text[i] == '\''))
			fputs("\\&", out);
		is_line_start = text[i] == '\n';
		if (text[i] == '\\')
			fputs("\\e", out);
		else if (text[i] == '-')
			fputs("\\-", out);
		else
			fputc(text[i], out);
	}
}

static void print_troff(FILE *out, const char *text)
{
	print_troff_bytes(out, text, strlen(text));
}

// "sluicectl read" has the page sluicectl-read.
static void print_page_name(FILE *out, const char *name, bool is_upper)
{
	for (; *name != '\0'; name++) {
		if (*name == ' ' || *name == '-')
			fputs("\\-", out);
		else
			fputc(is_upper ? toupper((unsigned char)*name) : *name, out);
	}
}

static void print_man_head(FILE *out, const struct sl_command *command)
{
	fputs(".TH ", out);
	print_page_name(out, command->name, true);
	fprintf(out, " %d \"\" \"Sluice %s\" \"Sluice\"\n.SH NAME\n",
		command->man_section == 0 ? 1 : command->man_section, SL_VERSION);
	print_page_name(out, command->name, false);
	fputs(" \\- ", out);
	print_troff(out, command->summary);
	fputs("\n.SH SYNOPSIS\n.B ", out);
	print_troff(out, command->name);
	fputs("\n[\\fIOPTION\\fR]...", out);
	if (arguments_of(command) != NULL) {
		fputs(" \\fI", out);
		print_troff(out, arguments_of(command));
		fputs("\\fR", out);
	}
	fputc('\n', out);
}

static void print_man_description(FILE *out, const char *text)
{
	fputs(".SH DESCRIPTION\n", out);
	while (*text != '\0') {
		const char *break_at = strstr(text, "\n\n");
		size_t bytes = break_at == NULL ? strlen(text) : (size_t)(break_at - text);
		print_troff_bytes(out, text, bytes);
		fputc('\n', out);
		text += bytes;
		text += strspn(text, "\n");
		if (*text != '\0')
			fputs(".PP\n", out);
	}
}

static void print_man_option(FILE *out, const struct sl_option *option)
{
	fputs(".TP\n", out);
	if (option->short_name != 0)
		fprintf(out, "\\fB\\-%c\\fR, ", option->short_name);
	fputs("\\fB\\-\\-", out);
	print_troff(out, option->name);
	fputs("\\fR", out);
	if (option->argument != NULL) {
		fputs(" \\fI", out);
		print_troff(out, option->argument);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	print_troff(out, option->help);
	if (option->default_text != NULL) {
		fputs(" (default: ", out);
		print_troff(out, option->default_text);
		fputc(')', out);
	}
	fputc('\n', out);
}

void sl_options_man(const struct sl_command *command, FILE *out)
{
	const struct sl_option *option;
	const struct sl_exit_code *exit_code;

	print_man_head(out, command);
	if (command->description != NULL)
		print_man_description(out, command->description);
	if (command->subcommand_count > 0)
		fputs(".SH COMMANDS\n", out);
	for (size_t i = 0; i < command->subcommand_count; i++) {
		fputs(".TP\n.B ", out);
		print_troff(out, sl_options_last_word(command->subcommands[i]));
		fputc('\n', out);
		print_troff(out, command->subcommands[i]->summary);
		fputc('\n', out);
	}
	fputs(".SH OPTIONS\n", out);
	for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
		print_man_option(out, option);
	fputs(".SH EXIT STATUS\n", out);
	for (size_t i = 0; (exit_code = exit_code_at(command, i)) != NULL; i++) {
		fprintf(out, ".TP\n%d\n", exit_code->code);
		print_troff(out, exit_code->help);
		fputc('\n', out);
	}
}

// ---- completion

void sl_options_complete(const struct sl_command *command, FILE *out)
{
	const struct sl_option *option;

	for (size_t i = 0; i < command->subcommand_count; i++)
		fprintf(out, "%s\n", sl_options_last_word(command->subcommands[i]));
	for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
		fprintf(out, "--%s\n", option->name);
}
