/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl config check: the same loader as the data plane's, without starting anything.
#include "config/config.h"
#include "ctl/ctl.h"

static const struct sl_output_column columns[] = {
	{"file", "file", SL_CELL_TEXT},
	{"ok", "valid", SL_CELL_TEXT},
	{"ports", "ports", SL_CELL_COUNT},
	{"streams", "streams", SL_CELL_COUNT},
	{"partitions", "partitions", SL_CELL_COUNT},
	{"classes", "classes", SL_CELL_COUNT},
	{"store", "store", SL_CELL_TEXT},
};

static const struct sl_output_table tables[] = {SL_OUTPUT_TABLE(NULL, NULL, columns)};

static const struct sl_option options[] = {SL_CTL_COMMON_OPTIONS};

static const struct sl_command check_command = {
	.name = "sluicectl config check",
	.arguments = "FILE",
	.argument_count_min = 1,
	.argument_count_max = 1,
	.summary = "check a configuration file",
	.description =
		"Checks syntax, types, ranges, meaning, and that the CPUs exist, as the data plane "
		"does at its start. Whether the file fits its memory settings and the store that "
		"is there is checked by 'sluice-dataplane --check'; interfaces, hugepages and the "
		"store's directories are looked at by a start.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

static const struct sl_command *const subcommands[] = {&check_command};

static const struct sl_command command = {
	.name = "sluicectl config",
	.summary = "work with configuration files",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
	.subcommands = subcommands,
	.subcommand_count = SL_ARRAY_COUNT(subcommands),
};

static json_t *summary(const struct sl_config *config, const char *path)
{
	json_int_t partition_count = 0;

	for (uint32_t i = 0; i < config->stream_count; i++)
		partition_count += config->streams[i].partition_count;
	return json_pack("{s:b, s:s, s:i, s:i, s:I, s:i, s:s}", "ok", 1, "file", path, "ports",
		(int)config->port_count, "streams", (int)config->stream_count, "partitions",
		partition_count, "classes", (int)config->class_count, "store",
		config->store.paths[0]);
}

static int check(struct sl_ctl *ctl, const char *path)
{
	struct sl_config config = {0};
	struct sl_err err;

	if (sl_config_load(&config, path, &err) != 0)
		return sl_ctl_fail(SL_CTL_CONFIG_INVALID, "%s", err.text);
	int code = sl_ctl_print(ctl, summary(&config, path), tables, SL_ARRAY_COUNT(tables));
	sl_config_free(&config);
	return code;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	int code = sl_options_parse(&command, &argc, &argv, sl_ctl_only_common_options, ctl);

	if (code != SL_OPTIONS_GO_ON)
		return code;
	if (sl_options_subcommand(&command, argv[0]) == NULL)
		return SL_CTL_USAGE;
	code = sl_options_parse(&check_command, &argc, &argv, sl_ctl_only_common_options, ctl);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	return check(ctl, argv[0]);
}

const struct sl_ctl_subcommand sl_ctl_config = {.command = &command, .run = run};
