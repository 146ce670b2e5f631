/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/sent_file.h"

#include "stats_json.h"

#include <errno.h>
#include <jansson.h>

static json_t *make_base(const struct sl_sent *sent)
{
	const struct sl_payload_config *payload = &sent->config->payload;
	const struct sl_pacer *pacer = &sent->result->pacer;
	double seconds = (double)sent->result->elapsed_ns / 1e9;
	json_int_t count = (json_int_t)sent->generator->sent_count;

	return json_pack("{s:s?, s:I, s:s, s:I, s:I, s:I, s:I, s:s"
			 ", s:I, s:I, s:I, s:I, s:f, s:b, s:b"
			 ", s:I, s:f, s:b, s:I, s:I, s:f, s:f"
			 ", s:b, s:s, s:I, s:I, s:s?}",
		"to", sent->to, "run_id", (json_int_t)payload->run_id, "payload",
		sl_payload_kind_name(payload->kind), "size", (json_int_t)payload->bytes, "keys",
		(json_int_t)payload->key_count, "flows", (json_int_t)payload->flow_count, "seed",
		(json_int_t)payload->seed, "key_range", sl_payload_key_range(payload->kind),
		//
		"sent", count, "in_doubt", (json_int_t)sent->result->doubt_count, "first_sent_ns",
		(json_int_t)sent->generator->first_sent_ns, "last_sent_ns",
		(json_int_t)sent->generator->last_sent_ns, "seconds", seconds, "interrupted",
		sent->result->interrupted, "failed", sent->result->failed,
		//
		"rate_asked", (json_int_t)pacer->rate, "rate",
		seconds > 0 ? (double)count / seconds : 0.0, "rate_held",
		sl_pacer_held(pacer, sent->result->elapsed_ns), "rate_seconds",
		(json_int_t)pacer->second_count, "rate_seconds_off",
		(json_int_t)pacer->second_off_count, "rate_worst_percent",
		(double)sl_pacer_worst_per_mille(pacer) / 10.0, "forgiven_ms",
		(double)pacer->forgiven_ns / 1e6,
		//
		"gso", sent->transport->gso, "gso_reason", sent->transport->gso_reason, "calls",
		(json_int_t)sent->transport->call_count, "retries",
		(json_int_t)sent->transport->retry_count, "record", sent->record);
}

// Frames in all, and what a device alone knows.
static int add_device(json_t *document, const struct sl_sent *sent)
{
	const struct sl_transport_report *report = sent->transport;
	double count = (double)SL_MAX(sent->generator->sent_count, 1);
	json_t *undelivered = report->undelivered_unknown
		? json_null()
		: json_integer((json_int_t)report->undelivered_count);
	json_t *device = json_pack("{s:s, s:I, s:I, s:o, s:f, s:f, s:s?}", "device", sent->device,
		"frames", (json_int_t)sent->generator->sent_count, "frame_bytes",
		(json_int_t)report->frame_bytes, "undelivered", undelivered,
		"fill_cycles_per_frame", (double)report->fill_cycles / count,
		"send_cycles_per_frame", (double)report->send_cycles / count, "replay",
		sent->replay);
	int rc = device == NULL ? -1 : json_object_update(document, device);

	json_decref(device);
	return rc;
}

// Only where a run has them, so that a plain run's file stays plain.
static int add_mixes(json_t *document, const struct sl_payload_config *payload)
{
	json_t *cycle;
	int rc = 0;

	if (payload->zipf_per_mille != 0)
		rc = json_object_set_new(document, "zipf_per_mille",
			json_integer((json_int_t)payload->zipf_per_mille));
	if (rc != 0 || payload->cycle_count == 0)
		return rc;
	cycle = json_array();
	for (uint32_t i = 0; rc == 0 && i < payload->cycle_count; i++)
		rc = json_array_append_new(cycle, json_integer((json_int_t)payload->cycle[i]));
	return json_object_set_new(document, "size_cycle", cycle) != 0 ? -1 : rc;
}

static json_t *make_document(const struct sl_sent *sent)
{
	json_t *document = make_base(sent);

	if (document != NULL &&
		((sent->device != NULL && add_device(document, sent) != 0) ||
			add_mixes(document, &sent->config->payload) != 0)) {
		json_decref(document);
		return NULL;
	}
	if (document != NULL && sent->replay != NULL)
		json_object_set_new(document, "payload", json_string("replay"));
	return document;
}

int sl_sent_write(const struct sl_sent *sent, const char *path, struct sl_err *err)
{
	json_t *document = make_document(sent);
	int rc;

	if (document == NULL)
		return sl_err_set(err, -ENOMEM, "%s: no memory for the summary", path);
	rc = sl_stats_json_write(document, path, err);
	json_decref(document);
	return rc;
}

// A whole number within [0, max].
static int get_number(const json_t *document, const char *path, const char *key, uint64_t max,
	uint64_t *number, struct sl_err *err)
{
	const json_t *value = json_object_get(document, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(uint64_t)json_integer_value(value) > max)
		return sl_err_set(err, -EINVAL, "%s: \"%s\" must be a whole number up to %llu",
			path, key, (unsigned long long)max);
	*number = (uint64_t)json_integer_value(value);
	return 0;
}

static int get_cycle(struct sl_payload_config *payload, const json_t *document, const char *path,
	struct sl_err *err)
{
	const json_t *cycle = json_object_get(document, "size_cycle");

	if (cycle == NULL)
		return 0;
	if (!json_is_array(cycle) || json_array_size(cycle) < 1 ||
		json_array_size(cycle) > SL_PAYLOAD_CYCLE_COUNT_MAX)
		return sl_err_set(err, -EINVAL, "%s: \"size_cycle\" must be 1 to %u sizes", path,
			SL_PAYLOAD_CYCLE_COUNT_MAX);
	payload->cycle_count = (uint32_t)json_array_size(cycle);
	for (uint32_t i = 0; i < payload->cycle_count; i++) {
		const json_t *bytes = json_array_get(cycle, i);

		if (!json_is_integer(bytes) || json_integer_value(bytes) < 1 ||
			json_integer_value(bytes) > SL_PAYLOAD_BYTES_MAX)
			return sl_err_set(err, -EINVAL,
				"%s: \"size_cycle\" must hold whole numbers up to %u", path,
				SL_PAYLOAD_BYTES_MAX);
		payload->cycle[i] = (uint32_t)json_integer_value(bytes);
	}
	return 0;
}

// How sizes and keys are mixed, where they are.
static int get_mixes(struct sl_payload_config *payload, const json_t *document, const char *path,
	struct sl_err *err)
{
	uint64_t per_mille = 0;

	if (get_cycle(payload, document, path, err) != 0)
		return err->code;
	if (json_object_get(document, "zipf_per_mille") != NULL &&
		get_number(document, path, "zipf_per_mille", SL_ZIPF_PER_MILLE_MAX, &per_mille,
			err) != 0)
		return err->code;
	if (sl_payload_config_check(payload, err) != 0)
		return sl_err_prefix(err, "%s", path);
	return sl_payload_set_zipf(payload, (uint32_t)per_mille, err);
}

static int read_document(struct sl_verify_config *config, const json_t *document, const char *path,
	struct sl_err *err)
{
	const char *kind = json_string_value(json_object_get(document, "payload"));
	struct sl_payload_config *payload = &config->payload;
	uint64_t run_id = 0, bytes = 0, key_count = 0, flow_count = 0, doubt_count = 0;

	if (kind == NULL || sl_payload_kind_parse(kind, &payload->kind) != 0)
		return sl_err_set(err, -EINVAL,
			"%s: \"payload\" must be \"binary\" or \"play\"; --sent takes the file "
			"that `sluice-blast send --json FILE` wrote",
			path);
	if (get_number(document, path, "run_id", SL_RUN_ID_MAX, &run_id, err) != 0 ||
		get_number(document, path, "size", SL_PAYLOAD_BYTES_MAX, &bytes, err) != 0 ||
		get_number(document, path, "keys", SL_KEY_COUNT_MAX, &key_count, err) != 0 ||
		get_number(document, path, "flows", SL_FLOW_COUNT_MAX, &flow_count, err) != 0 ||
		get_number(document, path, "seed", INT64_MAX, &payload->seed, err) != 0 ||
		get_number(document, path, "sent", SL_SEQUENCE_COUNT_MAX, &config->sent_count,
			err) != 0 ||
		get_number(document, path, "in_doubt", UINT32_MAX, &doubt_count, err) != 0)
		return err->code;
	payload->run_id = (uint32_t)run_id;
	payload->bytes = (uint32_t)bytes;
	payload->key_count = (uint32_t)key_count;
	payload->flow_count = (uint32_t)flow_count;
	config->doubt_count = (uint32_t)doubt_count;
	config->whole = true;
	return get_mixes(payload, document, path, err);
}

int sl_sent_read(struct sl_verify_config *config, const char *path, struct sl_err *err)
{
	json_error_t where;
	json_t *document = json_load_file(path, 0, &where);
	int rc;

	if (document == NULL)
		return sl_err_set(
			err, -EINVAL, "--sent %s: line %d: %s", path, where.line, where.text);
	rc = read_document(config, document, path, err);
	json_decref(document);
	return rc;
}
