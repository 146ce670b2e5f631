/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/recovery.h"

#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "format/segment_list.h"
#include "format/store_reader.h"
#include "store_maker.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sl_test_store made;
static struct sl_lane_recovery recovery;
static struct sl_err err;

static int recover(void)
{
	sl_lane_recovery_free(&recovery);
	err = (struct sl_err){0};
	return sl_lane_recover(&recovery, made.lanes[0].path, 0, 0, made.salt_crc, &err);
}

static struct sl_partition_state state(uint16_t partition, uint64_t next_offset)
{
	return (struct sl_partition_state){
		.partition = partition, .term = 1, .next_offset = next_offset};
}

static const struct sl_partition_state *find_state(uint16_t partition)
{
	static const struct sl_partition_state none = {.next_offset = UINT64_MAX};

	for (uint32_t i = 0; i < recovery.state_count; i++)
		if (recovery.states[i].partition == partition)
			return &recovery.states[i];
	return &none;
}

static void end_test(void)
{
	sl_lane_recovery_free(&recovery);
	sl_test_store_destroy(&made);
}

static size_t segment_count(void)
{
	struct sl_segment_list list;
	size_t count;

	CU_ASSERT_EQUAL_FATAL(sl_segment_list_read(&list, made.lanes[0].path, &err), 0);
	count = list.count;
	sl_segment_list_free(&list);
	return count;
}

static uint64_t epoch_on_disk(void)
{
	struct sl_lane_meta meta;

	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_read(&meta, made.lanes[0].path, &err), 0);
	return meta.epoch;
}

// Sum of the batch area's first blocks: what a CORRUPT lane must keep.
static uint32_t sum_of(uint64_t segment)
{
	static char bytes[64 * SL_BLOCK_BYTES];

	sl_test_segment_peek(&made, 0, segment, 0, bytes, sizeof(bytes));
	return sl_crc32c(0, bytes, sizeof(bytes));
}

static void write_head(uint64_t next0, uint64_t next1)
{
	const struct sl_partition_state states[] = {state(0, next0), state(1, next1)};

	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
}

// Segment 1: checkpoint, events 0..9 of partition 0, 0..4 of partition 1, 10..19 of partition 0.
// The last batch says that the one before the last is durable.
static void make_segment(void)
{
	sl_test_store_create(&made, 4);
	write_head(0, 0);
	sl_test_events_write(&made, 0, 0, 1, 0, 10);
	sl_test_events_write(&made, 0, 1, 1, 0, 5);
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 10, 10);
}

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

static void expect_corrupt(const char *text)
{
	uint32_t sum = sum_of(1);
	size_t count = segment_count();
	uint64_t epoch = epoch_on_disk();

	CU_ASSERT_EQUAL(recover(), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lane 0 is CORRUPT"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(sum_of(1), sum);
	CU_ASSERT_EQUAL(segment_count(), count);
	CU_ASSERT(epoch_on_disk() >= epoch);
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

static void a_half_born_segment_does_not_count(void)
{
	const struct sl_partition_state half = state(0, 20);

	make_segment();
	sl_test_segment_open(&made, 0);
	// The first of two checkpoint batches landed, the one with the end flag did not.
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_run(&made.batch, SL_RUN_PARTITION_STATE, 0, 0, &half, sizeof(half));
	sl_test_batch_write(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_lose(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 20, 2);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(recovery.chain.position, 4 * SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 20);
	CU_ASSERT_EQUAL(segment_count(), 1);
	end_test();
}

static void a_half_born_segment_whose_first_half_is_durable_is_a_torn_tail(void)
{
	const struct sl_partition_state half = state(0, 20);

	make_segment();
	sl_test_segment_open(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_run(&made.batch, SL_RUN_PARTITION_STATE, 0, 0, &half, sizeof(half));
	sl_test_batch_write(&made, 0);
	made.lanes[0].durable_mark = made.lanes[0].number - 1; // the first half
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_lose(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 20, 2);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 5);
	CU_ASSERT_EQUAL(segment_count(), 1);
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
	CU_ASSERT_EQUAL(recovery.chain.next_number, 1);
	CU_ASSERT_EQUAL(segment_count(), 0);
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
	SL_TEST(a_spare_segment_is_removed_and_the_log_goes_on_before_it),
	SL_TEST(a_half_born_segment_does_not_count),
	SL_TEST(a_half_born_segment_whose_first_half_is_durable_is_a_torn_tail),
	SL_TEST(a_half_born_segment_that_a_mark_vouches_for_is_corrupt),
	SL_TEST(a_late_write_of_an_earlier_epoch_is_not_part_of_the_log),
	SL_TEST(a_first_segment_that_is_half_born_starts_the_lane_anew),
	SL_TEST(a_missing_footer_is_written_and_the_second_segment_goes_on),
	SL_TEST(a_torn_first_segment_makes_the_second_void),
	SL_TEST(a_torn_first_segment_that_the_second_vouches_for_is_corrupt),
	SL_TEST(a_lane_whose_segments_are_all_sealed_opens_a_new_one),
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
SL_SUITE(dataplane_store_recovery);
