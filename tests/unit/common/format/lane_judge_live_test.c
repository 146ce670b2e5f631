/* SPDX-License-Identifier: BSD-3-Clause */
// A lane that is judged while its writer drops and seals segments: no damage is found that is not
// there. What the writer does happens between two batches of the look.
#include "common/format/reader_fixture.h"
#include "format/lane_judge.h"

// What the writer does when the look has come to a batch.
struct writer {
	uint64_t at_number;
	uint64_t segments_dropped[3]; // 0: none
};

static void drop(void *context, const struct sl_batch_header *batch)
{
	const struct writer *writer = context;

	for (size_t i = 0; batch->number == writer->at_number && i < 3; i++)
		if (writer->segments_dropped[i] > 0)
			CU_ASSERT_EQUAL(
				unlink(sl_test_segment_path(&made, 0, writer->segments_dropped[i])),
				0);
}

// Up to that batch, as everything was stored when the look began. Returns how much damage it finds.
static uint64_t judge(uint64_t number_max, struct writer *writer)
{
	struct sl_judgement judgement = {0};
	struct sl_lane_judge_config config = {
		.path = made.lanes[0].path,
		.salt_crc = made.salt_crc,
		.meta = &made.meta,
		.number_max = number_max,
		.on_batch = drop,
		.context = writer,
	};
	struct sl_lane_judged judged;
	struct sl_err err = {0};
	uint64_t damage;

	CU_ASSERT_EQUAL_FATAL(sl_read_ahead_create(&config.reader, &err), 0);
	CU_ASSERT_EQUAL(sl_lane_judge(&config, &judgement, &judged, &err), 0);
	damage = judgement.counts[SL_FINDING_ROT] + judgement.counts[SL_FINDING_LOSS];
	for (size_t i = 0; i < judgement.count; i++)
		printf("     %s: %s\n", judgement.findings[i].path, judgement.findings[i].what);
	sl_judgement_free(&judgement);
	sl_read_ahead_destroy(config.reader);
	return damage;
}

// A fourth segment behind the three; the third keeps its place without a footer.
static void open_fourth(void)
{
	const struct sl_partition_state states[] = {state(0, 1, 0, 30), state(1, 1, 0, 6)};

	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
}

static void segments_may_expire_between_two_that_are_read(void)
{
	struct writer writer = {.at_number = 2, .segments_dropped = {1, 2}};

	make_three_segments();
	CU_ASSERT_EQUAL(judge(made.lanes[0].number - 1, &writer), 0);
	sl_test_store_destroy(&made);
}

// The third had no footer when it was opened: nobody is left to say that its end is its end.
static void the_segment_behind_an_open_one_may_expire(void)
{
	struct writer writer = {.segments_dropped = {3, 4}};

	make_three_segments();
	writer.at_number = made.lanes[0].number - 2;
	open_fourth();
	CU_ASSERT_EQUAL(judge(made.lanes[0].number - 1, &writer), 0);
	sl_test_store_destroy(&made);
}

// Spares come and go: that one is not there says nothing about a batch that is gone.
static void a_batch_that_is_gone_is_found_where_a_spare_vanishes(void)
{
	struct writer writer = {.segments_dropped = {4}};
	uint64_t number;

	make_three_segments();
	number = made.lanes[0].number - 1;
	writer.at_number = number - 1;
	sl_test_segment_flip(&made, 0, 3, 3 * SL_BLOCK_BYTES + 200);
	sl_test_segment_open(&made, 0);
	CU_ASSERT_EQUAL(judge(number, &writer), 1);
	sl_test_store_destroy(&made);
}

// It may be sealed between the look at its footer and the look at what is behind it.
static void a_third_segment_may_be_opened_meanwhile(void)
{
	struct writer writer = {0};

	make_three_segments();
	open_fourth();
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT,
		(const struct sl_partition_state[]){state(0, 1, 0, 35), state(1, 1, 0, 6)}, 2);
	CU_ASSERT_EQUAL(judge(made.lanes[0].number - 1, &writer), 0);
	CU_ASSERT(judge(UINT64_MAX, &writer) > 0);
	sl_test_store_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(segments_may_expire_between_two_that_are_read),
	SL_TEST(the_segment_behind_an_open_one_may_expire),
	SL_TEST(a_batch_that_is_gone_is_found_where_a_spare_vanishes),
	SL_TEST(a_third_segment_may_be_opened_meanwhile),
};
SL_SUITE(common_format_lane_judge_live);
