/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl stats: all counters at this moment, or rates between samples.
#include "ctl/ctl.h"
#include "ctl/rates.h"
#include "ctl/stages_docs.h"
#include "stats_json.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

// Home, then erase to the end: what stood there before does not flicker.
#define TERMINAL_HOME "\033[H\033[J"
#define ROWS_PER_HEADER 20
#define INTERVAL_S_MAX 3600

static const struct sl_output_column total_columns[] = {
	{"frames", "frames received", SL_CELL_COUNT},
	{"datagrams", "datagrams", SL_CELL_COUNT},
	{"events", "events decoded", SL_CELL_COUNT},
	{"open_events", "events in open batches", SL_CELL_COUNT},
	{"in_flight_events", "events in flight", SL_CELL_COUNT},
	{"stored", "events stored", SL_CELL_COUNT},
	{"stored_bytes", "payload stored", SL_CELL_BYTES},
	{"written_bytes", "written to lanes", SL_CELL_BYTES},
	{"dropped_frames", "frames dropped", SL_CELL_COUNT},
	{"dropped_events", "events dropped", SL_CELL_COUNT},
};

static const struct sl_output_column rx_columns[] = {
	{"lcore", "lcore", SL_CELL_TEXT},
	{"frames", "frames", SL_CELL_COUNT},
	{"datagrams", "datagrams", SL_CELL_COUNT},
	{"enqueued", "to rings", SL_CELL_COUNT},
	{"direct", "direct", SL_CELL_COUNT},
	{"drops.ring_full", "ring full", SL_CELL_COUNT},
	{"turn_ns_max", "longest turn ns", SL_CELL_COUNT},
};

static const struct sl_output_column worker_columns[] = {
	{"lcore", "lcore", SL_CELL_TEXT},
	{"dequeued", "from rings", SL_CELL_COUNT},
	{"direct", "direct", SL_CELL_COUNT},
	{"stored", "stored", SL_CELL_COUNT},
	{"batches", "batches", SL_CELL_COUNT},
	{"written_bytes", "written", SL_CELL_BYTES},
	{"write_ns_max", "longest write ns", SL_CELL_COUNT},
	{"turn_ns_max", "longest turn ns", SL_CELL_COUNT},
};

static const struct sl_output_column port_columns[] = {
	{"port", "port", SL_CELL_TEXT},
	{"frames", "received", SL_CELL_COUNT},
	{"imissed", "missed", SL_CELL_COUNT},
	{"ierrors", "errors", SL_CELL_COUNT},
	{"rx_nombuf", "no mbuf", SL_CELL_COUNT},
	{"xdp.redirect", "XDP redirect", SL_CELL_COUNT},
	{"xdp.pass", "XDP pass", SL_CELL_COUNT},
	{"xdp.xsk_ring_full", "ring full", SL_CELL_COUNT},
	{"xdp.xsk_fill_empty", "fill empty", SL_CELL_COUNT},
	{"xdp.xsk_rx_dropped", "socket drops", SL_CELL_COUNT},
};

static const struct sl_output_column lane_columns[] = {
	{"lane", "lane", SL_CELL_TEXT},
	{"state", "state", SL_CELL_TEXT},
	{"in_flight", "in flight", SL_CELL_COUNT},
	{"batch_number", "batch", SL_CELL_COUNT},
	{"watermark_number", "retired", SL_CELL_COUNT},
	{"segment", "segment", SL_CELL_COUNT},
	{"position", "at", SL_CELL_BYTES},
	{"segment_count", "segments", SL_CELL_COUNT},
	{"segment_bytes_total", "on disk", SL_CELL_BYTES},
	{"segments_expired", "expired", SL_CELL_COUNT},
	{"writes_failed", "failed writes", SL_CELL_COUNT},
	{"breaker", "breaker", SL_CELL_TEXT},
};

static const struct sl_output_column drive_columns[] = {
	{"drive", "drive", SL_CELL_TEXT},
	{"path", "path", SL_CELL_TEXT},
	{"level", "level", SL_CELL_TEXT},
	{"free_bytes", "free", SL_CELL_BYTES},
	{"low_bytes", "low below", SL_CELL_BYTES},
	{"reserve_bytes", "reserve", SL_CELL_BYTES},
	{"total_bytes", "size", SL_CELL_BYTES},
};

static const struct sl_output_column latency_columns[] = {
	{"lane", "lane", SL_CELL_TEXT},
	{"events", "events", SL_CELL_COUNT},
	{"p50_us", "p50 us", SL_CELL_DECIMAL},
	{"p95_us", "p95 us", SL_CELL_DECIMAL},
	{"p99_us", "p99 us", SL_CELL_DECIMAL},
	{"p999_us", "p99.9 us", SL_CELL_DECIMAL},
	{"max_us", "longest us", SL_CELL_DECIMAL},
};

static const struct sl_output_column stage_columns[] = {
	{"lcore", "lcore", SL_CELL_TEXT},
	{"stage", "stage", SL_CELL_TEXT},
	{"calls", "calls", SL_CELL_COUNT},
	{"count", "count", SL_CELL_COUNT},
	{"unit", "unit", SL_CELL_TEXT},
	{"cycles", "cycles", SL_CELL_COUNT},
	{"cycles_max", "longest", SL_CELL_COUNT},
	{"cycles_per_event", "cycles each", SL_CELL_DECIMAL},
	{"share_percent", "% of time", SL_CELL_DECIMAL},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE(NULL, "totals", total_columns),
	SL_OUTPUT_TABLE("RX LCORES", "rx", rx_columns),
	SL_OUTPUT_TABLE("WORKERS", "workers", worker_columns),
	SL_OUTPUT_TABLE("PORTS", "ports", port_columns),
	SL_OUTPUT_TABLE("LANES", "lanes", lane_columns),
	SL_OUTPUT_TABLE("DRIVES", "drives", drive_columns),
	SL_OUTPUT_TABLE("FROM RECEIVE TO STORED", "latency.lanes", latency_columns),
	SL_OUTPUT_TABLE("STAGES", "stages", stage_columns),
};

static const struct sl_output_column rate_columns[] = {
	{"time_ns", "UTC", SL_CELL_CLOCK, 8},
	{"rates.frames", "frames/s", SL_CELL_COUNT, 10},
	{"rates.stored", "stored/s", SL_CELL_COUNT, 10},
	{"rates.stored_bytes", "payload/s", SL_CELL_BYTES, 10},
	{"rates.written_bytes", "written/s", SL_CELL_BYTES, 10},
	{"rates.dropped_frames", "frame drops/s", SL_CELL_COUNT, 13},
	{"rates.dropped_events", "event drops/s", SL_CELL_COUNT, 13},
	{"totals.frames", "frames", SL_CELL_COUNT, 13},
	{"totals.stored", "stored", SL_CELL_COUNT, 13},
};

static const struct sl_option options[] = {
	{.name = "watch", .short_name = 'w', .help = "go on: rates between samples"},
	{.name = "interval",
		.argument = "SECONDS",
		.help = "time between two samples of --watch",
		.default_text = "1"},
	{.name = "count",
		.argument = "N",
		.help = "end --watch after N samples",
		.default_text = "until the data plane stops"},
	{.name = "docs", .help = "print the page docs/stages.md and do nothing else"},
	SL_CTL_COMMON_OPTIONS,
};

static const struct sl_command command = {
	.name = "sluicectl stats",
	.summary = "show counters, or rates with --watch",
	.description =
		"Shows the sums, the counters of each lcore, port, lane and drive, how long events took "
		"from their receive time until they were stored at their class's durability, and, "
		"where the configuration has lcores.stage_cycles, what each stage takes. Rings, and "
		"all counters that have no column, are in the JSON.\n\n"
		"With --watch a sample is taken again and again: on a terminal the figures are "
		"refreshed in place, elsewhere each sample is a line (with --json a JSON "
		"document a line). It ends with 0 when the data plane stops, with 3 when the data "
		"plane dies.\n\n"
		"Counters move while they are read. For sums that match to the last event, use "
		"'sluicectl drops --check'.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	bool is_watch, is_docs;
	uint64_t interval_s;
	uint64_t sample_count_max; // 0: no end
};

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "watch") == 0) {
		request->is_watch = true;
		return 0;
	}
	if (strcmp(option->name, "docs") == 0) {
		request->is_docs = true;
		return 0;
	}
	if (strcmp(option->name, "interval") == 0)
		return sl_option_number(value, 1, INTERVAL_S_MAX, &request->interval_s, err);
	if (strcmp(option->name, "count") == 0)
		return sl_option_number(value, 1, UINT64_MAX, &request->sample_count_max, err);
	return sl_ctl_common_option(request->ctl, option, value, err);
}

static void print_sample(struct sl_ctl *ctl, const json_t *sample, uint64_t index)
{
	bool is_terminal = !ctl->output.is_json && isatty(fileno(ctl->output.stream)) == 1;

	if (is_terminal)
		fputs(TERMINAL_HOME, ctl->output.stream);
	sl_output_row(&ctl->output, sample, rate_columns, SL_ARRAY_COUNT(rate_columns),
		is_terminal || index % ROWS_PER_HEADER == 0);
	if (is_terminal) {
		fputc('\n', ctl->output.stream);
		sl_output_document(&ctl->output, sample, tables, SL_ARRAY_COUNT(tables));
	}
}

// Whether there will be another sample. *code is set when there will not.
static bool goes_on(
	const struct request *request, const struct sl_shm *shm, uint64_t taken_count, int *code)
{
	if (sl_output_finish(&request->ctl->output) != 0 ||
		taken_count == request->sample_count_max)
		return false;
	if (sl_shm_is_alive(shm, request->ctl->runtime_dir))
		return true;
	if (SL_LOAD(shm->header->state) != SL_DATAPLANE_STOPPED)
		*code = sl_ctl_fail(
			SL_CTL_NO_DATAPLANE, "the data plane (pid %u) has died", shm->header->pid);
	return false;
}

static int watch(const struct request *request, const struct sl_shm *shm)
{
	json_t *before = NULL;
	int code = SL_CTL_OK;

	for (uint64_t i = 0;; i++) {
		json_t *sample = sl_stats_json_stats(shm);
		if (sample == NULL || sl_rates_add(sample, before) != 0)
			code = sl_ctl_fail(SL_CTL_FAILED, "no memory for the figures");
		else
			print_sample(request->ctl, sample, i);
		json_decref(before);
		before = sample;
		if (code != SL_CTL_OK || !goes_on(request, shm, i + 1, &code))
			break;
		poll(NULL, 0, (int)(request->interval_s * 1000));
	}
	json_decref(before);
	return code;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {.ctl = ctl, .interval_s = 1};
	struct sl_shm shm;

	int code = sl_options_parse(&command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	if (request.is_docs) {
		sl_stages_docs(ctl->output.stream);
		return SL_CTL_OK;
	}
	code = sl_ctl_attach(ctl, &shm);
	if (code != SL_CTL_OK)
		return code;
	if (request.is_watch)
		code = watch(&request, &shm);
	else
		code = sl_ctl_print(ctl, sl_stats_json_stats(&shm), tables, SL_ARRAY_COUNT(tables));
	sl_shm_close(&shm);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_stats = {.command = &command, .run = run};
