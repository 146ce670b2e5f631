/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl store status: the drives and lanes of the running data plane's store.
#include "ctl/store/store.h"
#include "stats_json.h"

static const struct sl_output_column store_columns[] = {
	{"store", "store", SL_CELL_TEXT},
	{"state", "state", SL_CELL_TEXT},
};

static const struct sl_output_column drive_columns[] = {
	{"drive", "drive", SL_CELL_TEXT},
	{"breaker", "breaker", SL_CELL_TEXT},
	{"level", "room", SL_CELL_TEXT},
	{"free_bytes", "free", SL_CELL_BYTES},
	{"total_bytes", "of", SL_CELL_BYTES},
	{"path", "path", SL_CELL_TEXT},
};

static const struct sl_output_column lane_columns[] = {
	{"lane", "lane", SL_CELL_TEXT},
	{"class", "class", SL_CELL_TEXT},
	{"worker", "worker", SL_CELL_TEXT},
	{"drive", "drive", SL_CELL_TEXT},
	{"partitions", "partitions", SL_CELL_COUNT},
	{"state", "state", SL_CELL_TEXT},
	{"breaker", "breaker", SL_CELL_TEXT},
	{"in_flight", "in flight", SL_CELL_COUNT},
	{"write_us_mean", "write us", SL_CELL_DECIMAL},
	{"stored_us_p50", "stored us p50", SL_CELL_DECIMAL},
	{"stored_us_p99", "p99", SL_CELL_DECIMAL},
	{"segment_count", "segments", SL_CELL_COUNT},
	{"segment_bytes_total", "on disk", SL_CELL_BYTES},
	{"writes_failed", "failed writes", SL_CELL_COUNT},
	{"segments_mended", "mended", SL_CELL_COUNT},
	{"rehomed", "re-homed", SL_CELL_COUNT},
	{"write_error", "last error", SL_CELL_TEXT},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE(NULL, NULL, store_columns),
	SL_OUTPUT_TABLE("DRIVES", "drives", drive_columns),
	SL_OUTPUT_TABLE("LANES", "lanes", lane_columns),
};

static const struct sl_option options[] = {SL_CTL_COMMON_OPTIONS};

const struct sl_command sl_ctl_store_status_command = {
	.name = "sluicectl store status",
	.summary = "how the drives and lanes of the running data plane do",
	.description =
		"Shows each drive with its room and its circuit breaker, and each lane with its "
		"state, the batches in flight, how long a write takes, how long events take from "
		"receive to stored, its segments, and what has failed. A lane is mending while "
		"what a failed write has left is written again, and halted while its drive's "
		"breaker is open, or while no segment can be made there: then its partitions go on "
		"in a lane of the same worker and class on another drive, until the next start "
		"(re-homed counts how often), or, without one, its events are refused as "
		"drive_failed, or, where there is no room, as disk_full.\n\n"
		"A breaker is shown as a lane last found it: closed, open, or half_open while a "
		"probe is under way.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct sl_shm shm;

	int code = sl_options_parse(
		&sl_ctl_store_status_command, &argc, &argv, sl_ctl_only_common_options, ctl);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	code = sl_ctl_attach(ctl, &shm);
	if (code != SL_CTL_OK)
		return code;
	code = sl_ctl_print(ctl, sl_stats_json_store(&shm), tables, SL_ARRAY_COUNT(tables));
	sl_shm_close(&shm);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_store_status = {
	.command = &sl_ctl_store_status_command, .run = run};
