/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/payload.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define SENT_NS 1772354504123456789ull // 2026-03-01T08:41:44Z
#define EVENT_COUNT 2000u

static const struct sl_payload_config binary = {
	.kind = SL_PAYLOAD_BINARY,
	.run_id = 0xabcdef,
	.bytes = SL_PAYLOAD_BINARY_BYTES,
	.key_count = 100,
	.flow_count = 8,
	.seed = 7,
};

static struct sl_payload_config make_config(enum sl_payload_kind kind, uint32_t bytes)
{
	struct sl_payload_config config = binary;

	config.kind = kind;
	config.bytes = bytes;
	return config;
}

static const struct {
	enum sl_payload_kind kind;
	uint32_t bytes;
} shapes[] = {
	{SL_PAYLOAD_BINARY, 18},
	{SL_PAYLOAD_BINARY, 19},
	{SL_PAYLOAD_BINARY, 26},
	{SL_PAYLOAD_BINARY, 33},
	{SL_PAYLOAD_BINARY, 1400},
	{SL_PAYLOAD_BINARY, SL_PAYLOAD_BYTES_MAX},
	{SL_PAYLOAD_PLAY, 132},
	{SL_PAYLOAD_PLAY, 133},
	{SL_PAYLOAD_PLAY, 700},
};

static void what_was_built_is_whole_and_says_who_it_is(void)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(shapes); i++) {
		struct sl_payload_config config = make_config(shapes[i].kind, shapes[i].bytes);
		char *payload = malloc(config.bytes);
		uint64_t sequence = SL_SEQUENCE_COUNT_MAX - 1 - i;
		struct sl_payload_id id;

		sl_payload_build(&config, sequence, SENT_NS, payload);
		CU_ASSERT_EQUAL(
			sl_payload_check(&config, true, payload, config.bytes, &id), SL_PAYLOAD_OK);
		CU_ASSERT_EQUAL(id.sequence, sequence);
		CU_ASSERT_EQUAL(id.run_id, config.run_id);
		CU_ASSERT_EQUAL(id.key, sl_payload_key(&config, sequence));
		CU_ASSERT_EQUAL(sl_payload_age_ns(&id, SENT_NS + 1234), 1234);
		CU_ASSERT_EQUAL(sl_payload_age_ns(&id, SENT_NS - 99), -99);
		free(payload);
	}
}

// Every byte, each with its lowest, its highest and all bits flipped.
static void any_changed_byte_is_seen(void)
{
	static const unsigned char flips[] = {0x01, 0x80, 0xff};

	for (size_t i = 0; i < SL_ARRAY_COUNT(shapes); i++) {
		struct sl_payload_config config = make_config(shapes[i].kind, shapes[i].bytes);
		unsigned char *payload = malloc(config.bytes);
		uint32_t step = config.bytes > 2000 ? 997 : 1;
		struct sl_payload_id id;
		unsigned unseen_count = 0;

		sl_payload_build(&config, 12345, SENT_NS, payload);
		for (uint32_t at = 0; at < config.bytes; at += step) {
			for (size_t j = 0; j < sizeof(flips); j++) {
				payload[at] ^= flips[j];
				unseen_count += sl_payload_check(&config, true, payload,
							config.bytes, &id) == SL_PAYLOAD_OK;
				payload[at] ^= flips[j];
			}
		}
		CU_ASSERT_EQUAL(unseen_count, 0);
		free(payload);
	}
}

static void a_cut_payload_is_seen_even_when_the_size_is_not_known(void)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(shapes); i++) {
		struct sl_payload_config config = make_config(shapes[i].kind, shapes[i].bytes);
		char *payload = malloc(config.bytes);
		struct sl_payload_id id;

		sl_payload_build(&config, 4242, SENT_NS, payload);
		CU_ASSERT_NOT_EQUAL(
			sl_payload_check(&config, false, payload, config.bytes - 1, &id),
			SL_PAYLOAD_OK);
		CU_ASSERT_EQUAL(
			sl_payload_check(&config, false, payload, 0, &id), SL_PAYLOAD_FOREIGN);
		free(payload);
	}
}

static void a_wrong_key_and_another_run_are_told_apart(void)
{
	struct sl_payload_config other_seed = binary, other_run = binary;
	char payload[SL_PAYLOAD_BINARY_BYTES];
	struct sl_payload_id id;

	other_seed.seed = 8;
	other_run.run_id = 5;
	sl_payload_build(&binary, 17, SENT_NS, payload);
	CU_ASSERT_EQUAL(sl_payload_check(&other_run, true, payload, sizeof(payload), &id),
		SL_PAYLOAD_OTHER_RUN);
	CU_ASSERT_EQUAL(sl_payload_check(&other_seed, true, payload, sizeof(payload), &id),
		SL_PAYLOAD_CORRUPT);
	CU_ASSERT_EQUAL(
		sl_payload_check(&other_seed, false, payload, sizeof(payload), &id), SL_PAYLOAD_OK);
}

static void a_play_event_is_text_of_fixed_width(void)
{
	struct sl_payload_config config = make_config(SL_PAYLOAD_PLAY, SL_PAYLOAD_PLAY_BYTES);
	char text[SL_PAYLOAD_PLAY_BYTES + 1] = {0};
	unsigned user, track, start_hour, listened_s, run_id, check;
	unsigned long long sequence, sent_ns;
	int year, month, day, minute, second;

	sl_payload_build(&config, 99, SENT_NS, text);
	CU_ASSERT_EQUAL(strlen(text), SL_PAYLOAD_PLAY_BYTES);
	CU_ASSERT_EQUAL(sscanf(text,
				"u%7u track=t%7u start=%4d-%2d-%2dT%2u:%2d:%2dZ listened=%4us "
				"run=%8u seq=%13llu sent=%19llu check=%4x",
				&user, &track, &year, &month, &day, &start_hour, &minute, &second,
				&listened_s, &run_id, &sequence, &sent_ns, &check),
		13);
	CU_ASSERT_EQUAL(user, sl_payload_key(&config, 99));
	CU_ASSERT_EQUAL(run_id, config.run_id);
	CU_ASSERT_EQUAL(sequence, 99);
	CU_ASSERT_EQUAL(sent_ns, SENT_NS);
	CU_ASSERT(listened_s >= 30 && listened_s < 630);
	// The listener stopped at 08:41:44.
	CU_ASSERT_EQUAL(start_hour * 3600 + (unsigned)minute * 60 + (unsigned)second + listened_s,
		8 * 3600 + 41 * 60 + 44);
	CU_ASSERT(year == 2026 && month == 3 && day == 1);
}

static void text_that_is_no_play_event_is_foreign(void)
{
	static const char line[SL_PAYLOAD_PLAY_BYTES + 1] = "u hello from nc";
	struct sl_payload_config config = make_config(SL_PAYLOAD_PLAY, SL_PAYLOAD_PLAY_BYTES);
	struct sl_payload_id id;

	CU_ASSERT_EQUAL(sl_payload_check(&config, true, line, SL_PAYLOAD_PLAY_BYTES, &id),
		SL_PAYLOAD_FOREIGN);
	CU_ASSERT_EQUAL(sl_payload_check(&config, true, line, 15, &id), SL_PAYLOAD_FOREIGN);
}

static void a_block_of_sequences_has_every_key_once(void)
{
	for (uint64_t block = 0; block < 3; block++) {
		bool seen[100] = {false};
		unsigned distinct_count = 0;

		for (uint64_t i = 0; i < binary.key_count; i++) {
			uint32_t key = sl_payload_key(&binary, block * binary.key_count + i);

			CU_ASSERT_FATAL(key < binary.key_count);
			distinct_count += !seen[key];
			seen[key] = true;
			CU_ASSERT(sl_payload_flow(&binary, key) < binary.flow_count);
		}
		CU_ASSERT_EQUAL(distinct_count, binary.key_count);
	}
}

static void no_two_events_of_a_run_are_equal(void)
{
	static char payloads[EVENT_COUNT][SL_PAYLOAD_BINARY_BYTES];

	for (uint32_t i = 0; i < EVENT_COUNT; i++)
		sl_payload_build(&binary, i, SENT_NS, payloads[i]);
	qsort(payloads, EVENT_COUNT, sizeof(payloads[0]),
		(int (*)(const void *, const void *))(void (*)(void))memcmp);
	unsigned equal_count = 0;
	for (uint32_t i = 1; i < EVENT_COUNT; i++)
		equal_count += memcmp(payloads[i - 1], payloads[i], sizeof(payloads[0])) == 0;
	CU_ASSERT_EQUAL(equal_count, 0);
}

static void a_configuration_that_cannot_be_is_refused_by_its_option(void)
{
	static const struct {
		struct sl_payload_config config;
		const char *option;
	} cases[] = {
		{{.kind = SL_PAYLOAD_BINARY, .bytes = 17, .key_count = 1, .flow_count = 1},
			"--size 17"},
		{{.kind = SL_PAYLOAD_PLAY, .bytes = 131, .key_count = 1, .flow_count = 1},
			"--size 131"},
		{{.kind = SL_PAYLOAD_BINARY, .bytes = 65508, .key_count = 1, .flow_count = 1},
			"--size 65508"},
		{{.kind = SL_PAYLOAD_BINARY, .bytes = 18, .key_count = 0, .flow_count = 1},
			"--keys 0"},
		{{.kind = SL_PAYLOAD_PLAY, .bytes = 132, .key_count = 10000001, .flow_count = 1},
			"--keys 10000001"},
		{{.kind = SL_PAYLOAD_BINARY, .bytes = 18, .key_count = 9, .flow_count = 0},
			"--flows 0"},
		{{.kind = SL_PAYLOAD_BINARY, .bytes = 18, .key_count = 9, .flow_count = 10},
			"--flows 10"},
		{{.kind = SL_PAYLOAD_BINARY,
			 .bytes = 18,
			 .key_count = 9,
			 .flow_count = 1,
			 .run_id = 1u << 24},
			"--run-id 16777216"},
	};
	struct sl_err err;

	CU_ASSERT_EQUAL(sl_payload_config_check(&binary, &err), 0);
	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		err = (struct sl_err){0};
		CU_ASSERT(sl_payload_config_check(&cases[i].config, &err) < 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].option));
	}
}

static const struct sl_test tests[] = {
	SL_TEST(what_was_built_is_whole_and_says_who_it_is),
	SL_TEST(any_changed_byte_is_seen),
	SL_TEST(a_cut_payload_is_seen_even_when_the_size_is_not_known),
	SL_TEST(a_wrong_key_and_another_run_are_told_apart),
	SL_TEST(a_play_event_is_text_of_fixed_width),
	SL_TEST(text_that_is_no_play_event_is_foreign),
	SL_TEST(a_block_of_sequences_has_every_key_once),
	SL_TEST(no_two_events_of_a_run_are_equal),
	SL_TEST(a_configuration_that_cannot_be_is_refused_by_its_option),
};
SL_SUITE(load_payload);
