/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/commands.h"

#include "load/sent_file.h"
#include "load/verify_report.h"
#include "load/verify_store.h"
#include "stats_json.h"

#include <errno.h>
#include <string.h>

static const struct sl_option options[] = {
	{.name = "store", .argument = "DIR", .help = "the store, of a live or a stopped appliance"},
	{.name = "stream",
		.argument = "NAME",
		.help = "read one stream",
		.default_text = "all of them"},
	{.name = "sent", .argument = "FILE", .help = "what `send --json FILE` wrote: all is known"},
	{.name = "count",
		.short_name = 'c',
		.argument = "N",
		.help = "without --sent: how many events were sent; keys and sizes are not known "
			"then"},
	{.name = "run-id",
		.argument = "N",
		.help = "with --count: the run",
		.default_text = "that of the first event found"},
	{.name = "payload",
		.short_name = 'p',
		.argument = "binary|play",
		.help = "with --count: the kind",
		.default_text = "that of the first event found"},
	{.name = "allow-missing",
		.help = "loss is counted, and no fault: after an overload or a crash"},
	{.name = "allow-foreign",
		.help = "events that sluice-blast did not make are counted, and no fault"},
	{.name = "segment-from",
		.argument = "N",
		.help = "of each lane read only segments from this number on: what lies before is "
			"known to be of other runs",
		.default_text = "the oldest"},
	{.name = "json", .short_name = 'j', .argument = "FILE", .help = "write the findings"},
};

static const struct sl_exit_code exit_codes[] = {
	{0, "all is well: every event once, in order, unchanged"},
	{1, "something is missing, doubled, out of order, corrupt or foreign, or --json FILE cannot be written"},
	{3, "the store cannot be read or is damaged"},
};

const struct sl_command sl_blast_verify_command = {
	.name = "sluice-blast verify",
	.summary = "hold a store against what was sent",
	.description =
		"Reads every event back and proves that the run is complete, that events of one key "
		"stand in one partition in the order they were sent, that offsets are dense, and "
		"that every byte is as it was sent. The first ten of each kind of fault are named. "
		"Events of other runs are counted and left alone.",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
	.exit_codes = exit_codes,
	.exit_code_count = SL_ARRAY_COUNT(exit_codes),
};

struct settings {
	struct sl_verify_config verify;
	const char *store, *stream, *sent, *json;
	uint64_t run_id, segment_from;
	bool has_count, has_run_id, has_kind;
};

static int take_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct settings *settings = context;
	const char *name = option->name;

	if (strcmp(name, "store") == 0) {
		settings->store = value;
	} else if (strcmp(name, "stream") == 0) {
		settings->stream = value;
	} else if (strcmp(name, "sent") == 0) {
		settings->sent = value;
	} else if (strcmp(name, "json") == 0) {
		settings->json = value;
	} else if (strcmp(name, "allow-missing") == 0) {
		settings->verify.allow_missing = true;
	} else if (strcmp(name, "allow-foreign") == 0) {
		settings->verify.allow_foreign = true;
	} else if (strcmp(name, "segment-from") == 0) {
		return sl_option_number(value, 0, INT64_MAX, &settings->segment_from, err);
	} else if (strcmp(name, "count") == 0) {
		settings->has_count = true;
		return sl_option_number(
			value, 0, SL_SEQUENCE_COUNT_MAX, &settings->verify.sent_count, err);
	} else if (strcmp(name, "run-id") == 0) {
		settings->has_run_id = true;
		return sl_option_number(value, 0, SL_RUN_ID_MAX, &settings->run_id, err);
	} else {
		settings->has_kind = true;
		if (sl_payload_kind_parse(value, &settings->verify.payload.kind) != 0)
			return sl_err_set(err, -EINVAL, "must be binary or play");
	}
	return 0;
}

static int complete(struct settings *settings, struct sl_err *err)
{
	if (settings->store == NULL)
		return sl_err_set(err, -EINVAL, "--store DIR is missing");
	if ((settings->sent != NULL) == settings->has_count)
		return sl_err_set(err, -EINVAL, "give one of --sent FILE and --count N");
	if (settings->sent == NULL)
		return 0;
	if (settings->has_run_id || settings->has_kind)
		return sl_err_set(
			err, -EINVAL, "--run-id and --payload go with --count: --sent knows both");
	return sl_sent_read(&settings->verify, settings->sent, err);
}

// With --count alone the store tells which run it holds.
static int settle_run(struct settings *settings, struct sl_store_reader *store, uint32_t stream,
	struct sl_err *err)
{
	struct sl_payload_config *payload = &settings->verify.payload;

	if (settings->sent == NULL && !(settings->has_run_id && settings->has_kind)) {
		int rc = sl_verify_find_run(store, stream, settings->has_kind, payload, err);

		if (rc != 0)
			return rc;
	}
	if (settings->has_run_id)
		payload->run_id = (uint32_t)settings->run_id;
	return 0;
}

static int verify_stream(struct sl_verify *verify, struct settings *settings,
	struct sl_store_reader *store, struct sl_err *err)
{
	uint32_t stream = SL_VERIFY_ALL_STREAMS;
	int rc;

	if (settings->stream != NULL) {
		int index = sl_store_find_stream(store, settings->stream, err);

		if (index < 0)
			return index;
		stream = (uint32_t)index;
	}
	rc = settle_run(settings, store, stream, err);
	if (rc == 0)
		rc = sl_verify_init(verify, &settings->verify, err);
	if (rc == 0)
		rc = sl_verify_store(verify, store, stream, settings->segment_from, err);
	if (rc == 0)
		sl_verify_finish(verify);
	return rc;
}

static int write_json(const struct sl_verify *verify, const char *path, struct sl_err *err)
{
	json_t *document = sl_verify_json(verify);
	int rc;

	if (document == NULL)
		return sl_err_set(err, -ENOMEM, "%s: no memory for the findings", path);
	rc = sl_stats_json_write(document, path, err);
	json_decref(document);
	return rc;
}

// Returns the exit code.
static int conclude(
	const struct sl_verify *verify, const struct settings *settings, struct sl_err *err)
{
	sl_verify_print(verify, stdout);
	if (settings->json != NULL && write_json(verify, settings->json, err) != 0) {
		fprintf(stderr, "sluice-blast verify: --json: %s\n", err->text);
		return SL_BLAST_EXIT_FAILED;
	}
	return sl_verify_is_good(verify) ? 0 : SL_BLAST_EXIT_FAILED;
}

int sl_blast_verify(int argc, char **argv)
{
	struct settings settings = {0};
	struct sl_verify verify = {0};
	struct sl_store_reader *store = NULL;
	struct sl_err err = {0};

	int rc = sl_options_parse(&sl_blast_verify_command, &argc, &argv, take_option, &settings);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	if (complete(&settings, &err) != 0)
		return sl_options_usage_error(&sl_blast_verify_command, "%s", err.text);
	rc = sl_store_reader_open(&store, settings.store, &err);
	if (rc == 0)
		rc = verify_stream(&verify, &settings, store, &err);
	sl_store_reader_close(store);
	if (rc == 0) {
		rc = conclude(&verify, &settings, &err);
	} else {
		fprintf(stderr, "sluice-blast verify: %s\n", err.text);
		rc = SL_BLAST_EXIT_STORE;
	}
	sl_verify_fini(&verify);
	sl_payload_free_zipf(&settings.verify.payload);
	return rc;
}
