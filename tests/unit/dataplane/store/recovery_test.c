/* SPDX-License-Identifier: BSD-3-Clause */
#include "recovery_fixture.h"

static void a_new_lane_starts_with_epoch_one_and_nothing(void)
{
	char path[256];

	sl_test_store_create(&made, 4);
	snprintf(path, sizeof(path), "%s/" SL_LANE_META_NAME, made.lanes[0].path);
	CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.epoch, 1);
	CU_ASSERT_EQUAL(epoch_on_disk(), 1);
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.next_segment, 1);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 1);
	CU_ASSERT_EQUAL(recovery.chain.durable_mark, 0);
	CU_ASSERT_EQUAL(recovery.chain.prev_body_crc, 0);
	CU_ASSERT_EQUAL(recovery.state_count, 0);
	end_test();
}

static void a_whole_log_goes_on_behind_its_last_batch(void)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_start = (off_t)SL_SEGMENT_LOCK_WRITER, .l_len = 1};

	make_segment();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.epoch, 2);
	CU_ASSERT_EQUAL(epoch_on_disk(), 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.segment->first_number, 1);
	CU_ASSERT_EQUAL(recovery.segment->last_number, 4);
	CU_ASSERT_EQUAL(recovery.segment->event_count, 25);
	CU_ASSERT_EQUAL(recovery.segment->end_position, made.lanes[0].position);
	CU_ASSERT_EQUAL(recovery.segment->last_body_crc, made.lanes[0].prev_body_crc);
	CU_ASSERT_EQUAL(recovery.next_segment, 2);
	CU_ASSERT_EQUAL(recovery.chain.position, made.lanes[0].position);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(recovery.chain.durable_mark, 4);
	CU_ASSERT_EQUAL(recovery.chain.prev_body_crc, made.lanes[0].prev_body_crc);
	CU_ASSERT_EQUAL(recovery.chain.time_last_ns, made.batch.header.time_last_ns);
	CU_ASSERT_EQUAL(recovery.event_count, 25);
	CU_ASSERT_EQUAL(recovery.batch_count, 4);
	CU_ASSERT_EQUAL(recovery.torn_bytes, 0);
	CU_ASSERT_EQUAL(recovery.state_count, 2);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, 5);
	// The writer's lock is held by the segment that was handed over.
	CU_ASSERT_EQUAL(fcntl(made.lanes[0].fd, F_OFD_GETLK, &lock), 0);
	CU_ASSERT_EQUAL(lock.l_type, F_WRLCK);
	end_test();
}

static void a_torn_tail_ends_the_log_before_it(void)
{
	uint64_t position;

	make_segment();
	position = made.lanes[0].position - SL_BLOCK_BYTES;
	sl_test_segment_flip(&made, 0, 1, position + 200);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.position, position);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 4);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 10);
	CU_ASSERT_EQUAL(recovery.torn_bytes, SL_BLOCK_BYTES);
	end_test();
}

static void a_hole_with_a_later_valid_batch_is_a_torn_tail(void)
{
	uint64_t position;

	make_segment();
	position = made.lanes[0].position;
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_event(&made.batch, 0, 1, 20, "lost", 4);
	sl_test_batch_lose(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 21, 3);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.position, position);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	CU_ASSERT_EQUAL(recovery.torn_bytes, SL_BLOCK_BYTES);
	end_test();
}

static void rot_below_the_mark_is_corrupt_and_never_truncated(void)
{
	make_segment();
	sl_test_segment_flip(&made, 0, 1, 2 * SL_BLOCK_BYTES + 150);
	expect_corrupt("0000000000000001.seg");
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "batch 3"));
	end_test();
}

static void every_flipped_byte_of_a_header_below_the_mark_is_corrupt(void)
{
	unsigned undetected_count = 0;

	make_segment();
	for (unsigned byte = 0; byte < SL_BATCH_RUNS_OFFSET; byte++) {
		sl_test_segment_flip(&made, 0, 1, SL_BLOCK_BYTES + byte);
		undetected_count += recover() != -EUCLEAN;
		sl_test_segment_flip(&made, 0, 1, SL_BLOCK_BYTES + byte);
	}
	CU_ASSERT_EQUAL(undetected_count, 0);
	CU_ASSERT_EQUAL(recover(), 0);
	end_test();
}

static void swapped_duplicated_and_shifted_batches_below_the_mark_are_corrupt(void)
{
	char first[SL_BLOCK_BYTES], second[SL_BLOCK_BYTES];

	make_segment();
	sl_test_segment_peek(&made, 0, 1, 1 * SL_BLOCK_BYTES, first, sizeof(first));
	sl_test_segment_peek(&made, 0, 1, 2 * SL_BLOCK_BYTES, second, sizeof(second));
	sl_test_segment_poke(&made, 0, 1, 2 * SL_BLOCK_BYTES, first, sizeof(first));
	expect_corrupt("batch of another place"); // duplicated, or shifted by one
	sl_test_segment_poke(&made, 0, 1, 1 * SL_BLOCK_BYTES, second, sizeof(second));
	expect_corrupt("batch of another place"); // swapped
	end_test();
}

static void a_stale_block_of_an_earlier_life_is_not_part_of_the_log(void)
{
	uint64_t position;

	make_segment();
	position = made.lanes[0].position;
	// What segment 9 of the same lane left at this very place, with the number that is due.
	made.lanes[0].segment = 9;
	sl_test_events_write(&made, 0, 0, 1, 20, 5);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.position, position);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	end_test();
}

static void a_batch_of_the_right_number_but_another_past_is_not_part_of_the_log(void)
{
	make_segment();
	made.lanes[0].prev_body_crc ^= 1;
	sl_test_events_write(&made, 0, 0, 1, 20, 5);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	end_test();
}

// The image that an attacker can make: everything right but the salt, and the largest mark.
static void make_image(char *block, uint64_t position)
{
	static struct sl_test_batch image;

	sl_test_batch_init(&image, SL_BATCH_EVENTS);
	image.header.segment = 1;
	image.header.position = position;
	image.header.epoch = 1;
	image.header.number = 1000;
	image.header.durable_mark = 999;
	sl_test_batch_event(&image, 0, 1, 20, "forged", 6);
	sl_test_batch_seal(&image, 0);
	memcpy(block, image.bytes, SL_BLOCK_BYTES);
}

static void a_payload_that_is_a_perfect_batch_image_is_never_parsed(void)
{
	// Fills the value up so that the image in it begins on a block of the file.
	static char value[3 * SL_BLOCK_BYTES];
	const size_t data_offset = SL_BATCH_RUNS_OFFSET + sizeof(struct sl_run_header);
	uint64_t position;

	make_segment();
	position = made.lanes[0].position;
	make_image(value + SL_BLOCK_BYTES - data_offset, position + SL_BLOCK_BYTES);
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_event(&made.batch, 0, 1, 20, value, sizeof(value));
	CU_ASSERT_EQUAL(sl_test_batch_write(&made, 0), position);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 6);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 21);
	// The batch around it is torn: looking ahead goes over the image.
	sl_test_segment_flip(&made, 0, 1, position + 10);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	end_test();
}

static void crashes_again_and_again_raise_the_epoch_and_bring_nothing_back(void)
{
	uint64_t epoch = 1, next_offset = 20;

	make_segment();
	for (int crash = 0; crash < 6; crash++) {
		struct sl_partition_state states[2];
		struct sl_test_lane *lane = &made.lanes[0];

		// Two batches under way at the crash: the first is lost, the second lands.
		sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
		sl_test_batch_event(&made.batch, 0, 1, next_offset, "lost", 4);
		sl_test_batch_lose(&made, 0);
		sl_test_events_write(&made, 0, 0, 1, next_offset + 1, 2);
		CU_ASSERT_EQUAL_FATAL(recover(), 0);
		CU_ASSERT(recovery.epoch > epoch);
		CU_ASSERT_EQUAL(find_state(0)->next_offset, next_offset);
		epoch = recovery.epoch;
		lane->epoch = epoch;
		lane->number = recovery.chain.next_number;
		lane->position = recovery.chain.position;
		lane->prev_body_crc = recovery.chain.prev_body_crc;
		lane->durable_mark = recovery.chain.durable_mark;
		states[0] = state(0, next_offset);
		states[1] = state(1, 5);
		sl_test_states_write(&made, 0, SL_BATCH_EPOCH_START, states, 2);
		if (crash % 2 == 0)
			sl_test_events_write(&made, 0, 0, 1, next_offset++, 1);
	}
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 23);
	CU_ASSERT_EQUAL(epoch_on_disk(), recovery.epoch);
	end_test();
}

static void a_recovery_that_was_killed_gives_the_same_again(void)
{
	struct sl_lane_chain chain;

	make_segment();
	sl_test_segment_flip(&made, 0, 1, made.lanes[0].position - SL_BLOCK_BYTES + 200);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	chain = recovery.chain;
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.epoch, 3);
	CU_ASSERT_EQUAL(recovery.chain.position, chain.position);
	CU_ASSERT_EQUAL(recovery.chain.next_number, chain.next_number);
	CU_ASSERT_EQUAL(recovery.chain.prev_body_crc, chain.prev_body_crc);
	end_test();
}

static const struct sl_test tests[] = {
	SL_TEST(a_new_lane_starts_with_epoch_one_and_nothing),
	SL_TEST(a_whole_log_goes_on_behind_its_last_batch),
	SL_TEST(a_torn_tail_ends_the_log_before_it),
	SL_TEST(a_hole_with_a_later_valid_batch_is_a_torn_tail),
	SL_TEST(rot_below_the_mark_is_corrupt_and_never_truncated),
	SL_TEST(every_flipped_byte_of_a_header_below_the_mark_is_corrupt),
	SL_TEST(swapped_duplicated_and_shifted_batches_below_the_mark_are_corrupt),
	SL_TEST(a_stale_block_of_an_earlier_life_is_not_part_of_the_log),
	SL_TEST(a_batch_of_the_right_number_but_another_past_is_not_part_of_the_log),
	SL_TEST(a_payload_that_is_a_perfect_batch_image_is_never_parsed),
	SL_TEST(crashes_again_and_again_raise_the_epoch_and_bring_nothing_back),
	SL_TEST(a_recovery_that_was_killed_gives_the_same_again),
};
SL_SUITE(dataplane_store_recovery);
