/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/send_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEYS_DEFAULT 1000u
#define FLOWS_DEFAULT 8u
#define SOURCE_PORT_DEFAULT 10000u
// Events: what a device takes at once, so that a rate is even down to microseconds.
#define DEVICE_BURST_COUNT 64u
#define CATCH_UP_MS_MAX 60000u

static int take_duration(const char *value, uint64_t *duration_ns, struct sl_err *err)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end != '\0' || !(seconds >= 0.001 && seconds <= 1e9))
		return sl_err_set(err, -EINVAL, "must be seconds, 0.001 to 1000000000");
	*duration_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int take_zipf(const char *value, uint32_t *per_mille, struct sl_err *err)
{
	char *end;
	double exponent = strtod(value, &end);

	if (end == value || *end != '\0' ||
		!(exponent >= 0.001 && exponent <= SL_ZIPF_PER_MILLE_MAX / 1000.0))
		return sl_err_set(
			err, -EINVAL, "must be 0.001 to %u", SL_ZIPF_PER_MILLE_MAX / 1000);
	*per_mille = (uint32_t)(exponent * 1000 + 0.5);
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
	struct sl_send_settings *settings, const char *name, const char *value, struct sl_err *err)
{
	struct sl_payload_config *payload = &settings->generator.payload;

	settings->event_option = name;
	if (strcmp(name, "size") == 0)
		return take_number(value, 1, SL_PAYLOAD_BYTES_MAX, &payload->bytes, err);
	if (strcmp(name, "frame-size") == 0) {
		int rc = take_number(value, SL_FRAME_OVERHEAD_BYTES + 1,
			SL_PAYLOAD_BYTES_MAX + SL_FRAME_OVERHEAD_BYTES, &payload->bytes, err);

		payload->bytes -= SL_FRAME_OVERHEAD_BYTES;
		return rc;
	}
	if (strcmp(name, "imix") == 0) {
		settings->has_imix = true;
		settings->device_option = name;
		return sl_payload_cycle_parse(payload, value, err);
	}
	if (strcmp(name, "flows") == 0)
		return take_number(value, 1, SL_FLOW_COUNT_MAX, &payload->flow_count, err);
	if (strcmp(name, "keys") == 0)
		return take_number(value, 1, SL_KEY_COUNT_MAX, &payload->key_count, err);
	if (strcmp(name, "zipf") == 0)
		return take_zipf(value, &settings->zipf_per_mille, err);
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

// Returns 1 for an option that is none of a device's.
static int take_device_option(
	struct sl_send_settings *settings, const char *name, const char *value, struct sl_err *err)
{
	struct sl_device_config *device = &settings->device;
	uint32_t port = 0;
	int rc = 0;

	if (strcmp(name, "cpu") == 0) {
		device->has_cpu = true;
		rc = take_number(value, 0, INT16_MAX, &device->cpu, err);
	} else if (strcmp(name, "source-port") == 0) {
		rc = take_number(value, 1, UINT16_MAX, &port, err);
		device->source_port = (uint16_t)port;
	} else if (strcmp(name, "loop") == 0) {
		settings->has_loop = true;
		rc = sl_option_number(value, 0, SL_SEQUENCE_COUNT_MAX, &settings->loop_count, err);
	} else if (strcmp(name, "source-address") == 0) {
		device->source_address = value;
	} else if (strcmp(name, "source-mac") == 0) {
		device->source_mac = value;
	} else if (strcmp(name, "destination-mac") == 0) {
		device->destination_mac = value;
	} else if (strcmp(name, "udp-checksum") == 0) {
		device->udp_checksum = true;
	} else if (strcmp(name, "replay") == 0) {
		settings->replay = value;
	} else if (strcmp(name, "begin-on-input") == 0) {
		settings->begin_on_input = true;
	} else if (strcmp(name, "hold") == 0) {
		settings->hold = true;
	} else {
		return 1;
	}
	settings->device_option = name;
	return rc;
}

static int take_option(
	void *context, const struct sl_option *option, const char *value, struct sl_err *err)
{
	struct sl_send_settings *settings = context;
	const char *name = option->name;
	int rc = take_device_option(settings, name, value, err);

	if (rc <= 0)
		return rc;
	if (strcmp(name, "to") == 0) {
		settings->transport.to = value;
	} else if (strcmp(name, "device") == 0) {
		settings->device.device = value;
	} else if (strcmp(name, "bind") == 0) {
		settings->transport.bind = value;
		settings->socket_option = name;
	} else if (strcmp(name, "no-gso") == 0) {
		settings->transport.gso = false;
		settings->socket_option = name;
	} else if (strcmp(name, "record") == 0) {
		settings->record = value;
	} else if (strcmp(name, "json") == 0) {
		settings->json = value;
	} else if (strcmp(name, "rate") == 0) {
		return sl_option_number(value, 0, SL_NS_PER_S, &settings->generator.rate, err);
	} else if (strcmp(name, "count") == 0) {
		return sl_option_number(
			value, 1, SL_SEQUENCE_COUNT_MAX, &settings->generator.count, err);
	} else if (strcmp(name, "duration") == 0) {
		return take_duration(value, &settings->generator.duration_ns, err);
	} else if (strcmp(name, "burst") == 0) {
		return take_number(
			value, 1, SL_PACER_BURST_COUNT_MAX, &settings->generator.burst_count, err);
	} else if (strcmp(name, "catch-up") == 0) {
		rc = sl_option_number(
			value, 0, CATCH_UP_MS_MAX, &settings->generator.catch_up_ns, err);
		settings->generator.catch_up_ns *= SL_NS_PER_MS;
		return rc;
	} else {
		return take_payload_option(settings, name, value, err);
	}
	return 0;
}

// Which options go with which.
static int check_options(const struct sl_send_settings *settings, struct sl_err *err)
{
	bool has_device = settings->device.device != NULL;

	if (!has_device && settings->device_option != NULL)
		return sl_err_set(err, -EINVAL, "--%s goes with --device", settings->device_option);
	if (has_device && settings->socket_option != NULL)
		return sl_err_set(err, -EINVAL, "--%s is for sockets: not with --device",
			settings->socket_option);
	if (settings->replay == NULL && settings->has_loop)
		return sl_err_set(err, -EINVAL, "--loop goes with --replay");
	if (settings->replay == NULL && settings->transport.to == NULL)
		return sl_err_set(err, -EINVAL, "--to HOST:PORT is missing");
	if (settings->replay != NULL && settings->event_option != NULL)
		return sl_err_set(err, -EINVAL,
			"--%s: the frames of --replay go as they are in the file",
			settings->event_option);
	if (settings->replay != NULL && settings->record != NULL)
		return sl_err_set(err, -EINVAL, "--record: not with --replay");
	if (settings->has_imix && settings->record != NULL)
		return sl_err_set(
			err, -EINVAL, "--record: its records have one size: not with --imix");
	return 0;
}

static int complete_payload(struct sl_send_settings *settings, struct sl_err *err)
{
	struct sl_payload_config *payload = &settings->generator.payload;
	uint32_t random;

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
	if (sl_payload_config_check(payload, err) != 0)
		return err->code;
	return sl_payload_set_zipf(payload, settings->zipf_per_mille, err);
}

// The file's frames times the loops, unless --count says fewer.
static int complete_replay(struct sl_send_settings *settings, struct sl_err *err)
{
	struct sl_generator_config *generator = &settings->generator;
	uint64_t loop_count = settings->has_loop ? settings->loop_count : 1;
	int rc = sl_pcap_open(&settings->pcap, settings->replay, err);

	if (rc != 0)
		return rc;
	if (loop_count > SL_SEQUENCE_COUNT_MAX / settings->pcap.frame_count)
		return sl_err_set(err, -EINVAL, "--loop %llu: more than 2^%u frames",
			(unsigned long long)loop_count, SL_SEQUENCE_BITS);
	loop_count *= settings->pcap.frame_count;
	if (loop_count != 0 && (generator->count == 0 || loop_count < generator->count))
		generator->count = loop_count;
	settings->device.replay = &settings->pcap;
	return 0;
}

static int complete_device(struct sl_send_settings *settings, struct sl_err *err)
{
	struct sl_generator_config *generator = &settings->generator;
	uint64_t even = SL_MAX(generator->rate * SL_PACER_BURST_NS / SL_NS_PER_S, 1);

	settings->transport.device = &settings->device;
	settings->device.payload = &generator->payload;
	if (settings->device.source_port == 0)
		settings->device.source_port = SOURCE_PORT_DEFAULT;
	generator->spin = true;
	if (generator->rate != 0 && generator->burst_count == 0)
		generator->burst_count = (uint32_t)SL_MIN(even, DEVICE_BURST_COUNT);
	if (generator->payload.bytes > SL_DEVICE_PAYLOAD_BYTES_MAX)
		return sl_err_set(err, -EINVAL,
			"%u bytes: a frame of a device takes payloads up to %u",
			generator->payload.bytes, SL_DEVICE_PAYLOAD_BYTES_MAX);
	return settings->replay == NULL ? 0 : complete_replay(settings, err);
}

int sl_send_settings_parse(struct sl_send_settings *settings, int argc, char **argv)
{
	struct sl_err err = {0};

	*settings = (struct sl_send_settings){
		.transport = {.gso = true},
		.generator = {.catch_up_ns = SL_PACER_CATCH_UP_NS},
	};
	int rc = sl_options_parse(&sl_blast_send_command, &argc, &argv, take_option, settings);
	if (rc != SL_OPTIONS_GO_ON)
		return rc;
	if (check_options(settings, &err) != 0 || complete_payload(settings, &err) != 0 ||
		(settings->device.device != NULL && complete_device(settings, &err) != 0)) {
		sl_send_settings_fini(settings);
		return sl_options_usage_error(&sl_blast_send_command, "%s", err.text);
	}
	return SL_OPTIONS_GO_ON;
}

void sl_send_settings_fini(struct sl_send_settings *settings)
{
	sl_payload_free_zipf(&settings->generator.payload);
	sl_pcap_close(&settings->pcap);
}
