/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"
#include "store/uring.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NOW SL_FIXTURE_START_NS

static char data[3 * SL_BLOCK_BYTES];

// Seals count batches of one event each; partition 1 counts them.
static void seal_batches(struct sl_fixture *fixture, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		memset(data, (int)('a' + i), sizeof(data));
		CU_ASSERT_FATAL(sl_fixture_append(fixture, 1, data, sizeof(data), NOW));
		sl_lane_seal(&fixture->lane, NOW);
	}
}

// What is on the disk: count batches behind the checkpoint, each of one event of the right letter.
static void expect_batches(const struct sl_fixture *fixture, uint32_t count)
{
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;

	sl_fixture_walk_init(&walk, fixture);
	CU_ASSERT_PTR_NOT_NULL(sl_fixture_walk_next(&walk));
	for (uint32_t i = 0; i < count; i++) {
		struct sl_run_iterator runs;
		struct sl_run run;

		header = sl_fixture_walk_next(&walk);
		CU_ASSERT_PTR_NOT_NULL_FATAL(header);
		memset(data, (int)('a' + i), sizeof(data));
		sl_run_iterator_init(&runs, header);
		CU_ASSERT_FATAL(sl_run_next(&runs, &run, NULL));
		CU_ASSERT_EQUAL(run.bytes, sizeof(data));
		CU_ASSERT_EQUAL(memcmp(run.data, data, sizeof(data)), 0);
		sl_run_iterator_fini(&runs);
	}
	CU_ASSERT_PTR_NULL(sl_fixture_walk_next(&walk));
	sl_fixture_walk_fini(&walk);
}

// Hands completions over one at a time, last first, and looks at every watermark in between.
static void watermarks_move_in_order_when_completions_come_in_reverse(void)
{
	struct sl_fixture fixture;
	struct sl_io_request *done[4] = {NULL};
	uint32_t count = 0;

	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_DURABLE});
	seal_batches(&fixture, 4);
	CU_ASSERT(fixture.io->ops->submit(fixture.io) >= 0);
	while (count < 4)
		count += fixture.io->ops->reap(fixture.io, done + count, 4 - count);
	for (uint64_t number = 5; number > 1; number--) {
		CU_ASSERT_EQUAL(fixture.lane.watermark_number, 1);
		CU_ASSERT_EQUAL(fixture.lane.durable_mark, 1);
		CU_ASSERT_EQUAL(fixture.shm.watermark_number, 1);
		CU_ASSERT_EQUAL(fixture.shm_partitions[1].watermark, 0);
		CU_ASSERT_EQUAL(fixture.counters.stored, 0);
		for (uint32_t i = 0; i < 4; i++) {
			if (fixture.lane.batches[done[i]->user].number == number)
				sl_lane_complete(&fixture.lane, done[i], NOW);
		}
	}
	CU_ASSERT_EQUAL(fixture.lane.watermark_number, 5);
	CU_ASSERT_EQUAL(fixture.lane.durable_mark, 5);
	CU_ASSERT_EQUAL(fixture.shm.watermark_number, 5);
	CU_ASSERT_EQUAL(fixture.shm.durable_mark, 5);
	CU_ASSERT_EQUAL(fixture.shm_partitions[1].watermark, 104);
	CU_ASSERT_EQUAL(fixture.counters.stored, 4);
	CU_ASSERT_EQUAL(fixture.lane.unretired, 0);
	expect_batches(&fixture, 4);
	sl_fixture_close(&fixture);
}

static void a_burst_of_reversed_completions_retires_every_batch(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.in_flight_max = 32,
			.fault = {.reverse = true},
			.batch_bytes = 128 * 1024});
	seal_batches(&fixture, 20);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.counters.stored, 20);
	CU_ASSERT_EQUAL(fixture.lane.free_count, fixture.lane.batch_count);
	expect_batches(&fixture, 20);
	sl_fixture_close(&fixture);
}

static void a_short_completion_writes_the_remainder(void)
{
	struct sl_fixture fixture;

	for (uint32_t number = 1; number <= 3; number++) {
		sl_fixture_open(&fixture,
			&(struct sl_fixture_options){.durability = SL_DURABILITY_DURABLE,
				.fault = {.short_number = number}});
		seal_batches(&fixture, 3);
		sl_fixture_settle(&fixture, NOW);
		CU_ASSERT_EQUAL(fixture.counters.writes_short, 1);
		CU_ASSERT_EQUAL(fixture.counters.stored, 3);
		CU_ASSERT_FALSE(fixture.lane.failed);
		expect_batches(&fixture, 3);
		sl_fixture_close(&fixture);
	}
}

static void eagain_is_sent_again(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.retry_limit = 1, .fault = {.eagain_number = 2}});
	seal_batches(&fixture, 3);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.counters.writes_retried, 1);
	CU_ASSERT_EQUAL(fixture.counters.stored, 3);
	CU_ASSERT_EQUAL(fixture.lane.retry_ns, 0);
	expect_batches(&fixture, 3);
	sl_fixture_close(&fixture);
}

static void enospc_is_sent_again_a_little_later(void)
{
	struct sl_fixture fixture;
	struct sl_batch *batch;
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	uint64_t appended_count = 1;
	int healthy;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true});
	CU_ASSERT_FATAL(sl_fixture_append(&fixture, 1, "a", 1, NOW));
	batch = fixture.lane.open_batch;
	// The write of this batch meets a full device first.
	healthy = dup(fixture.lane.segment->fd);
	dup2(full, fixture.lane.segment->fd);
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_turn(&fixture, NOW);
	CU_ASSERT_EQUAL(batch->state, SL_BATCH_RETRY);
	CU_ASSERT_EQUAL(fixture.counters.writes_retried, 1);
	CU_ASSERT_FALSE(fixture.lane.failed);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_DISK_FULL);
	// What finds no free batch meanwhile is refused for want of room, not of speed.
	while (sl_fixture_append(&fixture, 1, data, sizeof(data), NOW))
		appended_count++;
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DISK_FULL], 1);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], 0);
	dup2(healthy, fixture.lane.segment->fd);
	sl_fixture_turn(&fixture, NOW + SL_FIXTURE_BACKOFF_NS_MIN - 1);
	CU_ASSERT_EQUAL(batch->state, SL_BATCH_RETRY);
	sl_fixture_turn(&fixture, NOW + SL_FIXTURE_BACKOFF_NS_MIN);
	sl_fixture_settle(&fixture, NOW + SL_FIXTURE_BACKOFF_NS_MIN);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_ACTIVE);
	CU_ASSERT_FALSE(fixture.lane.is_disk_full);
	CU_ASSERT(fixture.counters.stored > 1);
	close(healthy);
	close(full);
	sl_fixture_close(&fixture);
}

static void waiting_for_room_uses_up_no_other_retries(void)
{
	static const int results[] = {-ENOSPC, -ENOSPC, -EDQUOT, -EAGAIN};
	struct sl_fixture fixture;
	uint64_t now_ns = NOW;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true, .retry_limit = 1});
	seal_batches(&fixture, 1);
	for (size_t i = 0; i < SL_ARRAY_COUNT(results); i++) {
		struct sl_io_request *done;

		CU_ASSERT_EQUAL_FATAL(fixture.io->ops->reap(fixture.io, &done, 1), 1);
		done->result = results[i];
		sl_lane_complete(&fixture.lane, done, now_ns);
		CU_ASSERT_FALSE(fixture.lane.is_halted);
		now_ns += SL_NS_PER_S;
		sl_lane_tick(&fixture.lane, now_ns);
	}
	sl_fixture_settle(&fixture, now_ns);
	CU_ASSERT_EQUAL(fixture.counters.stored, 1);
	CU_ASSERT_EQUAL(fixture.counters.writes_retried, 4);
	sl_fixture_close(&fixture);
}

static void a_full_queue_leaves_the_batch_for_the_next_turn(void)
{
	struct sl_fixture fixture;
	struct iovec region;
	struct sl_err err = {0};

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.in_flight_max = 32});
	fixture.io->ops->destroy(fixture.io);
	region = (struct iovec){
		.iov_base = fixture.memory,
		.iov_len = sl_lane_memory_bytes(&(struct sl_lane_size){
			.in_flight_max = 32, .owned_count = 4, .batch_bytes = 64 * 1024}),
	};
	fixture.io = sl_uring_create(4, &region, 1, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.io);
	fixture.lane.io = fixture.io;
	seal_batches(&fixture, 20);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.counters.stored, 20);
	expect_batches(&fixture, 20);
	sl_fixture_close(&fixture);
}

static void a_completion_of_nothing_or_of_half_a_block_is_a_failed_write(void)
{
	static const int32_t results[] = {0, 100, SL_BLOCK_BYTES + 512};
	struct sl_fixture fixture;

	for (size_t i = 0; i < SL_ARRAY_COUNT(results); i++) {
		struct sl_io_request *done;

		sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true});
		seal_batches(&fixture, 1);
		CU_ASSERT_EQUAL_FATAL(fixture.io->ops->reap(fixture.io, &done, 1), 1);
		done->result = results[i];
		sl_lane_complete(&fixture.lane, done, NOW);
		CU_ASSERT(fixture.lane.is_halted);
		CU_ASSERT_EQUAL(fixture.shm.writes_failed, 1);
		CU_ASSERT_EQUAL(fixture.shm.write_error, -EIO);
		CU_ASSERT_EQUAL(fixture.counters.stored, 0);
		sl_fixture_close(&fixture);
	}
}

static void lanes_that_are_not_durable_move_the_mark_when_the_keeper_has_flushed(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_WRITTEN});
	seal_batches(&fixture, 3);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.lane.watermark_number, 4);
	CU_ASSERT_EQUAL(fixture.lane.durable_mark, 0);
	SL_STORE_RELEASE(fixture.lane.synced_number, 2);
	sl_lane_tick(&fixture.lane, NOW);
	CU_ASSERT_EQUAL(fixture.lane.durable_mark, 2);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(watermarks_move_in_order_when_completions_come_in_reverse),
	SL_TEST(a_burst_of_reversed_completions_retires_every_batch),
	SL_TEST(a_short_completion_writes_the_remainder),
	SL_TEST(eagain_is_sent_again),
	SL_TEST(enospc_is_sent_again_a_little_later),
	SL_TEST(waiting_for_room_uses_up_no_other_retries),
	SL_TEST(a_full_queue_leaves_the_batch_for_the_next_turn),
	SL_TEST(a_completion_of_nothing_or_of_half_a_block_is_a_failed_write),
	SL_TEST(lanes_that_are_not_durable_move_the_mark_when_the_keeper_has_flushed),
};
SL_SUITE(dataplane_store_lane_complete);
