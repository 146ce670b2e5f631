/* SPDX-License-Identifier: BSD-3-Clause */
// sluice-blast: sends events whose every byte is known, and holds a store against them.
#include "load/commands.h"

static const struct {
	const struct sl_command *command;
	int (*run)(int argc, char **argv);
} commands[] = {
	{&sl_blast_send_command, sl_blast_send},
	{&sl_blast_verify_command, sl_blast_verify},
};

static const struct sl_command *const subcommands[] = {
	&sl_blast_send_command,
	&sl_blast_verify_command,
};

static const struct sl_command command_blast = {
	.name = "sluice-blast",
	.summary = "load generator and verifier of Sluice",
	.subcommands = subcommands,
	.subcommand_count = SL_ARRAY_COUNT(subcommands),
};

int main(int argc, char **argv)
{
	sl_blast_device_transport = &sl_transport_dpdk;
	int rc = sl_options_parse(&command_blast, &argc, &argv, NULL, NULL);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	const struct sl_command *command =
		sl_options_subcommand(&command_blast, argc > 0 ? argv[0] : NULL);
	if (command == NULL)
		return SL_EXIT_USAGE;
	for (size_t i = 0; i < SL_ARRAY_COUNT(commands); i++) {
		if (commands[i].command == command)
			return commands[i].run(argc, argv);
	}
	return SL_EXIT_USAGE;
}
