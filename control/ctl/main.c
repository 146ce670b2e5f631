/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl: the operator's command line. One file a subcommand; this table names them.
#include "ctl/ctl.h"

#include <signal.h>

static const struct sl_ctl_subcommand *const subcommands[] = {
	&sl_ctl_status,
	&sl_ctl_stats,
	&sl_ctl_drops,
	&sl_ctl_read,
	&sl_ctl_gaps,
	&sl_ctl_store,
	&sl_ctl_config,
};

static const struct sl_option options[] = {SL_CTL_COMMON_OPTIONS};

int main(int argc, char **argv)
{
	struct sl_ctl ctl = {.runtime_dir = SL_CTL_RUNTIME_DIR, .output = {.stream = stdout}};
	const struct sl_command *commands[SL_ARRAY_COUNT(subcommands)];

	// A reader that goes away is an error of write(), not the end of the process.
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SL_ARRAY_COUNT(subcommands); i++)
		commands[i] = subcommands[i]->command;
	const struct sl_command command = {
		.name = "sluicectl",
		.summary = "look at a Sluice appliance and read its store",
		.description =
			"Counters and states come from the shared memory segment of the running data "
			"plane, so looking costs it nothing. Options may stand before the command or "
			"behind it.",
		SL_CTL_OPTIONS_AND_EXIT_CODES,
		.subcommands = commands,
		.subcommand_count = SL_ARRAY_COUNT(commands),
	};
	int code = sl_options_parse(&command, &argc, &argv, sl_ctl_only_common_options, &ctl);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	code = sl_ctl_run_subcommand(&ctl, &command, subcommands, argc, argv);
	return sl_ctl_finish(&ctl, code);
}
