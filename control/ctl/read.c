/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl read: the events of a stream, from a running or a stopped store.
#include "ctl/ctl.h"
#include "ctl/event_text.h"
#include "ctl/store_find.h"
#include "format/store_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define OUTPUT_BUFFER_BYTES (256 * 1024)
// What on_event returns to end a read.
#define STOP_COUNT_REACHED 1
#define STOP_OUTPUT 2 // sl_ctl_finish() says why

static const struct {
	const char *name;
	sl_event_writer *write;
} formats[] = {
	{"raw", sl_event_write_raw},
	{"lines", sl_event_write_lines},
	{"text", sl_event_write_text},
	{"json", sl_event_write_json},
};

static const struct sl_option options[] = {
	{.name = "partition",
		.short_name = 'p',
		.argument = "N",
		.help = "of this partition only, counted from 0 in its stream; in order of offsets",
		.default_text = "all, lane by lane"},
	{.name = "from",
		.argument = "OFFSET",
		.help = "begin with this offset; for one partition",
		.default_text = "the first that is still there"},
	{.name = "count", .short_name = 'n', .argument = "N", .help = "end after N events"},
	{.name = "format",
		.short_name = 'f',
		.argument = "raw|lines|text|json",
		.help = "raw: payloads without anything between them; lines: each with a newline "
			"behind it; text: a line of NAME=VALUE pairs with the event's attributes; "
			"json: an object a line",
		.default_text = "lines"},
	{.name = "store",
		.argument = "DIR",
		.help = "the store to read; again for each of its paths that is not where it was",
		.default_text = "that of the data plane in the runtime directory"},
	{.name = "degraded",
		.help = "read what there is though a path of the store is not here, and say which"},
	SL_CTL_COMMON_OPTIONS,
};

static const struct sl_command command = {
	.name = "sluicectl read",
	.arguments = "STREAM",
	.argument_count_min = 1,
	.argument_count_max = 1,
	.summary = "read the events of a stream",
	.description =
		"Reads a store while it is written, or after. No lock is taken that the writer waits "
		"for, and nothing is written. While the data plane runs, only what it has published as "
		"stored at its class's durability is read; on a stopped store, everything that is "
		"valid.\n\n"
		"Within a partition events come in order of their offsets. A whole stream is read lane "
		"by lane: the order within each partition is kept, partitions are mixed.\n\n"
		"With the format lines, a payload that holds newlines becomes several lines: take json "
		"where payloads may hold them. raw and lines show payloads only; text and json also "
		"an event's operation (unless it is APPEND), key, event time, sampling weight, "
		"session and sequence, each where it has one. There a payload that is not UTF-8 is "
		"in value_base64, a key in key_base64. --json is the same as --format json.\n\n"
		"When retention has taken the first offsets that were asked for, the read begins with "
		"the first that is left, and says so on standard error; so it does when retention "
		"overtakes a slow read.",
	SL_CTL_OPTIONS_AND_EXIT_CODES,
};

struct request {
	struct sl_ctl *ctl;
	const char *stream_name;
	struct sl_ctl_store_choice store;
	bool has_partition, has_from;
	uint64_t partition; // of the stream
	uint64_t from;
	uint64_t count_max; // UINT64_MAX: no end
	sl_event_writer *write;
};

struct reading {
	const struct request *request;
	const struct sl_shm *shm; // of a running data plane, else NULL
	uint16_t first_partition;
	bool is_one_partition;
	uint64_t count;
	uint64_t next_offset; // of one partition, behind the last event
	uint32_t last_term; // likewise, of the last event
};

static int format_find(struct request *request, const char *name, struct sl_err *err)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(formats); i++) {
		if (strcmp(name, formats[i].name) == 0) {
			request->write = formats[i].write;
			return 0;
		}
	}
	return sl_err_set(err, -EINVAL, "must be raw, lines, text or json");
}

static int on_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct request *request = context;

	if (strcmp(option->name, "partition") == 0) {
		request->has_partition = true;
		return sl_option_number(value, 0, UINT16_MAX, &request->partition, err);
	}
	if (strcmp(option->name, "from") == 0) {
		request->has_from = true;
		return sl_option_number(value, 0, UINT64_MAX, &request->from, err);
	}
	if (strcmp(option->name, "count") == 0)
		return sl_option_number(value, 1, UINT64_MAX, &request->count_max, err);
	if (strcmp(option->name, "format") == 0)
		return format_find(request, value, err);
	if (strcmp(option->name, "degraded") == 0) {
		request->store.is_degraded = true;
		return 0;
	}
	if (strcmp(option->name, "store") == 0)
		return sl_ctl_store_choose(&request->store, value, err);
	return sl_ctl_common_option(request->ctl, option, value, err);
}

static void say_missing_paths(const struct sl_store_reader *store)
{
	for (uint32_t i = 0; i < store->paths.count; i++) {
		if (store->paths.paths[i][0] == '\0')
			fprintf(stderr,
				"sluicectl: path %u of the store, last at %s, is not here: its events "
				"are left out\n",
				i, store->meta.paths[i].path);
	}
}

static void say_jumped(uint64_t first, uint64_t behind_last)
{
	fprintf(stderr,
		"sluicectl: offsets %" PRIu64 " to %" PRIu64
		" were jumped when a path of the store was missing: never given, or on that path\n",
		first, behind_last - 1);
}

static void say_expired(uint64_t first, uint64_t behind_last, const char *what_follows)
{
	fprintf(stderr,
		"sluicectl: offsets %" PRIu64 " to %" PRIu64 " have expired; the read %s %" PRIu64
		"\n",
		first, behind_last - 1, what_follows, behind_last);
}

static int on_event(void *context, const struct sl_store_event *event)
{
	struct reading *reading = context;
	const struct request *request = reading->request;
	uint32_t partition = (uint32_t)(event->partition - reading->first_partition);

	bool is_behind = reading->is_one_partition && reading->count > 0 &&
		event->offset > reading->next_offset;

	if (is_behind && sl_term_has_jumped(reading->last_term, event->term))
		say_jumped(reading->next_offset, event->offset);
	else if (is_behind)
		say_expired(reading->next_offset, event->offset, "went on with");
	reading->next_offset = event->offset + 1;
	reading->last_term = event->term;
	int rc = request->write(request->ctl->output.stream, event, partition);
	if (rc != 0) {
		request->ctl->output.error = rc;
		return STOP_OUTPUT;
	}
	reading->count++;
	return reading->count == request->count_max ? STOP_COUNT_REACHED : 0;
}

static void on_lost(void *context, const struct sl_lost_offsets *lost)
{
	struct reading *reading = context;
	uint64_t end = lost->first_offset + lost->count;

	fprintf(stderr,
		"sluicectl: partition %u: offsets %" PRIu64 " to %" PRIu64
		" are lost: a repair has fenced them\n",
		(unsigned)(lost->partition - reading->first_partition), lost->first_offset,
		end - 1);
	if (reading->is_one_partition)
		reading->next_offset = SL_MAX(reading->next_offset, end);
}

static uint64_t watermark_of(const struct sl_shm *shm, uint16_t partition)
{

	// A partition that the running configuration no longer has is not written any more.
	if (partition >= shm->header->partition_count)
		return UINT64_MAX;
	return SL_LOAD_ACQUIRE(shm->partitions[partition].watermark);
}

static uint64_t limit(void *context, uint16_t partition)
{
	const struct reading *reading = context;

	return watermark_of(reading->shm, partition);
}

static int partition_check(const struct request *request, uint32_t partition_count)
{
	if (request->has_partition && request->partition >= partition_count)
		return sl_ctl_fail(SL_CTL_NOT_FOUND,
			"stream '%s' has no partition %" PRIu64 "; its partitions are 0 to %u",
			request->stream_name, request->partition, partition_count - 1);
	if (request->has_from && !request->has_partition && partition_count > 1)
		return sl_options_usage_error(&command,
			"--from needs --partition: each of the %u partitions of '%s' counts its own "
			"offsets",
			partition_count, request->stream_name);
	return SL_CTL_OK;
}

static int take_nothing(void *context, const struct sl_store_event *event)
{
	(void)context;
	(void)event;
	return STOP_COUNT_REACHED;
}

// Nothing was found from request->from on: that is the partition's end, or no offset of it yet.
static int end_check(const struct reading *reading, struct sl_store_reader *store)
{
	const struct request *request = reading->request;
	uint16_t partition = (uint16_t)(reading->first_partition + request->partition);
	const struct sl_store_visitor probe = {.on_event = take_nothing};
	struct sl_store_report report = {0};

	if (reading->shm != NULL) {
		uint64_t end = watermark_of(reading->shm, partition);
		if (request->from <= end)
			return SL_CTL_OK;
		return sl_ctl_fail(SL_CTL_NOT_FOUND,
			"offset %" PRIu64 " of '%s' partition %" PRIu64
			" is not stored yet; its next offset is %" PRIu64,
			request->from, request->stream_name, request->partition, end);
	}
	if (sl_store_read_partition(store, partition, request->from - 1, &probe, &report, NULL) ==
		STOP_COUNT_REACHED)
		return SL_CTL_OK;
	return sl_ctl_fail(SL_CTL_NOT_FOUND,
		"offset %" PRIu64 " of '%s' partition %" PRIu64 " is beyond its end", request->from,
		request->stream_name, request->partition);
}

static int read_one(const struct reading *reading, struct sl_store_reader *store,
	const struct sl_store_visitor *visitor, struct sl_err *err)
{
	const struct request *request = reading->request;
	struct sl_store_report report = {0};

	int rc = sl_store_read_partition(store,
		(uint16_t)(reading->first_partition + request->partition), request->from, visitor,
		&report, err);
	if (rc < 0)
		return sl_ctl_fail(sl_ctl_store_code(rc), "%s", err->text);
	if (report.event_count == 0 && request->from > 0)
		return end_check(reading, store);
	if (report.has_first && request->has_from && report.first_offset > request->from)
		say_expired(request->from, report.first_offset, "began with");
	return SL_CTL_OK;
}

static int read_stream(
	const struct request *request, struct sl_store_reader *store, const struct sl_shm *shm)
{
	struct sl_store_report report = {0};
	struct sl_err err;

	int stream = sl_store_find_stream(store, request->stream_name, &err);
	if (stream < 0)
		return sl_ctl_fail(SL_CTL_NOT_FOUND, "%s", err.text);
	const struct sl_store_meta_stream *meta = &store->meta.streams[stream];
	int code = partition_check(request, meta->partition_count);
	if (code != SL_CTL_OK)
		return code;

	struct reading reading = {
		.request = request, .shm = shm, .first_partition = meta->first_partition};
	const struct sl_store_visitor visitor = {.context = &reading,
		.on_event = on_event,
		.limit = shm == NULL ? NULL : limit,
		.on_lost = on_lost};
	reading.is_one_partition = request->has_partition || meta->partition_count == 1;
	if (reading.is_one_partition)
		return read_one(&reading, store, &visitor, &err);
	int rc = sl_store_read_stream(store, (uint32_t)stream, &visitor, &report, &err);
	if (rc < 0)
		return sl_ctl_fail(sl_ctl_store_code(rc), "%s", err.text);
	if (report.expired_segment_count > 0)
		fprintf(stderr,
			"sluicectl: %" PRIu64
			" segments expired before they were read; their events are left out\n",
			report.expired_segment_count);
	return SL_CTL_OK;
}

static int run(struct sl_ctl *ctl, int argc, char **argv)
{
	struct request request = {
		.ctl = ctl, .count_max = UINT64_MAX, .write = sl_event_write_lines};
	struct sl_store_reader *store;
	struct sl_shm shm;

	int code = sl_options_parse(&command, &argc, &argv, on_option, &request);
	if (code != SL_OPTIONS_GO_ON)
		return code;
	request.stream_name = argv[0];
	if (ctl->output.is_json)
		request.write = sl_event_write_json;
	code = sl_ctl_store_find(ctl, &request.store, &store, &shm);
	if (code != SL_CTL_OK)
		return code;
	setvbuf(ctl->output.stream, NULL, _IOFBF, OUTPUT_BUFFER_BYTES);
	say_missing_paths(store);
	code = read_stream(&request, store, shm.header == NULL ? NULL : &shm);
	sl_store_reader_close(store);
	sl_shm_close(&shm);
	return code;
}

const struct sl_ctl_subcommand sl_ctl_read = {.command = &command, .run = run};
