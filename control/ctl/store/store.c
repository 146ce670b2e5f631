/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl store: what is done with a store as a whole; this table names the commands.
#include "ctl/store/store.h"

static const struct sl_ctl_subcommand *const subcommands[] = {
	&sl_ctl_store_info,
	&sl_ctl_store_verify,
	&sl_ctl_store_dump,
	&sl_ctl_store_repair,
	&sl_ctl_store_status,
};

static const struct sl_command *const commands[] = {
	&sl_ctl_store_info_command,
	&sl_ctl_store_verify_command,
	&sl_ctl_store_dump_command,
	&sl_ctl_store_repair_command,
	&sl_ctl_store_status_command,
};
static_assert(SL_ARRAY_COUNT(commands) == SL_ARRAY_COUNT(subcommands), "the same in both");

static const struct sl_option options[] = {SL_CTL_COMMON_OPTIONS};

static const struct sl_command command = {
	.name = "sluicectl store",
	.summary = "look at, check and mend a store",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
	.subcommands = commands,
	.subcommand_count = SL_ARRAY_COUNT(commands),
};

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	int code = sl_options_parse(&command, &argc, &argv, sl_ctl_only_common_options, ctl);

	if (code != SL_OPTIONS_GO_ON)
		return code;
	return sl_ctl_run_subcommand(ctl, &command, subcommands, argc, argv);
}

const struct sl_ctl_subcommand sl_ctl_store = {.command = &command, .run = run};
