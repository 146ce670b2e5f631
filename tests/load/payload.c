/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/payload.h"

#include "load/payload_head.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	const char *key_range;
	uint32_t bytes_min;
	uint32_t key_count_max;
} kinds[] = {
	[SL_PAYLOAD_BINARY] = {"binary", "0:3", SL_PAYLOAD_BINARY_BYTES, SL_KEY_COUNT_MAX},
	[SL_PAYLOAD_PLAY] = {"play", "0:8", SL_PAYLOAD_PLAY_BYTES, SL_KEY_COUNT_PLAY_MAX},
};

const char *sl_payload_kind_name(enum sl_payload_kind kind)
{
	return kinds[kind].name;
}

int sl_payload_kind_parse(const char *name, enum sl_payload_kind *kind)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(kinds); i++) {
		if (strcmp(name, kinds[i].name) == 0) {
			*kind = (enum sl_payload_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

uint32_t sl_payload_bytes_min(enum sl_payload_kind kind)
{
	return kinds[kind].bytes_min;
}

const char *sl_payload_key_range(enum sl_payload_kind kind)
{
	return kinds[kind].key_range;
}

int sl_payload_config_check(const struct sl_payload_config *config, struct sl_err *err)
{
	const char *name = kinds[config->kind].name;
	uint32_t bytes_min = kinds[config->kind].bytes_min;
	uint32_t key_count_max = kinds[config->kind].key_count_max;

	for (uint32_t i = 0; i < config->cycle_count; i++) {
		if (config->cycle[i] < bytes_min || config->cycle[i] > config->bytes)
			return sl_err_set(err, -EINVAL,
				"--imix: a %s payload takes %u bytes or more, so the smallest frame "
				"has %u",
				name, bytes_min, bytes_min + SL_FRAME_OVERHEAD_BYTES);
	}
	if (config->bytes < bytes_min || config->bytes > SL_PAYLOAD_BYTES_MAX)
		return sl_err_set(err, -EINVAL, "--size %u: a %s payload takes %u to %u bytes",
			config->bytes, name, bytes_min, SL_PAYLOAD_BYTES_MAX);
	if (config->key_count < 1 || config->key_count > key_count_max)
		return sl_err_set(err, -EINVAL, "--keys %u: %s payloads can have 1 to %u keys",
			config->key_count, name, key_count_max);
	if (config->flow_count < 1 || config->flow_count > SL_FLOW_COUNT_MAX)
		return sl_err_set(err, -EINVAL, "--flows %u: must be 1 to %u", config->flow_count,
			SL_FLOW_COUNT_MAX);
	if (config->flow_count > config->key_count)
		return sl_err_set(err, -EINVAL,
			"--flows %u: a key stays on one flow, so with --keys %u at most %u flows "
			"carry events; raise --keys or lower --flows",
			config->flow_count, config->key_count, config->key_count);
	if (config->run_id > SL_RUN_ID_MAX)
		return sl_err_set(err, -EINVAL, "--run-id %u: must be 0 to %u", config->run_id,
			SL_RUN_ID_MAX);
	return 0;
}

uint16_t sl_payload_head_check(const struct sl_payload_id *id, uint32_t bytes)
{
	return sl_payload_check16(
		id->sequence << 24 | id->key, sl_payload_run_time(id->run_id, id->sent_ns), bytes);
}

static bool pattern_check(uint64_t seed, const char *in, uint32_t bytes)
{
	uint32_t word_count = bytes / 8;
	uint64_t difference = 0, word;

	for (uint32_t i = 0; i < word_count; i++) {
		memcpy(&word, in + (size_t)i * 8, 8);
		difference |= word ^ (seed + i * SL_PAYLOAD_GOLDEN);
	}
	word = seed + word_count * SL_PAYLOAD_GOLDEN;
	return difference == 0 && memcmp(in + (size_t)word_count * 8, &word, bytes % 8) == 0;
}

static void binary_build(const struct sl_payload_id *id, uint32_t bytes, char *payload)
{
	struct sl_payload_head head = {
		.key_sequence = id->sequence << 24 | id->key,
		.run_time = sl_payload_run_time(id->run_id, id->sent_ns),
		.check = sl_payload_head_check(id, bytes),
	};

	memcpy(payload, &head, sizeof(head));
	sl_payload_pattern_build(sl_payload_pattern_seed(id->run_id, id->sequence),
		payload + sizeof(head), bytes - (uint32_t)sizeof(head));
}

static bool binary_parse(const char *payload, uint32_t bytes, struct sl_payload_id *id)
{
	struct sl_payload_head head;

	if (bytes < sizeof(head))
		return false;
	memcpy(&head, payload, sizeof(head));
	id->key = (uint32_t)(head.key_sequence & (SL_KEY_COUNT_MAX - 1));
	id->sequence = head.key_sequence >> 24;
	id->run_id = (uint32_t)(head.run_time & SL_RUN_ID_MAX);
	id->sent_ns = head.run_time >> 24;
	return head.check == sl_payload_head_check(id, bytes);
}

static bool binary_check(const struct sl_payload_id *id, const char *payload, uint32_t bytes)
{
	return pattern_check(sl_payload_pattern_seed(id->run_id, id->sequence),
		payload + SL_PAYLOAD_BINARY_BYTES, bytes - SL_PAYLOAD_BINARY_BYTES);
}

// Text is rebuilt whole: user, track, start and seconds all follow from the head.
static bool play_check(const struct sl_payload_id *id, const char *payload, uint32_t bytes)
{
	char expected[SL_PAYLOAD_BYTES_MAX];

	sl_payload_play_build(id, bytes, expected);
	return memcmp(payload, expected, bytes) == 0;
}

void sl_payload_build(
	const struct sl_payload_config *config, uint64_t sequence, uint64_t sent_ns, void *payload)
{
	struct sl_payload_id id = {
		.sequence = sequence,
		.sent_ns = sent_ns,
		.run_id = config->run_id,
		.key = sl_payload_key(config, sequence),
	};

	uint32_t bytes = sl_payload_bytes(config, sequence);

	if (config->kind == SL_PAYLOAD_PLAY)
		sl_payload_play_build(&id, bytes, payload);
	else
		binary_build(&id, bytes, payload);
}

enum sl_payload_verdict sl_payload_check(const struct sl_payload_config *config, bool whole,
	const void *payload, uint32_t bytes, struct sl_payload_id *id)
{
	bool play = config->kind == SL_PAYLOAD_PLAY;

	if (bytes > SL_PAYLOAD_BYTES_MAX)
		return SL_PAYLOAD_FOREIGN;
	if (play ? !sl_payload_play_parse(payload, bytes, id) : !binary_parse(payload, bytes, id))
		return SL_PAYLOAD_FOREIGN;
	if (id->run_id != config->run_id)
		return SL_PAYLOAD_OTHER_RUN;
	if (whole &&
		(bytes != sl_payload_bytes(config, id->sequence) ||
			id->key != sl_payload_key(config, id->sequence)))
		return SL_PAYLOAD_CORRUPT;
	if (play ? !play_check(id, payload, bytes) : !binary_check(id, payload, bytes))
		return SL_PAYLOAD_CORRUPT;
	return SL_PAYLOAD_OK;
}

int64_t sl_payload_age_ns(const struct sl_payload_id *id, uint64_t near_ns)
{
	// 40 bits, sign-extended: an age, not a point in time, so the epoch does not matter.
	return (int64_t)((near_ns - id->sent_ns) << 24) >> 24;
}
