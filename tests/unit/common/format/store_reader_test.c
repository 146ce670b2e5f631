/* SPDX-License-Identifier: BSD-3-Clause */
#include "reader_result.h"

static void a_partition_comes_back_in_order_over_segments(void)
{
	make_three_segments();
	CU_ASSERT_EQUAL(read_part(0, 0), 0);
	CU_ASSERT_EQUAL(seen.count, 30);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	CU_ASSERT_EQUAL(report.event_count, 30);
	CU_ASSERT_EQUAL(report.batch_count, 12);
	CU_ASSERT_EQUAL(report.next_offset, 30);
	CU_ASSERT_EQUAL(report.torn_tail_count, 0);
	end_test();
}

static void a_read_from_an_offset_starts_at_its_segment(void)
{
	make_three_segments();
	CU_ASSERT_EQUAL(read_part(0, 23), 0);
	CU_ASSERT_EQUAL(seen.count, 7);
	CU_ASSERT_EQUAL(seen.first, 23);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	CU_ASSERT_EQUAL(report.batch_count, 4); // of the last segment alone
	seen = (struct seen){0};
	CU_ASSERT_EQUAL(read_part(0, 30), 0);
	CU_ASSERT_EQUAL(seen.count, 0);
	CU_ASSERT_FALSE(report.has_first);
	end_test();
}

static void a_visitor_stops_the_read_with_its_own_number(void)
{
	seen = (struct seen){.stop_after = 9};
	make_three_segments();
	CU_ASSERT_EQUAL(read_part(0, 0), 7);
	CU_ASSERT_EQUAL(seen.count, 9);
	seen = (struct seen){.stop_after = 11};
	CU_ASSERT_EQUAL(read_all(), 7);
	CU_ASSERT_EQUAL(seen.count, 11);
	end_test();
}

static void a_stream_comes_lane_by_lane_and_whole(void)
{
	make_three_segments();
	// Partitions 2 and 3 live in lane 1.
	made.meta.partitions[2].lane = made.meta.partitions[3].lane = 1;
	sl_test_store_write_meta(&made);
	sl_test_segment_open(&made, 1);
	sl_test_events_write(&made, 1, 2, 1, 0, 4);
	sl_test_events_write(&made, 1, 3, 1, 0, 1);
	CU_ASSERT_EQUAL(read_all(), 0);
	CU_ASSERT_EQUAL(seen.count, 41);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	CU_ASSERT_EQUAL(seen.per_partition_next[0], 30);
	CU_ASSERT_EQUAL(seen.per_partition_next[1], 6);
	CU_ASSERT_EQUAL(seen.per_partition_next[2], 4);
	CU_ASSERT_EQUAL(seen.per_partition_next[3], 1);
	end_test();
}

static void the_watermark_ends_a_read_before_what_is_not_stored(void)
{
	seen = (struct seen){.limit = 24};
	make_three_segments();
	CU_ASSERT_EQUAL(read_part(0, 0), 0);
	CU_ASSERT_EQUAL(seen.count, 24);
	CU_ASSERT_EQUAL(report.next_offset, 24);
	seen = (struct seen){.limit = 17};
	CU_ASSERT_EQUAL(read_all(), 0);
	CU_ASSERT_EQUAL(seen.per_partition_next[0], 17);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	end_test();
}

static void a_log_that_ends_below_the_watermark_is_damage(void)
{
	seen = (struct seen){.limit = 31};
	make_three_segments();
	CU_ASSERT_EQUAL(read_part(0, 0), -EBADMSG);
	CU_ASSERT_EQUAL(seen.count, 30);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "offset 30"));
	end_test();
}

static void a_torn_tail_ends_the_log_without_an_error(void)
{
	uint64_t position;

	make_three_segments();
	position = sl_test_events_write(&made, 0, 0, 1, 30, 5);
	sl_test_segment_flip(&made, 0, 3, position + SL_BATCH_RUNS_OFFSET + 3);
	CU_ASSERT_EQUAL(read_part(0, 0), 0);
	CU_ASSERT_EQUAL(seen.count, 30);
	CU_ASSERT_EQUAL(report.torn_tail_count, 1);
	end_test();
}

static void a_hole_with_a_later_valid_batch_ends_the_log(void)
{
	make_three_segments();
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_event(&made.batch, 0, 1, 30, "0:30", 4);
	sl_test_batch_lose(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 31, 2);
	CU_ASSERT_EQUAL(read_part(0, 0), 0);
	CU_ASSERT_EQUAL(seen.count, 30);
	CU_ASSERT_EQUAL(report.torn_tail_count, 1);
	end_test();
}

static void rot_below_a_later_durable_mark_is_damage(void)
{
	uint64_t position;

	make_three_segments();
	position = sl_test_events_write(&made, 0, 0, 1, 30, 5);
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 35, 5);
	sl_test_segment_flip(&made, 0, 3, position + 200);
	CU_ASSERT_EQUAL(read_part(0, 0), -EBADMSG);
	CU_ASSERT_EQUAL(seen.count, 30);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0000000000000003.seg"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "stable storage"));
	end_test();
}

static void every_damage_in_a_sealed_segment_is_found(void)
{
	// Magic, header, body, table of each of the four batches of segment 1: one block each.
	static const unsigned bytes[] = {0, 5, 30, 100, 130, 150};

	make_three_segments();
	for (unsigned batch = 0; batch < 4; batch++) {
		for (size_t i = 0; i < SL_ARRAY_COUNT(bytes); i++) {
			uint64_t position = batch * SL_BLOCK_BYTES + bytes[i];

			seen = (struct seen){0};
			sl_test_segment_flip(&made, 0, 1, position);
			CU_ASSERT_EQUAL(read_all(), -EBADMSG);
			CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0000000000000001.seg"));
			CU_ASSERT_EQUAL(seen.wrong_count, 0);
			sl_test_segment_flip(&made, 0, 1, position);
		}
	}
	end_test();
}

static void swapped_duplicated_and_shifted_batches_are_found(void)
{
	char first[SL_BLOCK_BYTES], second[SL_BLOCK_BYTES];

	make_three_segments();
	sl_test_segment_peek(&made, 0, 1, 1 * SL_BLOCK_BYTES, first, sizeof(first));
	sl_test_segment_peek(&made, 0, 1, 3 * SL_BLOCK_BYTES, second, sizeof(second));
	for (int kind = 0; kind < 3; kind++) {
		seen = (struct seen){0};
		sl_test_segment_poke(&made, 0, 1, 3 * SL_BLOCK_BYTES, first, sizeof(first));
		if (kind == 0) // swapped
			sl_test_segment_poke(
				&made, 0, 1, 1 * SL_BLOCK_BYTES, second, sizeof(second));
		if (kind == 1) // shifted by one block
			sl_test_segment_poke(&made, 0, 1, 2 * SL_BLOCK_BYTES, first, sizeof(first));
		CU_ASSERT_EQUAL(read_all(), -EBADMSG);
		CU_ASSERT_EQUAL(seen.wrong_count, 0);
		sl_test_segment_poke(&made, 0, 1, 1 * SL_BLOCK_BYTES, first, sizeof(first));
	}
	end_test();
}

static void a_segment_that_is_missing_in_the_middle_is_damage(void)
{
	make_three_segments();
	unlink(sl_test_segment_path(&made, 0, 2));
	CU_ASSERT_EQUAL(read_part(0, 0), -EBADMSG);
	CU_ASSERT_EQUAL(seen.count, 10);
	end_test();
}

static const struct sl_test tests[] = {
	SL_TEST(a_partition_comes_back_in_order_over_segments),
	SL_TEST(a_read_from_an_offset_starts_at_its_segment),
	SL_TEST(a_visitor_stops_the_read_with_its_own_number),
	SL_TEST(a_stream_comes_lane_by_lane_and_whole),
	SL_TEST(the_watermark_ends_a_read_before_what_is_not_stored),
	SL_TEST(a_log_that_ends_below_the_watermark_is_damage),
	SL_TEST(a_torn_tail_ends_the_log_without_an_error),
	SL_TEST(a_hole_with_a_later_valid_batch_ends_the_log),
	SL_TEST(rot_below_a_later_durable_mark_is_damage),
	SL_TEST(every_damage_in_a_sealed_segment_is_found),
	SL_TEST(swapped_duplicated_and_shifted_batches_are_found),
	SL_TEST(a_segment_that_is_missing_in_the_middle_is_damage),
};
SL_SUITE(common_format_store_reader);
