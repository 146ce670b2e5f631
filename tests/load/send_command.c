/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/commands.h"

#include "load/sent_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define KEYS_DEFAULT 1000u
#define FLOWS_DEFAULT 8u
#define RECORD_BUFFER_BYTES SL_MIB

static const struct sl_option options[] = {
	{.name = "to",
		.short_name = 't',
		.argument = "HOST:PORT",
		.help = "where to; an IPv6 address stands in brackets"},
	{.name = "rate",
		.short_name = 'r',
		.argument = "N",
		.help = "events a second",
		.default_text = "flat out"},
	{.name = "count", .short_name = 'c', .argument = "N", .help = "stop after N events"},
	{.name = "duration",
		.short_name = 'd',
		.argument = "SECONDS",
		.help = "stop after a time; without this and --count it runs until SIGINT"},
	{.name = "payload",
		.short_name = 'p',
		.argument = "binary|play",
		.help = "binary: 18 bytes and a pattern behind; play: text of a music service",
		.default_text = "binary"},
	{.name = "size",
		.short_name = 's',
		.argument = "BYTES",
		.help = "of every payload",
		.default_text = "the smallest: binary 18, play 132"},
	{.name = "flows",
		.short_name = 'f',
		.argument = "N",
		.help = "source ports",
		.default_text = "8, or --keys when that is less"},
	{.name = "keys",
		.short_name = 'k',
		.argument = "N",
		.help = "distinct keys",
		.default_text = "1000"},
	{.name = "burst",
		.argument = "N",
		.help = "events that go at once",
		.default_text = "half a millisecond of the rate"},
	{.name = "run-id",
		.argument = "N",
		.help = "0 to 16777215, in every event",
		.default_text = "random"},
	{.name = "seed",
		.argument = "N",
		.help = "changes the order of keys",
		.default_text = "the run id"},
	{.name = "bind", .argument = "ADDRESS", .help = "source address"},
	{.name = "no-gso", .help = "one datagram a message, no UDP_SEGMENT"},
	{.name = "record",
		.argument = "FILE",
		.help = "write every payload that was sent: lines for play, else records of --size "
			"bytes"},
	{.name = "json",
		.short_name = 'j',
		.argument = "FILE",
		.help = "write the summary, which `verify --sent` takes"},
};

static const struct sl_exit_code exit_codes[] = {
	{0, "everything was sent, or SIGINT or SIGTERM ended it"},
	{1, "a socket or a file failed; the summary says how far it came"},
};

const struct sl_command sl_blast_send_command = {
	.name = "sluice-blast send",
	.summary = "send events through kernel sockets",
	.description =
		"Every event carries a run id, a sequence and the time it was sent. Events of one "
		"key go through one source port, so that their order can be checked.\n\n"
		"A stream that is to keep a key's order takes `key: \"0:3\"` for binary and "
		"`key: \"0:8\"` for play.",
	.options = options,
	.option_count = SL_ARRAY_COUNT(options),
	.exit_codes = exit_codes,
	.exit_code_count = SL_ARRAY_COUNT(exit_codes),
};

static volatile sig_atomic_t stop;

// The second signal ends it at once.
static void on_signal(int signal_number)
{
	if (stop)
		_exit(128 + signal_number);
	stop = 1;
}

struct settings {
	struct sl_generator_config generator;
	struct sl_transport_config transport;
	const char *record, *json;
	uint64_t run_id, seed;
	bool has_run_id, has_seed;
};

static int take_duration(const char *value, uint64_t *duration_ns, struct sl_err *err)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end != '\0' || !(seconds >= 0.001 && seconds <= 1e9))
		return sl_err_set(err, -EINVAL, "must be seconds, 0.001 to 1000000000");
	*duration_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int take_number(
	const char *value, uint64_t min, uint64_t max, uint32_t *number, struct sl_err *err)
{
	uint64_t wide = 0;
	int rc = sl_option_number(value, min, max, &wide, err);

	*number = (uint32_t)wide;
	return rc;
}

static int take_payload_option(
	struct settings *settings, const char *name, const char *value, struct sl_err *err)
{
	struct sl_payload_config *payload = &settings->generator.payload;

	if (strcmp(name, "size") == 0)
		return take_number(value, 1, SL_PAYLOAD_BYTES_MAX, &payload->bytes, err);
	if (strcmp(name, "flows") == 0)
		return take_number(value, 1, SL_FLOW_COUNT_MAX, &payload->flow_count, err);
	if (strcmp(name, "keys") == 0)
		return take_number(value, 1, SL_KEY_COUNT_MAX, &payload->key_count, err);
	if (strcmp(name, "run-id") == 0) {
		settings->has_run_id = true;
		return sl_option_number(value, 0, SL_RUN_ID_MAX, &settings->run_id, err);
	}
	if (strcmp(name, "seed") == 0) {
		settings->has_seed = true;
		return sl_option_number(value, 0, INT64_MAX, &settings->seed, err);
	}
	if (sl_payload_kind_parse(value, &payload->kind) != 0)
		return sl_err_set(err, -EINVAL, "must be binary or play");
	return 0;
}

static int take_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct settings *settings = context;
	const char *name = option->name;

	if (strcmp(name, "to") == 0)
		settings->transport.to = value;
	else if (strcmp(name, "bind") == 0)
		settings->transport.bind = value;
	else if (strcmp(name, "record") == 0)
		settings->record = value;
	else if (strcmp(name, "json") == 0)
		settings->json = value;
	else if (strcmp(name, "no-gso") == 0)
		settings->transport.gso = false;
	else if (strcmp(name, "rate") == 0)
		return sl_option_number(value, 1, SL_NS_PER_S, &settings->generator.rate, err);
	else if (strcmp(name, "count") == 0)
		return sl_option_number(
			value, 1, SL_SEQUENCE_COUNT_MAX, &settings->generator.count, err);
	else if (strcmp(name, "duration") == 0)
		return take_duration(value, &settings->generator.duration_ns, err);
	else if (strcmp(name, "burst") == 0)
		return take_number(
			value, 1, SL_PACER_BURST_COUNT_MAX, &settings->generator.burst_count, err);
	else
		return take_payload_option(settings, name, value, err);
	return 0;
}

// What was not said.
static int complete(struct settings *settings, struct sl_err *err)
{
	struct sl_payload_config *payload = &settings->generator.payload;
	uint32_t random;

	if (settings->transport.to == NULL)
		return sl_err_set(err, -EINVAL, "--to HOST:PORT is missing");
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return sl_err_set(err, -errno, "getrandom: %s", strerror(errno));
	payload->run_id =
		settings->has_run_id ? (uint32_t)settings->run_id : random & SL_RUN_ID_MAX;
	payload->seed = settings->has_seed ? settings->seed : payload->run_id;
	if (payload->bytes == 0)
		payload->bytes = sl_payload_bytes_min(payload->kind);
	if (payload->key_count == 0)
		payload->key_count = SL_MAX(KEYS_DEFAULT, payload->flow_count);
	if (payload->flow_count == 0)
		payload->flow_count = SL_MIN(FLOWS_DEFAULT, payload->key_count);
	settings->transport.flow_count = payload->flow_count;
	settings->transport.payload_bytes = payload->bytes;
	return sl_payload_config_check(payload, err);
}

static void print_rate(const struct sl_generator_result *result, double rate)
{
	const struct sl_pacer *pacer = &result->pacer;

	if (pacer->rate == 0)
		printf("rate: %.0f events/s, flat out\n", rate);
	else if (sl_pacer_held(pacer, result->elapsed_ns))
		printf("rate: %.0f events/s, %llu asked for: held within 0.5 %%\n", rate,
			(unsigned long long)pacer->rate);
	else
		printf("rate: %.0f events/s, %llu asked for: NOT HELD, %llu of %llu seconds off by "
		       "more than 0.5 %%, the worst by %.1f %%; %.1f ms of delay not caught up\n",
			rate, (unsigned long long)pacer->rate,
			(unsigned long long)pacer->second_off_count,
			(unsigned long long)pacer->second_count,
			(double)sl_pacer_worst_per_mille(pacer) / 10.0,
			(double)pacer->forgiven_ns / 1e6);
}

static void print_summary(const struct sl_sent *sent)
{
	const struct sl_payload_config *payload = &sent->config->payload;
	double seconds = (double)sent->result->elapsed_ns / 1e9;
	double count = (double)sent->generator->sent_count;

	printf("run %u: sent %llu %s events of %u bytes to %s in %.3f s (%u flows, %u keys)%s\n",
		payload->run_id, (unsigned long long)sent->generator->sent_count,
		sl_payload_kind_name(payload->kind), payload->bytes, sent->to, seconds,
		payload->flow_count, payload->key_count,
		sent->result->interrupted ? ", interrupted" : "");
	print_rate(sent->result, seconds > 0 ? count / seconds : 0);
	if (sent->transport->gso)
		printf("segmentation (UDP GSO): on\n");
	else
		printf("segmentation (UDP GSO): off: %s\n", sent->transport->gso_reason);
	if (sent->transport->retry_count != 0)
		printf("refused at first, sent again: %llu (does anybody listen?)\n",
			(unsigned long long)sent->transport->retry_count);
}

static int open_record(struct sl_generator *generator, const char *path, struct sl_err *err)
{
	if (path == NULL)
		return 0;
	generator->record = fopen(path, "we");
	if (generator->record == NULL)
		return sl_err_set(err, -errno, "--record %s: %s", path, strerror(errno));
	setvbuf(generator->record, NULL, _IOFBF, RECORD_BUFFER_BYTES);
	return 0;
}

// What is still in the buffer may fail to be written.
static int close_record(struct sl_generator *generator, const char *path, struct sl_err *err)
{
	if (generator->record != NULL && fclose(generator->record) != 0)
		return sl_err_set(err, -errno, "--record %s: %s", path, strerror(errno));
	return 0;
}

// Runs and sums up, whether the run failed or not. Returns 0, or the first error.
static int run(const struct settings *settings, struct sl_generator *generator, struct sl_err *err)
{
	struct sl_generator_result result;
	struct sl_transport_report report;
	struct sl_sent sent = {
		.config = &settings->generator,
		.generator = generator,
		.result = &result,
		.transport = &report,
		.to = settings->transport.to,
		.record = settings->record,
	};
	struct sl_err later = {0};

	int rc = open_record(generator, settings->record, err);
	if (rc != 0)
		return rc;
	rc = sl_generator_run(generator, &stop, &result, err);
	if (close_record(generator, settings->record, &later) != 0 && rc == 0)
		rc = sl_err_set(err, later.code, "%s", later.text);
	generator->ops->report(generator->transport, &report);
	print_summary(&sent);
	if (settings->json != NULL && sl_sent_write(&sent, settings->json, &later) != 0 && rc == 0)
		rc = sl_err_set(err, later.code, "%s", later.text);
	return rc;
}

int sl_blast_send(int argc, char **argv)
{
	struct sigaction on_stop = {.sa_handler = on_signal};
	struct settings settings = {.transport = {.gso = true}};
	struct sl_generator generator = {
		.config = &settings.generator,
		.ops = &sl_transport_kernel,
	};
	struct sl_err err = {0};

	int rc = sl_options_parse(&sl_blast_send_command, &argc, &argv, take_option, &settings);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	if (complete(&settings, &err) != 0)
		return sl_options_usage_error(&sl_blast_send_command, "%s", err.text);
	rc = generator.ops->open(&generator.transport, &settings.transport, &err);
	if (rc == -EINVAL)
		return sl_options_usage_error(&sl_blast_send_command, "%s", err.text);
	sigaction(SIGINT, &on_stop, NULL);
	sigaction(SIGTERM, &on_stop, NULL);
	if (rc == 0)
		rc = run(&settings, &generator, &err);
	generator.ops->close(generator.transport);
	if (rc == 0)
		return 0;
	fprintf(stderr, "sluice-blast send: %s\n", err.text);
	return SL_BLAST_EXIT_FAILED;
}
