/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl gaps: what is known to be missing from a stream, from the log alone.
#include "ctl/ctl.h"
#include "ctl/store_find.h"
#include "ctl/time_text.h"
#include "format/store_gaps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const struct sl_output_column gap_columns[] = {
	{"first_ns", "first", SL_CELL_TIME},
	{"last_ns", "last", SL_CELL_TIME},
	{"count", "missing", SL_CELL_COUNT},
	{"unit", "unit", SL_CELL_TEXT},
	{"reason", "reason", SL_CELL_TEXT},
	{"source", "from", SL_CELL_TEXT},
	{"port", "port", SL_CELL_TEXT},
	{"stream", "stream", SL_CELL_TEXT},
};

static const struct sl_output_column sum_columns[] = {
	{"events", "events missing", SL_CELL_COUNT},
	{"frames", "frames missing", SL_CELL_COUNT},
};

static const struct sl_output_table tables[] = {
	SL_OUTPUT_TABLE(NULL, "gaps", gap_columns),
	SL_OUTPUT_TABLE(NULL, NULL, sum_columns),
};

static const struct sl_option options[] = {
	{.name = "store",
		.argument = "DIR",
		.help = "the store to read; again for each of its paths that is not where it was",
		.default_text = "that of the data plane"},
	{.name = "from", .argument = "TIME", .help = "leave out what was lost before"},
	{.name = "to", .argument = "TIME", .help = "leave out what was lost at TIME or later"},
	SL_CTL_COMMON_OPTIONS,
};

static const struct sl_command command = {
	.name = "sluicectl gaps",
	.summary = "show what is known to be missing from a stream",
	.arguments = "STREAM",
	.argument_count_min = 1,
	.argument_count_max = 1,
	.description =
		"The data plane writes what it had to drop into the log itself, about once a second "
		"and at its stop: how many, when, why, and from whom. So this reads the log alone, of "
		"a stopped store too; retention takes gaps as it takes events.\n\n"
		"Shown are the gaps of STREAM and those of an unknown stream, which may be its: ports "
		"lose frames before anybody sees whose they are. The source is an address, 'many' "
		"where there were too many to tell apart, or '-' where it is unknown; the port, where it "
		"is known, is its number in the configuration, from 0. The reasons are those of docs/drops.md and, for frames, those of docs/format.md.\n\n"
		"TIME is a date and time in UTC, as 2026-11-21T08:43:52 with or without a Z, or "
		"nanoseconds since 1970.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	const char *stream_name;
	struct sl_ctl_store_choice store;
	uint64_t from_ns, to_ns;
};

struct collecting {
	const struct request *request;
	const struct sl_store_reader *store;
	uint32_t stream;
	json_t *gaps;
	uint64_t event_count, frame_count;
};

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "store") == 0)
		return sl_ctl_store_choose(&request->store, value, err);
	if (strcmp(option->name, "from") == 0)
		return sl_time_parse(value, &request->from_ns, err);
	if (strcmp(option->name, "to") == 0)
		return sl_time_parse(value, &request->to_ns, err);
	return sl_ctl_common_option(request->ctl, option, value, err);
}

static json_t *source_json(const struct sl_run_gap *gap)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (gap->sources == SL_GAP_SOURCES_UNKNOWN)
		return json_null();
	if (gap->sources == SL_GAP_SOURCES_MANY)
		return json_string("many");
	inet_ntop(gap->family == 4 ? AF_INET : AF_INET6, gap->address, text, sizeof(text));
	return json_string(text);
}

static json_t *gap_json(
	const struct sl_store_reader *store, uint16_t lane, const struct sl_run_gap *gap)
{
	json_t *stream = gap->stream < store->meta.header.stream_count
		? json_string(store->meta.streams[gap->stream].name)
		: json_null();

	json_t *port = gap->port > 0 ? json_integer(gap->port - 1) : json_null();

	return json_pack("{s:I, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:i}", "first_ns",
		(json_int_t)gap->first_ns, "last_ns", (json_int_t)gap->last_ns, "count",
		(json_int_t)gap->count, "unit", gap->unit == SL_GAP_EVENTS ? "events" : "frames",
		"reason", gap->reason, "source", source_json(gap), "port", port, "stream", stream,
		"lane", (int)lane);
}

static int on_gap(void *context, uint16_t lane, const struct sl_run_gap *gap)
{
	struct collecting *collecting = context;
	const struct request *request = collecting->request;

	if (gap->stream != collecting->stream && gap->stream != SL_GAP_STREAM_NONE)
		return 0;
	if (gap->last_ns < request->from_ns || gap->first_ns >= request->to_ns)
		return 0;
	*(gap->unit == SL_GAP_EVENTS ? &collecting->event_count : &collecting->frame_count) +=
		gap->count;
	return json_array_append_new(collecting->gaps, gap_json(collecting->store, lane, gap)) == 0
		? 0
		: -ENOMEM;
}

static int show(const struct request *request, struct sl_store_reader *store)
{
	struct sl_store_report report = {0};
	struct sl_err err = {0};
	int stream = sl_store_find_stream(store, request->stream_name, &err);
	struct collecting collecting = {.request = request, .store = store};
	const struct sl_store_gap_visitor visitor = {.context = &collecting, .on_gap = on_gap};

	if (stream < 0)
		return sl_ctl_fail(SL_CTL_NOT_FOUND, "%s", err.text);
	collecting.stream = (uint32_t)stream;
	collecting.gaps = json_array();
	int rc = sl_store_read_gaps(store, &visitor, &report, &err);
	if (rc < 0) {
		json_decref(collecting.gaps);
		return sl_ctl_fail(sl_ctl_store_code(rc), "%s",
			rc == -ENOMEM ? "no memory for the gaps; narrow them with --from and --to"
				      : err.text);
	}
	return sl_ctl_print(request->ctl,
		json_pack("{s:s, s:I, s:I, s:o}", "stream", request->stream_name, "events",
			(json_int_t)collecting.event_count, "frames",
			(json_int_t)collecting.frame_count, "gaps", collecting.gaps),
		tables, SL_ARRAY_COUNT(tables));
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {.ctl = ctl, .to_ns = UINT64_MAX};
	struct sl_store_reader *store;
	struct sl_shm shm;

	int code = sl_options_parse(&command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	request.stream_name = argv[0];
	code = sl_ctl_store_find(ctl, &request.store, &store, &shm);
	if (code != SL_CTL_OK)
		return code;
	code = show(&request, store);
	sl_store_reader_close(store);
	sl_shm_close(&shm);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_gaps = {.command = &command, .run = run};
