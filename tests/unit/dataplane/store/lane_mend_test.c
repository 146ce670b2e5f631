/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"

#include "format/lane_reader.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NOW SL_FIXTURE_START_NS

// Full batches are larger than a short write's first block.
static char data[3 * SL_BLOCK_BYTES];

// Each event says which it is: partition and offset.
static bool append(struct sl_fixture *fixture, uint16_t partition, uint64_t now_ns)
{
	const uint64_t stamp[2] = {partition, fixture->partitions[partition].next_offset};

	memcpy(data, stamp, sizeof(stamp));
	return sl_fixture_append(fixture, partition, data, sizeof(data), now_ns);
}

static void seal_batches(struct sl_fixture *fixture, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CU_ASSERT_FATAL(append(fixture, (uint16_t)(i % 3), NOW + i));
		CU_ASSERT_FATAL(append(fixture, 3, NOW + i));
		sl_lane_seal(&fixture->lane, NOW + i);
	}
}

static uint64_t count_runs(const struct sl_batch_header *batch, uint64_t *next_offsets)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	struct sl_run_iterator runs;
	uint64_t event_count = 0;
	struct sl_run run;

	CU_ASSERT_EQUAL(sl_batch_check_runs(batch), SL_BATCH_OK);
	for (uint32_t i = 0; i < batch->table_count; i++)
		CU_ASSERT_EQUAL(table[i].first_offset, next_offsets[table[i].partition]);
	sl_run_iterator_init(&runs, batch);
	while (sl_run_next(&runs, &run, NULL)) {
		uint64_t stamp[2];

		if (run.type == SL_RUN_EVENT) {
			memcpy(stamp, run.data, sizeof(stamp));
			CU_ASSERT_EQUAL(stamp[0], run.partition);
			CU_ASSERT_EQUAL(stamp[1], next_offsets[run.partition]++);
			event_count++;
		}
		for (uint32_t i = 0; run.type == SL_RUN_PARTITION_STATE &&
			i < run.bytes / sizeof(struct sl_partition_state);
			i++) {
			const struct sl_partition_state *state =
				(const struct sl_partition_state *)run.data + i;

			if (state->partition < 4)
				CU_ASSERT_EQUAL(state->next_offset, next_offsets[state->partition]);
		}
	}
	sl_run_iterator_fini(&runs);
	return event_count;
}

// What a reader finds: all that is stored, once, each partition's offsets dense, and every
// checkpoint as all batches before it left things.
static void expect_log(const struct sl_fixture *fixture)
{
	uint64_t next_offsets[4] = {0, 100, 200, 300};
	const struct sl_batch_header *batch;
	struct sl_lane_reader reader;
	uint64_t event_count = 0, time_ns = 0;
	struct sl_err err = {0};
	int result;

	CU_ASSERT_EQUAL_FATAL(sl_lane_reader_open(&reader, fixture->path, SL_FIXTURE_LANE,
				      SL_FIXTURE_SALT_CRC, &err),
		0);
	while ((result = sl_lane_reader_next(&reader, &batch, &err)) > 0) {
		event_count += count_runs(batch, next_offsets);
		CU_ASSERT(batch->time_base_ns >= time_ns);
		time_ns = batch->time_last_ns;
	}
	CU_ASSERT_EQUAL(result, 0);
	CU_ASSERT_EQUAL(reader.last_number, fixture->lane.watermark_number);
	CU_ASSERT_EQUAL(event_count, fixture->counters.stored);
	for (uint16_t i = 0; i < 4; i++)
		CU_ASSERT(next_offsets[i] == i * 100u ||
			next_offsets[i] == fixture->shm_partitions[i].watermark);
	sl_lane_reader_close(&reader);
}

static void expect_whole(const struct sl_fixture *fixture)
{
	CU_ASSERT_FALSE(fixture->lane.failed);
	CU_ASSERT_FALSE(fixture->lane.is_halted);
	CU_ASSERT_EQUAL(fixture->lane.failure_count, 0);
	CU_ASSERT_EQUAL(fixture->shm.state, SL_LANE_ACTIVE);
	CU_ASSERT_EQUAL(fixture->counters.in_flight_events, 0);
	CU_ASSERT_EQUAL(fixture->breaker.state, SL_BREAKER_CLOSED);
}

static bool exists(const struct sl_fixture *fixture, uint64_t segment)
{
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, fixture->path,
		(unsigned long long)segment);
	return stat(path, &status) == 0;
}

static void finish(struct sl_fixture *fixture, uint64_t now_ns)
{
	if (fixture->lane.open_batch != NULL)
		sl_lane_seal(&fixture->lane, now_ns);
	sl_fixture_settle(fixture, now_ns);
	CU_ASSERT_EQUAL(fixture->counters.stored, fixture->counters.appended);
	expect_log(fixture);
}

static void fail_and_mend(struct sl_fixture_options options)
{
	struct sl_fixture fixture;
	uint64_t now_ns, number = options.fault.eio_number;

	options.linger_us = SL_NS_PER_S / SL_NS_PER_US;
	sl_fixture_open(&fixture, &options);
	seal_batches(&fixture, 4);
	append(&fixture, 1, NOW + 4); // stays open
	now_ns = sl_fixture_mend(&fixture, NOW + 4);
	CU_ASSERT_EQUAL(fixture.counters.stored, 8);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	CU_ASSERT_EQUAL(
		fixture.lane.segment->first_number, fixture.lane.checkpoint_batch_count + number);
	CU_ASSERT_EQUAL(fixture.shm.writes_failed, 1);
	CU_ASSERT_EQUAL(fixture.shm.segments_mended, 1);
	CU_ASSERT_EQUAL(fixture.shm.batches_rewritten, 4 - number + 1);
	CU_ASSERT_EQUAL(fixture.lane.sealed_segment, 1);
	expect_whole(&fixture);
	append(&fixture, 2, NOW + 4);
	finish(&fixture, now_ns);
	// And the next batches.
	seal_batches(&fixture, 3);
	finish(&fixture, now_ns);
	sl_fixture_close(&fixture);
}

static void a_failed_write_and_all_behind_it_go_to_the_next_segment_whichever_it_is(void)
{
	for (uint32_t i = 0; i < 32; i++)
		fail_and_mend((struct sl_fixture_options){
			.fault = {.eio_number = 1 + i % 4,
				.reverse = (i & 4) != 0,
				.eio_lands = (i & 8) != 0},
			.durability = (i & 16) ? SL_DURABILITY_DURABLE : SL_DURABILITY_NONE,
			.retry_limit = 1,
		});
}

static void a_checkpoint_of_several_batches_goes_before_them(void)
{
	fail_and_mend((struct sl_fixture_options){
		.fault = {.eio_number = 2, .eio_lands = true},
		.partition_count = 8000,
		.retry_limit = 1,
	});
}

// With a new segment opened behind a write that fails in the one before, nothing in it counts.
static void a_segment_opened_behind_the_failed_write_is_removed(void)
{
	const struct sl_fixture_options options = {
		.segment_bytes = 512 * 1024,
		.durability = SL_DURABILITY_DURABLE,
		.retry_limit = 1,
		.in_flight_max = 4,
		.sync = true,
	};

	for (uint64_t failed = 0; failed < 3; failed++) {
		struct sl_fixture fixture;
		struct sl_io_request *done[16];
		uint32_t count;

		sl_fixture_open(&fixture, &options);
		sl_fixture_give_spare(&fixture);
		while (fixture.lane.position + 2 * 64 * 1024 < 512 * 1024) {
			seal_batches(&fixture, 1);
			sl_fixture_settle(&fixture, NOW);
		}
		while (fixture.lane.segment->number == 1) {
			CU_ASSERT_FATAL(append(&fixture, 0, NOW));
			sl_lane_seal(&fixture.lane, NOW);
			CU_ASSERT_FATAL(append(&fixture, 0, NOW));
		}
		sl_lane_seal(&fixture.lane, NOW);
		count = fixture.io->ops->reap(fixture.io, done, SL_ARRAY_COUNT(done));
		CU_ASSERT_FATAL(count >= 3);
		// The last of the old segment, the checkpoint, the first events of the new one.
		done[count - 1 - failed]->result = -EIO;
		for (uint32_t i = 0; i < count; i++)
			sl_lane_complete(&fixture.lane, done[i], NOW);
		CU_ASSERT(fixture.lane.is_halted);
		sl_fixture_mend(&fixture, NOW);
		CU_ASSERT_EQUAL(fixture.lane.segment->number, 3);
		CU_ASSERT_EQUAL(exists(&fixture, 2), failed == 0);
		CU_ASSERT_EQUAL(fixture.lane.sealed_segment, failed == 0 ? 2 : 1);
		expect_whole(&fixture);
		finish(&fixture, NOW);
		sl_fixture_close(&fixture);
	}
}

static void the_lane_tries_again_with_growing_pauses_and_new_segments(void)
{
	struct sl_fixture fixture;
	uint64_t now_ns;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){
			.fault = {.eio_number = 1, .eio_count = 5}, .retry_limit = 3});
	seal_batches(&fixture, 1);
	now_ns = sl_fixture_mend(&fixture, NOW);
	// 1, 2 and 4 ms.
	CU_ASSERT(now_ns >= NOW + 7 * SL_NS_PER_MS);
	// Checkpoint and batch each, in segments 2 and 3.
	CU_ASSERT_EQUAL(fixture.shm.writes_failed, 5);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 4);
	CU_ASSERT_FALSE(exists(&fixture, 2));
	CU_ASSERT_FALSE(exists(&fixture, 3));
	CU_ASSERT_EQUAL(fixture.breaker.opened_count, 0);
	expect_whole(&fixture);
	finish(&fixture, now_ns);
	sl_fixture_close(&fixture);
}

static void behind_the_limit_the_breaker_opens_and_one_probe_at_a_time_closes_it(void)
{
	struct sl_fixture fixture;
	uint64_t now_ns, appended_count;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.fault = {.eio_number = 2, .eio_count = 12},
			.retry_limit = 2,
			.sync = true});
	seal_batches(&fixture, 4);
	now_ns = sl_fixture_turn_until(&fixture, SL_BREAKER_OPEN, NOW);
	sl_fixture_turn(&fixture, now_ns);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_HALTED);
	CU_ASSERT_EQUAL(fixture.shm.breaker, SL_BREAKER_OPEN);
	CU_ASSERT_EQUAL(fixture.shm.breaker_opened, 1);
	CU_ASSERT_EQUAL(fixture.counters.stored, 2);
	while (append(&fixture, 1, now_ns))
		continue;
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DRIVE_FAILED], 1);
	appended_count = fixture.counters.appended;
	now_ns = sl_fixture_turn_until(&fixture, SL_BREAKER_HALF_OPEN, now_ns);
	// The probe is under way alone, whatever else waits.
	CU_ASSERT_EQUAL(fixture.lane.under_way, 1);
	CU_ASSERT(fixture.lane.unretired > 1);
	now_ns = sl_fixture_mend(&fixture, now_ns);
	CU_ASSERT_EQUAL(fixture.shm.breaker, SL_BREAKER_CLOSED);
	CU_ASSERT(fixture.shm.breaker_opened > 1);
	expect_whole(&fixture);
	finish(&fixture, now_ns);
	CU_ASSERT_EQUAL(fixture.counters.stored, appended_count);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DRIVE_FAILED], 1);
	sl_fixture_close(&fixture);
}

// The footer of the old segment cannot be written: two are unsealed, and no third opens.
static void without_the_old_footer_the_lane_goes_on_and_opens_no_third_segment(void)
{
	struct sl_fixture fixture;

	for (int lands = 0; lands < 2; lands++) {
		sl_fixture_open(&fixture,
			&(struct sl_fixture_options){.segment_bytes = 512 * 1024,
				.durability = SL_DURABILITY_DURABLE,
				.retry_limit = 1,
				.fault = {.eio_number = 2, .eio_lands = lands != 0}});
		seal_batches(&fixture, 4);
		sl_fixture_settle(&fixture, NOW);
		CU_ASSERT_FATAL(fixture.lane.is_halted);
		while (fixture.lane.closing == NULL)
			sl_fixture_turn(&fixture, NOW);
		sl_fixture_give_spare(&fixture);
		sl_fixture_turn(&fixture, NOW + SL_NS_PER_S);
		CU_ASSERT(fixture.lane.is_halted); // the keeper is not through yet
		SL_STORE_RELEASE(fixture.lane.stuck_segment, 1);
		sl_fixture_turn(&fixture, NOW + SL_NS_PER_S);
		CU_ASSERT_FALSE(fixture.lane.is_halted);
		sl_fixture_settle(&fixture, NOW + SL_NS_PER_S);
		expect_whole(&fixture);
		CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
		expect_log(&fixture);
		sl_fixture_give_spare(&fixture);
		while (append(&fixture, 1, NOW + SL_NS_PER_S))
			sl_fixture_settle(&fixture, NOW + SL_NS_PER_S);
		CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DRIVE_FAILED], 1);
		CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
		sl_fixture_seal_closing(&fixture);
		fixture.lane.stuck_segment = 0;
		CU_ASSERT(append(&fixture, 1, NOW + SL_NS_PER_S));
		CU_ASSERT_EQUAL(fixture.lane.segment->number, 3);
		finish(&fixture, NOW + SL_NS_PER_S);
		sl_fixture_close(&fixture);
	}
}

static void a_halted_lane_takes_events_while_a_buffer_is_free_and_refuses_by_reason(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.retry_limit = 1, .fault = {.eio_number = 1}});
	seal_batches(&fixture, 1);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_FATAL(fixture.lane.is_halted);
	CU_ASSERT(append(&fixture, 0, NOW));
	while (append(&fixture, 1, NOW))
		continue;
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], 1);
	fixture.lane.spare_error = -EDQUOT;
	for (int i = 0; i < 4; i++) {
		sl_fixture_turn(&fixture, NOW);
		if (fixture.lane.closing != NULL)
			sl_fixture_seal_closing(&fixture);
	}
	CU_ASSERT(fixture.lane.wants_spare);
	CU_ASSERT_FALSE(append(&fixture, 1, NOW));
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DISK_FULL], 1);
	fixture.lane.spare_error = 0;
	sl_fixture_mend(&fixture, NOW);
	CU_ASSERT_FALSE(fixture.lane.wants_spare);
	expect_whole(&fixture);
	finish(&fixture, NOW + SL_NS_PER_S);
	sl_fixture_close(&fixture);
}

static void a_lane_waits_for_the_writes_under_way_before_it_mends(void)
{
	struct sl_fixture fixture;
	struct sl_io_request *done;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true, .retry_limit = 1});
	seal_batches(&fixture, 2);
	CU_ASSERT_EQUAL_FATAL(fixture.io->ops->reap(fixture.io, &done, 1), 1);
	done->result = -EIO;
	sl_lane_complete(&fixture.lane, done, NOW);
	sl_lane_tick(&fixture.lane, NOW + SL_NS_PER_S);
	CU_ASSERT_EQUAL(fixture.lane.under_way, 1);
	CU_ASSERT_PTR_NULL(fixture.lane.closing);
	CU_ASSERT_FALSE(sl_lane_is_quiet(&fixture.lane));
	CU_ASSERT_EQUAL_FATAL(fixture.io->ops->reap(fixture.io, &done, 1), 1);
	sl_lane_complete(&fixture.lane, done, NOW);
	sl_lane_tick(&fixture.lane, NOW);
	CU_ASSERT_PTR_NOT_NULL(fixture.lane.closing);
	sl_fixture_mend(&fixture, NOW);
	CU_ASSERT(sl_lane_is_quiet(&fixture.lane));
	finish(&fixture, NOW + SL_NS_PER_S);
	sl_fixture_close(&fixture);
}

static void the_drain_ends_what_waits_for_its_drive_and_counts_it(void)
{
	struct sl_fixture fixture;
	uint64_t now_ns;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){
			.sync = true, .fault = {.eio_number = 2, .eio_count = UINT64_MAX}});
	seal_batches(&fixture, 3);
	append(&fixture, 0, NOW);
	now_ns = sl_fixture_turn_until(&fixture, SL_BREAKER_OPEN, NOW);
	sl_fixture_turn(&fixture, now_ns);
	sl_lane_stop_waiting(&fixture.lane);
	CU_ASSERT(fixture.lane.failed);
	CU_ASSERT(sl_lane_is_quiet(&fixture.lane));
	CU_ASSERT_EQUAL(fixture.counters.stored, 2);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DRIVE_FAILED], 5);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 0);
	CU_ASSERT_EQUAL(fixture.lane.write_error, -EIO);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_FAILED);
	sl_fixture_close(&fixture);
}

// No failed write, and no end of it: a stop does not wait for room that may never come.
static void the_drain_ends_what_waits_for_room_and_counts_it(void)
{
	struct sl_fixture fixture;
	uint64_t now_ns = NOW;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.sync = true,
			.retry_limit = 2,
			.fault = {.full_number = 2, .full_count = UINT64_MAX}});
	seal_batches(&fixture, 3);
	append(&fixture, 0, NOW);
	for (uint32_t i = 0; i < 3; i++, now_ns += SL_NS_PER_S) {
		CU_ASSERT_FALSE_FATAL(fixture.lane.failed); // within its retries
		sl_fixture_turn(&fixture, now_ns);
		sl_fixture_turn(&fixture, now_ns); // what the one has sent comes back in the other
		sl_lane_stop_waiting(&fixture.lane);
	}
	CU_ASSERT(fixture.lane.failed);
	CU_ASSERT(sl_lane_is_quiet(&fixture.lane));
	CU_ASSERT_EQUAL(fixture.counters.stored, 2);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DISK_FULL], 5);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 0);
	CU_ASSERT_EQUAL(fixture.lane.write_error, -ENOSPC);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_FAILED);
	sl_fixture_close(&fixture);
}

static void eagain_that_lasts_is_a_failed_write(void)
{
	struct sl_fixture fixture;
	struct sl_io_request *done;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true, .retry_limit = 2});
	seal_batches(&fixture, 1);
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t now_ns = NOW + i * SL_NS_PER_S;

		CU_ASSERT_FALSE(fixture.lane.is_halted);
		sl_lane_tick(&fixture.lane, now_ns);
		CU_ASSERT_EQUAL_FATAL(fixture.io->ops->reap(fixture.io, &done, 1), 1);
		done->result = -EAGAIN;
		sl_lane_complete(&fixture.lane, done, now_ns);
	}
	CU_ASSERT(fixture.lane.is_halted);
	CU_ASSERT_EQUAL(fixture.lane.halt_error, -EAGAIN);
	CU_ASSERT_EQUAL(fixture.counters.writes_retried, 2); // the last one is not
	sl_fixture_mend(&fixture, NOW + 3 * SL_NS_PER_S);
	expect_whole(&fixture);
	finish(&fixture, NOW + 4 * SL_NS_PER_S);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_failed_write_and_all_behind_it_go_to_the_next_segment_whichever_it_is),
	SL_TEST(a_checkpoint_of_several_batches_goes_before_them),
	SL_TEST(a_segment_opened_behind_the_failed_write_is_removed),
	SL_TEST(the_lane_tries_again_with_growing_pauses_and_new_segments),
	SL_TEST(behind_the_limit_the_breaker_opens_and_one_probe_at_a_time_closes_it),
	SL_TEST(without_the_old_footer_the_lane_goes_on_and_opens_no_third_segment),
	SL_TEST(a_halted_lane_takes_events_while_a_buffer_is_free_and_refuses_by_reason),
	SL_TEST(a_lane_waits_for_the_writes_under_way_before_it_mends),
	SL_TEST(the_drain_ends_what_waits_for_its_drive_and_counts_it),
	SL_TEST(the_drain_ends_what_waits_for_room_and_counts_it),
	SL_TEST(eagain_that_lasts_is_a_failed_write),
};
SL_SUITE(dataplane_store_lane_mend);
