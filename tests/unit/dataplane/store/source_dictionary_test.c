/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/source_dictionary.h"

#include "format/crc32c.h"
#include "suite.h"

#include <string.h>

static struct sl_run_source make_source(uint32_t address, uint16_t port)
{
	struct sl_run_source source = {.family = 4, .port = port};

	memcpy(source.address, &address, sizeof(address));
	return source;
}

static void the_same_source_has_the_same_number_and_is_new_once(void)
{
	struct sl_source_dictionary *dictionary = sl_source_dictionary_create();
	bool is_new;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dictionary);
	for (uint16_t round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < 1000; i++) {
			struct sl_run_source source = make_source(i / 10, i % 10);

			CU_ASSERT_EQUAL(
				sl_source_dictionary_add(dictionary, &source, &is_new), i + 1);
			CU_ASSERT_EQUAL(is_new, round == 0);
		}
	}
	sl_source_dictionary_destroy(dictionary);
	sl_source_dictionary_destroy(NULL);
}

static void a_new_batch_knows_nobody(void)
{
	struct sl_source_dictionary *dictionary = sl_source_dictionary_create();
	struct sl_run_source first = make_source(1, 1), second = make_source(2, 2);
	bool is_new;

	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &first, &is_new), 1);
	sl_source_dictionary_reset(dictionary);
	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &second, &is_new), 1);
	CU_ASSERT(is_new);
	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &first, &is_new), 2);
	CU_ASSERT(is_new);
	sl_source_dictionary_destroy(dictionary);
}

static void families_are_told_apart(void)
{
	struct sl_source_dictionary *dictionary = sl_source_dictionary_create();
	struct sl_run_source source = make_source(1, 1);
	bool is_new;

	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &source, &is_new), 1);
	source.family = 6;
	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &source, &is_new), 2);
	sl_source_dictionary_destroy(dictionary);
}

static void a_full_dictionary_takes_no_more_but_still_knows_its_own(void)
{
	struct sl_source_dictionary *dictionary = sl_source_dictionary_create();
	struct sl_run_source source;
	bool is_new;

	for (uint32_t i = 0; i < SL_SOURCE_COUNT_MAX; i++) {
		source = make_source(i, 7);
		CU_ASSERT_EQUAL_FATAL(
			sl_source_dictionary_add(dictionary, &source, &is_new), i + 1);
	}
	source = make_source(SL_SOURCE_COUNT_MAX, 7);
	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &source, &is_new), SL_RUN_SOURCE_NONE);
	source = make_source(SL_SOURCE_COUNT_MAX - 1, 7);
	CU_ASSERT_EQUAL(
		sl_source_dictionary_add(dictionary, &source, &is_new), SL_SOURCE_COUNT_MAX);
	CU_ASSERT_FALSE(is_new);
	sl_source_dictionary_destroy(dictionary);
}

static void slots_of_65536_batches_ago_do_not_come_back_to_life(void)
{
	struct sl_source_dictionary *dictionary = sl_source_dictionary_create();
	struct sl_run_source source = make_source(1, 1), other = make_source(2, 2);
	bool is_new;

	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &source, &is_new), 1);
	for (uint32_t i = 0; i < 65536; i++) {
		sl_source_dictionary_reset(dictionary);
		is_new = false;
		CU_ASSERT_EQUAL_FATAL(sl_source_dictionary_add(dictionary, &other, &is_new), 1);
		CU_ASSERT_FATAL(is_new);
	}
	CU_ASSERT_EQUAL(sl_source_dictionary_add(dictionary, &source, &is_new), 2);
	CU_ASSERT(is_new);
	sl_source_dictionary_destroy(dictionary);
}

static void sources_that_a_sender_chose_do_not_meet_in_one_slot(void)
{
	enum { AIMED_COUNT = 64 };
	struct sl_source_dictionary *dictionary = sl_source_dictionary_create();
	uint32_t aimed_count = 0, neighbour_count = 0;
	bool is_new;

	// All of them meet under a hash without a key.
	for (uint32_t i = 0; aimed_count < AIMED_COUNT; i++) {
		struct sl_run_source source = make_source(i, 7);

		if (sl_crc32c(0, &source, sizeof(source)) % SL_SOURCE_SLOT_COUNT != 0)
			continue;
		sl_source_dictionary_add(dictionary, &source, &is_new);
		aimed_count++;
	}
	for (uint32_t i = 1; i < SL_SOURCE_SLOT_COUNT; i++)
		neighbour_count += dictionary->slots[i].generation == dictionary->generation &&
			dictionary->slots[i - 1].generation == dictionary->generation;
	// In one chain there would be 63.
	CU_ASSERT(neighbour_count < AIMED_COUNT / 4);
	sl_source_dictionary_destroy(dictionary);
}

static const struct sl_test tests[] = {
	SL_TEST(the_same_source_has_the_same_number_and_is_new_once),
	SL_TEST(a_new_batch_knows_nobody),
	SL_TEST(families_are_told_apart),
	SL_TEST(a_full_dictionary_takes_no_more_but_still_knows_its_own),
	SL_TEST(slots_of_65536_batches_ago_do_not_come_back_to_life),
	SL_TEST(sources_that_a_sender_chose_do_not_meet_in_one_slot),
};
SL_SUITE(dataplane_store_source_dictionary);
