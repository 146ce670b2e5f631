/* SPDX-License-Identifier: BSD-3-Clause */
// Mixes of keys and of sizes: uniform, Zipf, IMIX.
#include "load/payload.h"

#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct sl_payload_config make_config(uint32_t key_count, uint32_t zipf_per_mille)
{
	struct sl_payload_config config = {
		.bytes = SL_PAYLOAD_BINARY_BYTES,
		.key_count = key_count,
		.flow_count = 1,
		.seed = 99,
	};
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_payload_set_zipf(&config, zipf_per_mille, &err), 0);
	return config;
}

static void keys_in_a_row_are_the_keys_one_by_one(void)
{
	static const uint32_t key_counts[] = {1, 2, 3, 64, 65, 1000, SL_KEY_COUNT_MAX};
	uint32_t keys[200];

	for (size_t i = 0; i < SL_ARRAY_COUNT(key_counts); i++) {
		for (uint32_t zipf = 0; zipf <= 1000; zipf += 1000) {
			struct sl_payload_config config = make_config(key_counts[i], zipf);
			uint64_t first = SL_SEQUENCE_COUNT_MAX / 2 - 77;
			unsigned wrong_count = 0;

			sl_payload_keys(&config, first, keys, 200);
			for (uint32_t j = 0; j < 200; j++)
				wrong_count += keys[j] != sl_payload_key(&config, first + j) ||
					keys[j] >= key_counts[i];
			CU_ASSERT_EQUAL(wrong_count, 0);
			sl_payload_free_zipf(&config);
		}
	}
}

// The count of a key is binomial: five standard deviations, and what the table rounds: a slot at
// each end. The sequences are fixed, so that this passes always or never.
static void zipf_keys_come_in_proportion_to_their_rank(void)
{
	enum { KEYS = 500, EVENTS = 1000000 };

	for (uint32_t per_mille = 500; per_mille <= 2000; per_mille += 500) {
		struct sl_payload_config config = make_config(KEYS, per_mille);
		uint32_t *counts = calloc(KEYS, sizeof(*counts));
		double total = 0;
		unsigned off_count = 0;

		for (uint64_t i = 0; i < EVENTS; i++)
			counts[sl_payload_key(&config, i)]++;
		for (int rank = 1; rank <= KEYS; rank++)
			total += pow(rank, -(double)per_mille / 1000);
		for (int rank = 1; rank <= KEYS; rank++) {
			double expected = EVENTS * pow(rank, -(double)per_mille / 1000) / total;
			double allowed = 5 * sqrt(expected) + 2.0 * EVENTS / SL_ZIPF_SLOT_COUNT;

			off_count += fabs(counts[rank - 1] - expected) > allowed;
		}
		CU_ASSERT_EQUAL(off_count, 0);
		free(counts);
		sl_payload_free_zipf(&config);
	}
}

static void the_slots_of_a_zipf_table_cover_every_key(void)
{
	static const uint32_t key_counts[] = {1, 2, 16384, 100000, SL_KEY_COUNT_MAX};

	for (size_t i = 0; i < SL_ARRAY_COUNT(key_counts); i++) {
		struct sl_payload_config config = make_config(key_counts[i], 990);
		uint32_t covered = 0;
		unsigned hole_count = 0;

		for (uint32_t j = 0; j < SL_ZIPF_SLOT_COUNT; j++) {
			const struct sl_payload_zipf_slot *slot = &config.zipf->slots[j];

			hole_count += slot->first_key > covered || slot->key_count == 0;
			covered = SL_MAX(covered, slot->first_key + slot->key_count);
		}
		CU_ASSERT_EQUAL(hole_count, 0);
		CU_ASSERT_EQUAL(covered, key_counts[i]);
		sl_payload_free_zipf(&config);
	}
}

static void the_simple_mix_is_7_to_4_to_1_and_no_size_clusters(void)
{
	struct sl_payload_config config = make_config(10, 0);
	struct sl_err err = {0};
	unsigned small_count = 0, middle_count = 0, large_count = 0;

	CU_ASSERT_EQUAL(sl_payload_cycle_parse(&config, "simple", &err), 0);
	CU_ASSERT_EQUAL(config.cycle_count, 12);
	CU_ASSERT_EQUAL(config.bytes, 1472);
	for (uint64_t i = 0; i < 12; i++) {
		uint32_t bytes = sl_payload_bytes(&config, 1200 + i);

		small_count += bytes == 18;
		middle_count += bytes == 524;
		large_count += bytes == 1472;
		// Four of 570 bytes in twelve: never two in a row.
		CU_ASSERT(bytes != 524 || sl_payload_bytes(&config, 1201 + i) != 524);
	}
	CU_ASSERT(small_count == 7 && middle_count == 4 && large_count == 1);
}

static void an_event_of_another_turn_of_the_cycle_is_corrupt(void)
{
	struct sl_payload_config config = make_config(10, 0), shifted;
	unsigned char payload[1472];
	struct sl_payload_id id;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_payload_cycle_parse(&config, "1:64,1:100", &err), 0);
	shifted = config;
	shifted.cycle[0] = config.cycle[1];
	shifted.cycle[1] = config.cycle[0];
	sl_payload_build(&config, 5, 1, payload);
	CU_ASSERT_EQUAL(sl_payload_check(&config, true, payload, 54, &id), SL_PAYLOAD_OK);
	CU_ASSERT_EQUAL(sl_payload_check(&shifted, true, payload, 54, &id), SL_PAYLOAD_CORRUPT);
}

static void mixes_that_cannot_be_are_refused(void)
{
	static const char *const texts[] = {"", "7", "7:", ":64", "7:64,", "0:64", "7:46",
		"7:64;4:570", "65:64", "60:64,5:570", "1:99999", "x:64", "1:64 "};
	struct sl_payload_config config = make_config(10, 0);

	for (size_t i = 0; i < SL_ARRAY_COUNT(texts); i++) {
		struct sl_err err = {0};

		CU_ASSERT(sl_payload_cycle_parse(&config, texts[i], &err) < 0);
		CU_ASSERT(strstr(err.text, "must be") || strstr(err.text, "must add up"));
	}
	struct sl_err err = {0};
	CU_ASSERT_EQUAL(sl_payload_cycle_parse(&config, "1:63,1:64", &err), 0);
	CU_ASSERT(sl_payload_config_check(&config, &err) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the smallest frame has 64"));
}

static const struct sl_test tests[] = {
	SL_TEST(keys_in_a_row_are_the_keys_one_by_one),
	SL_TEST(zipf_keys_come_in_proportion_to_their_rank),
	SL_TEST(the_slots_of_a_zipf_table_cover_every_key),
	SL_TEST(the_simple_mix_is_7_to_4_to_1_and_no_size_clusters),
	SL_TEST(an_event_of_another_turn_of_the_cycle_is_corrupt),
	SL_TEST(mixes_that_cannot_be_are_refused),
};
SL_SUITE(load_payload_mix);
