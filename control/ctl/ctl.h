/* SPDX-License-Identifier: BSD-3-Clause */
// What the subcommands of sluicectl share: exit codes, the options that all of them take, and the
// way to a running data plane. Thread rule: sluicectl has one thread.
#pragma once

#include "base.h"
#include "ctl/output.h"
#include "err.h"
#include "options.h"
#include "shm.h"

#define SL_CTL_RUNTIME_DIR "/run/sluice"

enum sl_ctl_exit {
	SL_CTL_OK = 0,
	SL_CTL_CHECK_FAILED = 1,
	SL_CTL_USAGE = SL_EXIT_USAGE,
	SL_CTL_NO_DATAPLANE = 3,
	SL_CTL_CONFIG_INVALID = 4,
	SL_CTL_NOT_FOUND = 5,
	SL_CTL_FAILED = 6,
};

// One table for every subcommand's help and man page.
#define SL_CTL_EXIT_CODE_COUNT 7
extern const struct sl_exit_code sl_ctl_exit_codes[SL_CTL_EXIT_CODE_COUNT];

struct sl_ctl {
	const char *runtime_dir;
	struct sl_output output;
};

// Each subcommand: its command line, and what runs it with argv[0] its own name. Returns the exit
// code, after one line on stderr when that is not 0 (identities that do not hold are on stdout).
struct sl_ctl_subcommand {
	const struct sl_command *command;
	int (*run)(struct sl_ctl *ctl, int argc, char **argv);
};

extern const struct sl_ctl_subcommand sl_ctl_status, sl_ctl_stats, sl_ctl_drops, sl_ctl_read,
	sl_ctl_gaps, sl_ctl_store, sl_ctl_config;

// The options that every subcommand takes, at the end of its own table.
#define SL_CTL_COMMON_OPTIONS \
	{.name = "runtime-dir", \
		.argument = "DIR", \
		.help = "where the running data plane keeps its segment and socket", \
		.default_text = SL_CTL_RUNTIME_DIR}, \
	{ \
		.name = "json", .help = "print JSON instead of text; docs/json.md describes it" \
	}

// For the sl_command of a subcommand: its own table `options`, and the exit codes of all.
#define SL_CTL_OPTIONS_AND_EXIT_CODES \
	.options = options, .option_count = SL_ARRAY_COUNT(options), \
	.exit_codes = sl_ctl_exit_codes, .exit_code_count = SL_CTL_EXIT_CODE_COUNT

// Handles the common options; the handler of a subcommand ends with it.
int sl_ctl_common_option(
	struct sl_ctl *ctl, const struct sl_option *option, const char *value, struct sl_err *err);

// The same as an sl_option_handler, for subcommands without options of their own.
int sl_ctl_only_common_options(
	void *ctl, const struct sl_option *option, const char *value, struct sl_err *err);

// Runs the one of command's subcommands that argv[0] names. Returns its exit code, or SL_CTL_USAGE
// after a line on stderr when there is none.
int sl_ctl_run_subcommand(struct sl_ctl *ctl, const struct sl_command *command,
	const struct sl_ctl_subcommand *const *subcommands, int argc, char **argv);

// Prints "sluicectl: TEXT" to stderr, one line. Returns code.
int sl_ctl_fail(enum sl_ctl_exit code, const char *format, ...) SL_PRINTF(2, 3);

// Maps the segment of the data plane that runs in ctl->runtime_dir. Returns SL_CTL_OK, with *shm
// the caller's to close, or an exit code after its line on stderr.
int sl_ctl_attach(const struct sl_ctl *ctl, struct sl_shm *shm);

// Prints a document by its tables and releases it. NULL is a document for which memory was missing.
// Returns SL_CTL_OK or an exit code after its line on stderr.
int sl_ctl_print(struct sl_ctl *ctl, json_t *document, const struct sl_output_table *tables,
	size_t table_count);

// Flushes the output. A reader that went away is no error. Returns code, or SL_CTL_FAILED after a
// line on stderr when the output could not be written.
int sl_ctl_finish(struct sl_ctl *ctl, int code);
