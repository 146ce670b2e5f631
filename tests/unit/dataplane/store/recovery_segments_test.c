/* SPDX-License-Identifier: BSD-3-Clause */
#include "recovery_fixture.h"

static void a_spare_segment_is_removed_and_the_log_goes_on_before_it(void)
{
	make_segment();
	sl_test_segment_open(&made, 0);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(recovery.next_segment, 3);
	CU_ASSERT_EQUAL(segment_count(), 1);
	end_test();
}

// Of the next segment's two checkpoint batches the first landed, the one with the end flag did not.
static void recover_half_born(bool is_first_durable)
{
	const struct sl_partition_state half = state(0, 20);

	make_segment();
	sl_test_segment_open(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_run(&made.batch, SL_RUN_PARTITION_STATE, 0, 0, &half, sizeof(half));
	sl_test_batch_write(&made, 0);
	if (is_first_durable)
		made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_lose(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 20, 2);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(segment_count(), 1);
}

static void a_half_born_segment_does_not_count(void)
{
	recover_half_born(false);
	CU_ASSERT_EQUAL(recovery.chain.position, 4 * SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	end_test();
}

static void a_half_born_segment_whose_first_half_is_durable_is_a_torn_tail(void)
{
	recover_half_born(true);
	end_test();
}

static void a_late_write_of_an_earlier_epoch_is_not_part_of_the_log(void)
{
	make_segment();
	made.lanes[0].epoch = 3;
	sl_test_events_write(&made, 0, 0, 1, 20, 1);
	made.lanes[0].epoch = 2; // number and chain fit, the epoch falls
	sl_test_events_write(&made, 0, 0, 1, 21, 1);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 6);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 21);
	end_test();
}

static void a_half_born_segment_that_a_mark_vouches_for_is_corrupt(void)
{
	make_segment();
	sl_test_segment_open(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_lose(&made, 0);
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 20, 2);
	expect_corrupt("0000000000000001.seg");
	end_test();
}

static void a_first_segment_that_is_half_born_starts_the_lane_anew(void)
{
	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.next_segment, 2);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 2ull << 32);
	CU_ASSERT_EQUAL(segment_count(), 0);
	end_test();
}

// Of its checkpoint's blocks the first has landed.
static void a_first_checkpoint_that_is_torn_starts_the_lane_anew(void)
{
	static struct sl_partition_state states[200];

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	for (uint16_t i = 0; i < SL_ARRAY_COUNT(states); i++)
		states[i] = state(i, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, SL_ARRAY_COUNT(states));
	sl_test_segment_flip(&made, 0, 1, SL_BLOCK_BYTES + 200);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(segment_count(), 0);
	end_test();
}

static void a_lane_that_lost_all_by_expiry_uses_no_number_twice(void)
{
	make_segment();
	unlink(sl_test_segment_path(&made, 0, 1));
	for (uint64_t epoch = 2; epoch <= 3; epoch++) {
		CU_ASSERT_EQUAL_FATAL(recover(), 0);
		CU_ASSERT_PTR_NULL(recovery.segment);
		CU_ASSERT_EQUAL(recovery.epoch, epoch);
		CU_ASSERT_EQUAL(recovery.next_segment, epoch << 32);
		CU_ASSERT_EQUAL(recovery.chain.next_number, epoch << 32);
	}
	end_test();
}

// Two unsealed segments: the footer of the first was under way.
static void make_two_unsealed(void)
{
	make_segment();
	made.lanes[0].durable_mark = 3;
	write_head(20, 5);
	sl_test_events_write(&made, 0, 1, 1, 5, 5);
}

static void a_missing_footer_is_written_and_the_second_segment_goes_on(void)
{
	struct sl_segment_entry *entries;
	uint32_t count;

	make_two_unsealed();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 2);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 7);
	CU_ASSERT_EQUAL(recovery.segment->first_number, 5);
	CU_ASSERT_EQUAL(recovery.segment->event_count, 5);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, 10);
	CU_ASSERT_EQUAL_FATAL(sl_segment_list(made.lanes[0].path, 0, made.salt_crc, false, &entries,
				      &count, &err),
		0);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT(entries[0].sealed);
	CU_ASSERT_EQUAL(entries[0].event_count, 25);
	CU_ASSERT_FALSE(entries[1].sealed);
	free(entries);
	// The footer is held against the chain from now on, and it fits.
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 2);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 7);
	CU_ASSERT_EQUAL(recovery.batch_count, 2); // the sealed one is not read
	end_test();
}

static void a_torn_first_segment_makes_the_second_void(void)
{
	make_two_unsealed();
	sl_test_segment_flip(&made, 0, 1, 3 * SL_BLOCK_BYTES + 200);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 4);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 10);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, 5);
	CU_ASSERT_EQUAL(segment_count(), 1);
	CU_ASSERT_EQUAL(recovery.next_segment, 3);
	end_test();
}

static void a_torn_first_segment_that_the_second_vouches_for_is_corrupt(void)
{
	make_two_unsealed();
	made.lanes[0].durable_mark = 4;
	sl_test_events_write(&made, 0, 1, 1, 10, 5);
	sl_test_segment_flip(&made, 0, 1, 3 * SL_BLOCK_BYTES + 200);
	expect_corrupt("segment 2 says");
	end_test();
}

static void a_lane_whose_segments_are_all_sealed_opens_a_new_one(void)
{
	make_segment();
	sl_test_segment_seal(&made, 0);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.next_segment, 2);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(recovery.chain.position, 0);
	CU_ASSERT_EQUAL(recovery.chain.prev_body_crc, made.lanes[0].prev_body_crc);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, 5);
	// The same with a spare behind it.
	sl_test_segment_open(&made, 0);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.next_segment, 3);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	end_test();
}

static void write_sealed_half(void)
{
	const struct sl_partition_state half = state(0, 20);

	sl_test_segment_open(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_run(&made.batch, SL_RUN_PARTITION_STATE, 0, 0, &half, sizeof(half));
	sl_test_batch_write(&made, 0);
	sl_test_segment_seal(&made, 0);
}

// Of partition 1 it does not say where it goes on: the lane must not begin anew.
static void a_lane_that_ends_with_half_a_checkpoint_sealed_is_corrupt(void)
{
	make_segment();
	sl_test_segment_seal(&made, 0);
	write_sealed_half();
	expect_corrupt("segment 2 is sealed with half a checkpoint");
	sl_test_segment_open(&made, 0); // a spare
	expect_corrupt("segment 2 is sealed with half a checkpoint");
	end_test();
}

static void half_a_checkpoint_sealed_in_front_of_a_whole_one_does_no_harm(void)
{
	make_segment();
	sl_test_segment_seal(&made, 0);
	write_sealed_half();
	write_head(20, 5);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 3);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 7);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, 5);
	end_test();
}

static void a_second_segment_that_does_not_continue_a_sealed_one_is_corrupt(void)
{
	make_segment();
	sl_test_segment_seal(&made, 0);
	made.lanes[0].number += 3;
	write_head(20, 5);
	expect_corrupt("does not continue the sealed segment");
	end_test();
}

static void a_segment_without_room_for_an_epoch_start_is_sealed(void)
{
	struct sl_segment_entry *entries;
	uint64_t offset = 20;
	uint32_t count;

	make_segment();
	while (made.lanes[0].position < SL_TEST_SEGMENT_BYTES - 64 * SL_BLOCK_BYTES) {
		static char value[15 * SL_BLOCK_BYTES];

		sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
		sl_test_batch_event(&made.batch, 0, 1, offset++, value, sizeof(value));
		sl_test_batch_write(&made, 0);
	}
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.next_segment, 2);
	CU_ASSERT_EQUAL(recovery.chain.next_number, made.lanes[0].number);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, offset);
	CU_ASSERT_EQUAL_FATAL(sl_segment_list(made.lanes[0].path, 0, made.salt_crc, false, &entries,
				      &count, &err),
		0);
	CU_ASSERT(entries[0].sealed);
	free(entries);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, offset);
	end_test();
}

static void an_epoch_that_the_log_knows_is_never_given_again(void)
{
	make_segment();
	made.lanes[0].epoch = 7; // lane.meta lost its newer slot: it says 1
	sl_test_events_write(&made, 0, 0, 1, 20, 1);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.epoch, 8);
	CU_ASSERT_EQUAL(epoch_on_disk(), 8);
	end_test();
}

static void a_lane_without_its_meta_is_corrupt(void)
{
	char path[256];

	make_segment();
	snprintf(path, sizeof(path), "%s/" SL_LANE_META_NAME, made.lanes[0].path);
	CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
	CU_ASSERT_EQUAL(recover(), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, SL_LANE_META_NAME));
	CU_ASSERT_EQUAL(segment_count(), 1);
	end_test();
}

static void a_lane_meta_of_another_lane_is_refused(void)
{
	struct sl_lane_meta meta = {.epoch = 5, .lane = 3};

	make_segment();
	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, made.lanes[0].path, &err), 0);
	CU_ASSERT_EQUAL(recover(), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lane 3"));
	end_test();
}

static void a_store_meta_of_another_store_destroys_nothing(void)
{
	make_segment();
	made.salt_crc ^= 1;
	expect_corrupt("another store");
	end_test();
}

static void a_segment_that_opens_without_a_checkpoint_is_corrupt(void)
{
	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 0, 3);
	expect_corrupt("checkpoint must be");
	end_test();
}

static void offsets_that_do_not_follow_are_corrupt(void)
{
	make_segment();
	sl_test_events_write(&made, 0, 0, 1, 21, 3);
	expect_corrupt("partition 0 at term 1, offset 21");
	end_test();
}

static void a_batch_of_a_newer_version_is_refused(void)
{
	uint64_t position;

	make_segment();
	position = sl_test_events_write(&made, 0, 0, 1, 20, 3);
	made.batch.header.version = SL_FORMAT_VERSION + 1;
	sl_batch_header_seal(&made.batch.header, made.salt_crc);
	sl_test_segment_poke(&made, 0, 1, position, made.batch.bytes, SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(recover(), -EPROTO);
	CU_ASSERT_EQUAL(segment_count(), 1);
	end_test();
}

static void a_truncated_segment_file_is_corrupt(void)
{
	make_segment();
	CU_ASSERT_EQUAL_FATAL(truncate(sl_test_segment_path(&made, 0, 1), 5000), 0);
	CU_ASSERT_EQUAL(recover(), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "5000"));
	end_test();
}

static void a_term_that_starts_in_the_lane_is_found(void)
{
	make_segment();
	sl_test_events_write(&made, 0, 2, 4, 77, 3);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(find_state(2)->term, 4);
	CU_ASSERT_EQUAL(find_state(2)->term_start, 77);
	CU_ASSERT_EQUAL(find_state(2)->next_offset, 80);
	end_test();
}

static const struct sl_test tests[] = {
	SL_TEST(a_spare_segment_is_removed_and_the_log_goes_on_before_it),
	SL_TEST(a_first_checkpoint_that_is_torn_starts_the_lane_anew),
	SL_TEST(a_lane_that_lost_all_by_expiry_uses_no_number_twice),
	SL_TEST(a_half_born_segment_does_not_count),
	SL_TEST(a_half_born_segment_whose_first_half_is_durable_is_a_torn_tail),
	SL_TEST(a_half_born_segment_that_a_mark_vouches_for_is_corrupt),
	SL_TEST(a_late_write_of_an_earlier_epoch_is_not_part_of_the_log),
	SL_TEST(a_first_segment_that_is_half_born_starts_the_lane_anew),
	SL_TEST(a_missing_footer_is_written_and_the_second_segment_goes_on),
	SL_TEST(a_torn_first_segment_makes_the_second_void),
	SL_TEST(a_torn_first_segment_that_the_second_vouches_for_is_corrupt),
	SL_TEST(a_lane_whose_segments_are_all_sealed_opens_a_new_one),
	SL_TEST(a_lane_that_ends_with_half_a_checkpoint_sealed_is_corrupt),
	SL_TEST(half_a_checkpoint_sealed_in_front_of_a_whole_one_does_no_harm),
	SL_TEST(a_second_segment_that_does_not_continue_a_sealed_one_is_corrupt),
	SL_TEST(a_segment_without_room_for_an_epoch_start_is_sealed),
	SL_TEST(an_epoch_that_the_log_knows_is_never_given_again),
	SL_TEST(a_lane_without_its_meta_is_corrupt),
	SL_TEST(a_lane_meta_of_another_lane_is_refused),
	SL_TEST(a_store_meta_of_another_store_destroys_nothing),
	SL_TEST(a_segment_that_opens_without_a_checkpoint_is_corrupt),
	SL_TEST(offsets_that_do_not_follow_are_corrupt),
	SL_TEST(a_batch_of_a_newer_version_is_refused),
	SL_TEST(a_truncated_segment_file_is_corrupt),
	SL_TEST(a_term_that_starts_in_the_lane_is_found),
};
SL_SUITE(dataplane_store_recovery_segments);
