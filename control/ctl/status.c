/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl status: who runs, in what state, on which ports, lcores, lanes and streams.
#include "ctl/ctl.h"
#include "stats_json.h"

static const struct sl_output_column process_columns[] = {
	{"state", "state", SL_CELL_TEXT},
	{"version", "version", SL_CELL_TEXT},
	{"pid", "pid", SL_CELL_TEXT},
	{"start_ns", "started", SL_CELL_TIME},
	{"heartbeat_ns", "heartbeat", SL_CELL_TIME},
	{"clock_steps", "clock steps", SL_CELL_COUNT},
	{"store", "store", SL_CELL_TEXT},
	{"config", "configuration", SL_CELL_TEXT},
};

static const struct sl_output_column port_columns[] = {
	{"port", "port", SL_CELL_TEXT},
	{"device", "device", SL_CELL_TEXT},
	{"mac", "mac", SL_CELL_TEXT},
	{"link_up", "link", SL_CELL_TEXT},
	{"queues", "queues", SL_CELL_COUNT},
	{"ledger", "ledger", SL_CELL_TEXT},
};

static const struct sl_output_column lcore_columns[] = {
	{"lcore", "lcore", SL_CELL_TEXT},
	{"cpu", "cpu", SL_CELL_TEXT},
	{"role", "role", SL_CELL_TEXT},
	{"heartbeat", "turns", SL_CELL_COUNT},
	{"stage", "stage", SL_CELL_TEXT},
};

static const struct sl_output_column lane_columns[] = {
	{"lane", "lane", SL_CELL_TEXT},
	{"class", "class", SL_CELL_TEXT},
	{"worker", "worker", SL_CELL_TEXT},
	{"drive", "drive", SL_CELL_TEXT},
	{"durability", "durability", SL_CELL_TEXT},
	{"state", "state", SL_CELL_TEXT},
	{"epoch", "epoch", SL_CELL_COUNT},
	{"recovered_events", "recovered", SL_CELL_COUNT},
};

static const struct sl_output_column stream_columns[] = {
	{"stream", "stream", SL_CELL_TEXT},
	{"udp_port", "UDP port", SL_CELL_TEXT},
	{"partitions", "partitions", SL_CELL_COUNT},
	{"first_partition", "first", SL_CELL_COUNT},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE(NULL, NULL, process_columns),
	SL_OUTPUT_TABLE("PORTS", "ports", port_columns),
	SL_OUTPUT_TABLE("LCORES", "lcores", lcore_columns),
	SL_OUTPUT_TABLE("LANES", "lanes", lane_columns),
	SL_OUTPUT_TABLE("STREAMS", "streams", stream_columns),
};

static const struct sl_option options[] = {SL_CTL_COMMON_OPTIONS};

static const struct sl_command command = {
	.name = "sluicectl status",
	.summary = "show the state of the running data plane",
	.description =
		"Shows the process and its ports, lcores, lanes and streams. The ledger class of "
		"a port says what it can see of its own losses: exact (all), lower_bound "
		"(some), blind (none).",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct sl_shm shm;

	int code = sl_options_parse(&command, &argc, &argv, sl_ctl_only_common_options, ctl);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	code = sl_ctl_attach(ctl, &shm);
	if (code != SL_CTL_OK)
		return code;
	code = sl_ctl_print(ctl, sl_stats_json_status(&shm), tables, SL_ARRAY_COUNT(tables));
	sl_shm_close(&shm);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_status = {.command = &command, .run = run};
