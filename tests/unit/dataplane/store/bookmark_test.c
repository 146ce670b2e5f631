/* SPDX-License-Identifier: BSD-3-Clause */
// What a clean stop leaves for the next start, and when that must not believe it.
#include "store/bookmark.h"

#include "format/meta.h"
#include "lane_fixture.h"
#include "store/lane_internal.h"
#include "store/recovery.h"
#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOW SL_FIXTURE_START_NS
#define EVENT_COUNT 3

static struct sl_fixture fixture;
static struct sl_lane_recovery recovery;
static struct sl_err err;
static uint64_t first_offset; // of partition 1

static int recover(void)
{
	sl_lane_recovery_free(&recovery);
	err = (struct sl_err){0};
	return sl_lane_recover(
		&recovery, fixture.path, SL_FIXTURE_LANE, 0, SL_FIXTURE_SALT_CRC, &err);
}

static void write_epoch(uint64_t epoch)
{
	// Both slots.
	for (int i = 0; i < 2; i++) {
		struct sl_lane_meta meta = {0};

		sl_lane_meta_read(&meta, fixture.path, NULL);
		meta.epoch = epoch;
		meta.lane = SL_FIXTURE_LANE;
		CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, fixture.path, &err), 0);
	}
}

static void store_events(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CU_ASSERT(sl_fixture_append(&fixture, 1, "abc", 3, NOW + i));
		sl_lane_seal(&fixture.lane, NOW + i);
		sl_fixture_settle(&fixture, NOW + i);
	}
}

static void end_lane(void)
{
	struct sl_io *io = fixture.lane.io;

	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	fixture.lane.io = io;
}

// As the appliance does when it ends: nobody holds the segment any more.
static void let_go(void)
{
	sl_segment_close(fixture.lane.segment);
	fixture.lane.segment = NULL;
}

static void open_with_events(uint32_t partition_count)
{
	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){
			.durability = SL_DURABILITY_DURABLE, .partition_count = partition_count});
	// As a start publishes them.
	for (uint32_t i = 0; i < fixture.options.partition_count; i++)
		fixture.shm_partitions[i].watermark = fixture.partitions[i].next_offset;
	first_offset = fixture.partitions[1].next_offset;
	write_epoch(SL_FIXTURE_EPOCH);
	store_events(EVENT_COUNT);
}

static void stop_cleanly(uint32_t partition_count)
{
	open_with_events(partition_count);
	end_lane();
	let_go();
}

static void end_test(void)
{
	sl_lane_recovery_free(&recovery);
	sl_fixture_close(&fixture);
}

static int open_segment(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, fixture.path, 1ull);
	return open(path, O_RDWR | O_CLOEXEC);
}

// Changes a byte of the segment's file.
static void flip(uint64_t position)
{
	int fd = open_segment();
	char byte;

	CU_ASSERT_EQUAL(pread(fd, &byte, 1, (off_t)position), 1);
	byte ^= 1;
	CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, (off_t)position), 1);
	close(fd);
}

static uint64_t bookmark_position(void)
{
	return fixture.options.segment_bytes - SL_BLOCK_BYTES;
}

static const struct sl_partition_state *find_state(uint16_t partition)
{
	for (uint32_t i = 0; i < recovery.state_count; i++)
		if (recovery.states[i].partition == partition)
			return &recovery.states[i];
	return NULL;
}

// What a start goes on from, whether it has read the segment or not.
static void expect_end(void)
{
	CU_ASSERT_EQUAL(recovery.epoch, SL_FIXTURE_EPOCH + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(recovery.segment);
	CU_ASSERT_EQUAL(recovery.segment->number, 1);
	CU_ASSERT_EQUAL(recovery.segment->first_number, 1);
	CU_ASSERT_EQUAL(recovery.segment->last_number, EVENT_COUNT + 2);
	CU_ASSERT_EQUAL(recovery.segment->event_count, EVENT_COUNT);
	CU_ASSERT_EQUAL(recovery.segment->end_position, fixture.lane.position);
	CU_ASSERT_EQUAL(recovery.segment->last_body_crc, fixture.lane.prev_body_crc);
	CU_ASSERT_EQUAL(recovery.chain.position, fixture.lane.position);
	CU_ASSERT_EQUAL(recovery.chain.next_number, EVENT_COUNT + 3);
	CU_ASSERT_EQUAL(recovery.chain.durable_mark, EVENT_COUNT + 2);
	CU_ASSERT_EQUAL(recovery.chain.prev_body_crc, fixture.lane.prev_body_crc);
	CU_ASSERT_EQUAL(recovery.chain.time_last_ns, NOW + EVENT_COUNT - 1);
	CU_ASSERT_EQUAL(recovery.state_count, fixture.options.partition_count);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, first_offset + EVENT_COUNT);
	CU_ASSERT_EQUAL(find_state(1)->term, fixture.partitions[1].term);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, fixture.partitions[0].next_offset);
}

static void a_start_behind_a_clean_stop_reads_nothing_and_goes_on_where_it_ended(void)
{
	stop_cleanly(4);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_TRUE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.batch_count, 0);
	expect_end();
	end_test();
}

static void reading_the_segment_finds_the_same(void)
{
	stop_cleanly(4);
	flip(bookmark_position() + 60);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.batch_count, EVENT_COUNT + 2);
	expect_end();
	end_test();
}

static void a_bookmark_counts_for_one_start(void)
{
	stop_cleanly(4);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_TRUE(recovery.is_bookmarked);
	// Killed before it wrote anything.
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.batch_count, EVENT_COUNT + 2);
	CU_ASSERT_EQUAL(recovery.chain.next_number, EVENT_COUNT + 3);
	end_test();
}

static void a_log_that_went_on_is_read_though_its_epoch_is_lost(void)
{
	const struct sl_lane_chain *chain = &recovery.chain;

	stop_cleanly(4);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	fixture.lane.epoch = recovery.epoch;
	CU_ASSERT_EQUAL_FATAL(sl_lane_begin(&fixture.lane, recovery.segment, chain, &err), 0);
	recovery.segment = NULL;
	fixture.lane.io = fixture.io;
	store_events(1);
	let_go();
	// lane.meta is that of the stop again.
	write_epoch(SL_FIXTURE_EPOCH);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.epoch, SL_FIXTURE_EPOCH + 2);
	CU_ASSERT_EQUAL(find_state(1)->next_offset, first_offset + EVENT_COUNT + 1);
	end_test();
}

static void a_log_that_does_not_end_with_the_mark_of_the_stop_is_read(void)
{
	stop_cleanly(4);
	flip(fixture.lane.position - SL_BLOCK_BYTES + 30);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.chain.next_number, EVENT_COUNT + 2);
	end_test();
}

static void every_flipped_byte_of_a_bookmark_makes_it_none(void)
{
	unsigned believed_count = 0;

	stop_cleanly(4);
	// All of its header and of the states, and of the rest of the block here and there.
	for (uint64_t byte = 0; byte < SL_BLOCK_BYTES; byte += byte < 300 ? 1 : 61) {
		flip(bookmark_position() + byte);
		write_epoch(SL_FIXTURE_EPOCH);
		CU_ASSERT_EQUAL(recover(), 0);
		believed_count += recovery.is_bookmarked;
		sl_lane_recovery_free(&recovery);
		flip(bookmark_position() + byte);
	}
	CU_ASSERT_EQUAL(believed_count, 0);
	write_epoch(SL_FIXTURE_EPOCH);
	CU_ASSERT_EQUAL(recover(), 0);
	CU_ASSERT_TRUE(recovery.is_bookmarked);
	end_test();
}

// Spares are removed at a stop; a power failure may bring one back.
static void a_segment_behind_is_looked_at(void)
{
	struct sl_segment *spare;

	stop_cleanly(4);
	spare = sl_segment_create(fixture.path, 2, fixture.options.segment_bytes, &err);
	sl_segment_close(spare);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	expect_end();
	end_test();
}

static void partitions_that_are_too_many_are_read(void)
{
	stop_cleanly(SL_BOOKMARK_STATE_COUNT_MAX);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_TRUE(recovery.is_bookmarked);
	expect_end();
	end_test();
	stop_cleanly(SL_BOOKMARK_STATE_COUNT_MAX + 1);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	expect_end();
	end_test();
}

// As a second signal leaves them: a partition has given out offsets that no lane holds.
static void offsets_that_were_given_up_are_not_stated(void)
{
	open_with_events(4);
	fixture.partitions[1].next_offset += 5;
	end_lane();
	let_go();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	expect_end();
	end_test();
}

static void a_segment_behind_a_sealed_one_must_follow_it(void)
{
	open_with_events(4);
	sl_fixture_give_spare(&fixture);
	sl_lane_roll_early(&fixture.lane, NOW + EVENT_COUNT);
	sl_fixture_settle(&fixture, NOW + EVENT_COUNT);
	sl_lane_tick(&fixture.lane, NOW + EVENT_COUNT);
	sl_fixture_seal_closing(&fixture);
	end_lane();
	let_go();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_TRUE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.segment->number, 2);
	sl_lane_recovery_free(&recovery);
	// The footer of the first is gone: both are read.
	write_epoch(SL_FIXTURE_EPOCH);
	flip(bookmark_position() + 60);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_FALSE(recovery.is_bookmarked);
	CU_ASSERT_EQUAL(recovery.event_count, EVENT_COUNT);
	end_test();
}

static const struct sl_test tests[] = {
	SL_TEST(a_start_behind_a_clean_stop_reads_nothing_and_goes_on_where_it_ended),
	SL_TEST(reading_the_segment_finds_the_same),
	SL_TEST(a_bookmark_counts_for_one_start),
	SL_TEST(a_log_that_went_on_is_read_though_its_epoch_is_lost),
	SL_TEST(a_log_that_does_not_end_with_the_mark_of_the_stop_is_read),
	SL_TEST(every_flipped_byte_of_a_bookmark_makes_it_none),
	SL_TEST(a_segment_behind_is_looked_at),
	SL_TEST(partitions_that_are_too_many_are_read),
	SL_TEST(offsets_that_were_given_up_are_not_stated),
	SL_TEST(a_segment_behind_a_sealed_one_must_follow_it),
};
SL_SUITE(dataplane_store_bookmark);
