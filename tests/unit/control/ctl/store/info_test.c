/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/format/reader_fixture.h"
#include "control/ctl/store/command.h"
#include "format/store_info.h"

static json_t *info(int expected_code)
{
	const struct outcome *outcome = RUN(sl_ctl_store_info, made.path, "--json");
	json_t *document = json_loads(outcome->out, 0, NULL);

	CU_ASSERT_EQUAL(outcome->code, expected_code);
	CU_ASSERT_PTR_NOT_NULL_FATAL(document);
	return document;
}

static void a_store_says_what_it_holds(void)
{
	json_t *document;

	make_three_segments();
	document = info(SL_CTL_OK);
	CU_ASSERT_EQUAL(strlen(text_at(document, "id")), 16);
	CU_ASSERT_EQUAL(number_at(document, "generation"), 1);
	CU_ASSERT(json_is_false(member(document, "live")));
	CU_ASSERT_STRING_EQUAL(text_at(document, "classes.0.durability"), "durable");
	CU_ASSERT_STRING_EQUAL(text_at(document, "streams.0.stream"), "plays");
	CU_ASSERT_EQUAL(number_at(document, "lanes.0.epoch"), 1);
	CU_ASSERT_EQUAL(number_at(document, "lanes.0.segments_sealed"), 2);
	CU_ASSERT_EQUAL(number_at(document, "lanes.0.segments_unsealed"), 1);
	CU_ASSERT_EQUAL(number_at(document, "lanes.0.bytes"), 3 * SL_TEST_SEGMENT_BYTES);
	CU_ASSERT_EQUAL(number_at(document, "lanes.0.batches"), 12);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.first_offset"), 0);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.next_offset"), 30);
	CU_ASSERT_EQUAL(number_at(document, "partitions.1.next_offset"), 6);
	CU_ASSERT_EQUAL(number_at(document, "partitions.3.next_offset"), 0);
	json_decref(document);
	sl_test_store_destroy(&made);
}

static void what_has_expired_is_not_retained(void)
{
	json_t *document;

	make_three_segments();
	CU_ASSERT_EQUAL(unlink(sl_test_segment_path(&made, 0, 1)), 0);
	document = info(SL_CTL_OK);
	CU_ASSERT_EQUAL(number_at(document, "lanes.0.segments_sealed"), 1);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.first_offset"), 10);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.next_offset"), 30);
	CU_ASSERT_EQUAL(number_at(document, "partitions.1.first_offset"), 2);
	json_decref(document);
	sl_test_store_destroy(&made);
}

static void a_moved_partition_goes_on_where_its_term_does(void)
{
	const struct sl_partition_state states[] = {state(0, 2, 30, 30)};
	json_t *document;

	make_three_segments();
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, states, 1);
	sl_test_events_write(&made, 1, 0, 2, 30, 4);
	made.meta.partitions[0] =
		(struct sl_store_meta_partition){.term = 2, .term_start = 30, .lane = 1};
	sl_test_store_write_meta(&made);
	document = info(SL_CTL_OK);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.lane"), 1);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.first_offset"), 0);
	CU_ASSERT_EQUAL(number_at(document, "partitions.0.next_offset"), 34);
	CU_ASSERT_EQUAL(number_at(document, "lanes.1.events"), 4);
	json_decref(document);
	sl_test_store_destroy(&made);
}

static void a_lane_that_is_damaged_says_so_beside_the_others(void)
{
	json_t *document;

	make_three_segments();
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
	sl_test_segment_flip(&made, 0, 3, SL_BLOCK_BYTES + 200);
	document = info(SL_CTL_CHECK_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(text_at(document, "lanes.0.damage"), "stable storage"));
	CU_ASSERT_PTR_NULL(member(document, "lanes.1.damage"));
	json_decref(document);
	sl_test_store_destroy(&made);
}

static void the_id_is_the_salts_and_hides_it(void)
{
	const uint8_t one[SL_SALT_BYTES] = "a salt of tests!", other[SL_SALT_BYTES] = "another";

	CU_ASSERT_EQUAL(sl_store_id(one), sl_store_id(one));
	CU_ASSERT_NOT_EQUAL(sl_store_id(one), sl_store_id(other));
	CU_ASSERT_NOT_EQUAL(memcmp(one, (uint64_t[]){sl_store_id(one)}, 8), 0);
}

static void what_is_no_store_is_not_found(void)
{
	const struct outcome *outcome = RUN(sl_ctl_store_info, "/nonexistent");

	CU_ASSERT_EQUAL(outcome->code, SL_CTL_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->err, "holds no store"));
}

static const struct sl_test tests[] = {
	SL_TEST(a_store_says_what_it_holds),
	SL_TEST(what_has_expired_is_not_retained),
	SL_TEST(a_moved_partition_goes_on_where_its_term_does),
	SL_TEST(a_lane_that_is_damaged_says_so_beside_the_others),
	SL_TEST(the_id_is_the_salts_and_hides_it),
	SL_TEST(what_is_no_store_is_not_found),
};
SL_SUITE(control_ctl_store_info);
