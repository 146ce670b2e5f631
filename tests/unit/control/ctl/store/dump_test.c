/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/format/reader_fixture.h"
#include "control/ctl/store/command.h"

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;

	for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
		count++;
	return count;
}

static void segments_and_footers_of_all_lanes_are_listed(void)
{
	const struct outcome *outcome;

	make_three_segments();
	outcome = RUN(sl_ctl_store_dump, made.path);
	CU_ASSERT_EQUAL(outcome->code, SL_CTL_OK);
	CU_ASSERT_EQUAL(count_of(outcome->out, "store slot_0=whole slot_1=empty"), 1);
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nlane lane="), SL_TEST_LANE_COUNT);
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nsegment lane=0"), 3);
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nfooter verdict=whole"), 2);
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nbatch "), 0);
	sl_test_store_destroy(&made);
}

static void batches_are_listed_with_what_is_wrong(void)
{
	const struct outcome *outcome;

	make_three_segments();
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 200);
	sl_test_segment_flip(&made, 0, 2, 2 * SL_BLOCK_BYTES + 30);
	sl_test_segment_flip(&made, 0, 2, 3 * SL_BLOCK_BYTES);
	outcome = RUN(sl_ctl_store_dump, made.path, "--lane", "0", "--segment", "2");
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nbatch "), 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->out, "position=0 verdict=whole kind=checkpoint"));
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->out, "position=4096 verdict=\"damaged body\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->out, "position=8192 verdict=\"damaged header\""));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(outcome->out, "no_batch position=12288 blocks=1 zero_blocks=0"));
	sl_test_store_destroy(&made);
}

static void a_batch_is_shown_to_its_last_event(void)
{
	const struct outcome *outcome;
	json_t *line;

	make_three_segments();
	outcome = RUN(sl_ctl_store_dump, made.path, "--lane", "0", "--batch", "2");
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nbatch "), 1);
	CU_ASSERT_EQUAL(count_of(outcome->out, "\nrun "), 7);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(outcome->out, "entry partition=0 term=1 first_offset=0 event_count=7"));
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->out, "text=0:6\n"));
	outcome = RUN(sl_ctl_store_dump, made.path, "--lane", "0", "--batch", "1", "--json");
	line = json_loads(
		strstr(outcome->out, "{\"item\":\"state\""), JSON_DISABLE_EOF_CHECK, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	CU_ASSERT_EQUAL(number_at(line, "next_offset"), 0);
	json_decref(line);
	sl_test_store_destroy(&made);
}

// Bodies that were never right: a dump reads what lies in them, and never beyond.
static void lengths_that_lead_out_of_a_batch_are_named(void)
{
	const uint32_t long_run = SL_RUN_LENGTH_TYPE(SL_RUN_LENGTH_MAX, SL_RUN_EVENT);

	make_three_segments();
	sl_test_segment_poke(
		&made, 0, 3, SL_BLOCK_BYTES + SL_BATCH_RUNS_OFFSET, &long_run, sizeof(long_run));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(RUN(sl_ctl_store_dump, made.path, "--lane", "0", "--batch", "10")->out,
			"wrong offset=144"));
	CU_ASSERT_EQUAL(truncate(sl_test_segment_path(&made, 0, 3), 5000), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(
		RUN(sl_ctl_store_dump, made.path, "--lane", "0")->out, "whole_length=false"));
	sl_test_store_destroy(&made);
}

static void options_that_need_a_lane_say_so(void)
{
	const struct outcome *outcome;

	make_three_segments();
	outcome = RUN(sl_ctl_store_dump, made.path, "--batch", "1");
	CU_ASSERT_EQUAL(outcome->code, SL_CTL_USAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->err, "need --lane"));
	sl_test_store_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(segments_and_footers_of_all_lanes_are_listed),
	SL_TEST(batches_are_listed_with_what_is_wrong),
	SL_TEST(a_batch_is_shown_to_its_last_event),
	SL_TEST(lengths_that_lead_out_of_a_batch_are_named),
	SL_TEST(options_that_need_a_lane_say_so),
};
SL_SUITE(control_ctl_store_dump);
