/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/sent_file.h"

#include "stats_json.h"

#include <errno.h>
#include <jansson.h>

static json_t *make_document(const struct sl_sent *sent)
{
	const struct sl_payload_config *payload = &sent->config->payload;
	const struct sl_pacer *pacer = &sent->result->pacer;
	double seconds = (double)sent->result->elapsed_ns / 1e9;
	json_int_t count = (json_int_t)sent->generator->sent_count;

	return json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:s"
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
	if (sl_payload_config_check(payload, err) != 0)
		return sl_err_prefix(err, "%s", path);
	return 0;
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
