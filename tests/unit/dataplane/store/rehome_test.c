/* SPDX-License-Identifier: BSD-3-Clause */
// Partitions of a lane whose drive fails go on in a lane of another drive.
#include "rehome_fixture.h"

static void rehome_under_load(enum sl_durability durability, uint32_t batch_count)
{
	uint64_t stored_count;

	make_store(2, durability);
	fail_drive_that_writes(0);
	for (uint32_t i = 0; i < batch_count; i++) {
		append_everywhere(2);
		turn();
	}
	stored_count = fixture.counters[0].stored;
	turn_until_rehomed(lane_at(0), 1);
	expect_all_in(1);
	CU_ASSERT_EQUAL(lane_at(0)->shm->partition_count, 0);
	CU_ASSERT_EQUAL(lane_at(0)->shm->partitions_rehomed, 3);
	CU_ASSERT(lane_at(0)->shm->batches_rehomed > 0);
	turn_until_quiet();
	CU_ASSERT(fixture.counters[0].stored > stored_count);
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	append_everywhere(5);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	for (uint16_t p = 0; p < PARTITION_COUNT; p++)
		CU_ASSERT_EQUAL(fixture.shm.partitions[p].watermark,
			fixture.store.partitions[p].next_offset);
	CU_ASSERT_EQUAL(lane_at(0)->shm->state, SL_LANE_HALTED);
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_OPEN);
	expect_the_same_after_a_kill();
}

static void partitions_go_on_at_the_same_offsets_and_nothing_is_lost(void)
{
	rehome_under_load(SL_DURABILITY_DURABLE, 1);
	rehome_under_load(SL_DURABILITY_DURABLE, 20);
	rehome_under_load(SL_DURABILITY_WRITTEN, 20);
}

// Its drive takes writes, but no segment can be made there.
static void bar_births(uint32_t index)
{
	struct sl_kept_lane *kept = &fixture.store.keeper->lanes[index];

	kept->config.path[0] = '-';
}

static void fill_until_refused(void)
{
	while (lane_of(0)->shm->rehomed == 0 && refused_count == 0) {
		append_everywhere(1);
		turn();
		sched_yield();
	}
}

static void a_lane_that_gets_no_segment_leaves_what_it_can_write_no_more(void)
{
	struct sl_lane *lane;
	uint64_t left_count;

	make_store(2, SL_DURABILITY_DURABLE);
	lane = lane_at(0);
	bar_births(0);
	while (lane->shm->rehomed == 0) {
		append_everywhere(4);
		turn();
		sched_yield();
	}
	expect_all_in(1);
	CU_ASSERT_EQUAL(lane->spare_error, -ENOENT);
	CU_ASSERT_EQUAL(lane->shm->writes_failed, 0);
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_CLOSED);
	left_count = refused_count;
	append_everywhere(10);
	turn_until_quiet();
	CU_ASSERT_EQUAL(refused_count, left_count);
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

// Nowhere to go: it refuses, does not halt, and goes on when a segment can be made.
static void a_lane_that_gets_no_segment_anywhere_waits_for_one(void)
{
	struct sl_lane *lane;

	make_store(2, SL_DURABILITY_DURABLE);
	lane = lane_at(0);
	bar_births(0);
	bar_births(1);
	fill_until_refused();
	for (uint32_t i = 0; i < 100; i++)
		turn();
	CU_ASSERT_EQUAL(lane->shm->rehomed + lane_at(1)->shm->rehomed, 0);
	CU_ASSERT_FALSE(lane->is_halted || lane_at(1)->is_halted);
	fixture.store.keeper->lanes[0].config.path[0] = '/';
	fixture.store.keeper->lanes[1].config.path[0] = '/';
	do {
		turn();
		sched_yield();
	} while (!append(0) || !append(PARTITION_COUNT - 1));
	turn_until_quiet();
	expect_identity();
	expect_the_same_after_a_kill();
}

static uint64_t count_older(const struct sl_latency *latency, uint64_t age_ns)
{
	uint64_t count = 0;

	for (uint32_t i = sl_latency_bucket(age_ns); i < SL_LATENCY_BUCKET_COUNT; i++)
		count += latency->buckets[i];
	return count;
}

// Each event is in the ages of the lane that has stored it, once, and counts from when it came,
// wherever it went.
static void events_that_move_keep_their_ages(void)
{
	const uint64_t wait_ns = 64 * SL_NS_PER_MS;
	const struct sl_latency *left, *taken;

	make_store(2, SL_DURABILITY_DURABLE);
	left = &lane_at(0)->shm->latency;
	taken = &lane_at(1)->shm->latency;
	fail_drive(0);
	fail_and_grant(); // four events of each of its three partitions
	now_ns += wait_ns;
	turn_until_rehomed(lane_at(0), 1);
	turn_until_quiet();
	CU_ASSERT_EQUAL(sl_latency_event_count(left), 9);
	CU_ASSERT_EQUAL(sl_latency_event_count(taken), fixture.counters[0].stored - 9);
	CU_ASSERT_EQUAL(count_older(left, wait_ns), 0);
	CU_ASSERT(count_older(taken, wait_ns) >= 12);
	append_everywhere(1);
	turn_until_quiet();
	CU_ASSERT_EQUAL(sl_latency_event_count(left), 9);
	CU_ASSERT_EQUAL(sl_latency_event_count(taken), fixture.counters[0].stored - 9);
	expect_the_same_after_a_kill();
}

static void what_comes_meanwhile_waits_in_the_open_batch_and_follows(void)
{
	make_store(2, SL_DURABILITY_DURABLE);
	fail_drive_that_writes(0);
	fail_and_grant();
	CU_ASSERT(append(0));
	turn_until_leaving(lane_at(0), SL_LEAVING_UNDER_WAY);
	CU_ASSERT_PTR_EQUAL(lane_of(0), lane_at(0));
	CU_ASSERT(append(0));
	while (append(0)) // until it is full
		continue;
	CU_ASSERT_EQUAL(fixture.counters[0].drops[SL_DROP_DRIVE_FAILED], 1);
	turn_until_rehomed(lane_at(0), 1);
	CU_ASSERT(append(0));
	turn_until_quiet();
	expect_identity();
	expect_the_same_after_a_kill();
}

static int count_runs(void *context, const struct sl_lane_reader *reader SL_UNUSED,
	const struct sl_batch_header *batch, struct sl_err *err SL_UNUSED)
{
	uint32_t *counts = context;
	struct sl_run_iterator runs;
	struct sl_run run;

	sl_run_iterator_init(&runs, batch);
	runs.wants_ledgers = true;
	while (sl_run_next(&runs, &run, NULL))
		counts[run.type]++;
	sl_run_iterator_fini(&runs);
	return 0;
}

// A lane's ledgers speak of its own log, and their sequence rises in it.
static void ledgers_of_the_lane_that_leaves_stay_behind(void)
{
	const struct sl_run_ledger ledger = {.sequence = 7};
	uint64_t stored_counts[PARTITION_COUNT];
	uint32_t counts[UINT8_MAX + 1] = {0};
	struct sl_store_report report = {0};
	struct sl_store_reader *reader;
	struct sl_err err = {0};

	make_store(2, SL_DURABILITY_DURABLE);
	fail_drive(0);
	append_everywhere(1);
	CU_ASSERT(sl_lane_post_ledger(lane_at(0), &ledger, sizeof(ledger)));
	CU_ASSERT_FATAL(sl_lane_take_ledger(lane_at(0), now_ns));
	append_everywhere(1);
	turn_until_rehomed(lane_at(0), 1);
	turn_until_quiet();
	expect_identity();
	note_counts(stored_counts);
	sl_store_fixture_kill(&fixture);
	expect_events(stored_counts);
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&reader, fixture.path, &err), 0);
	CU_ASSERT_EQUAL(sl_store_walk(reader, count_runs, counts, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[SL_RUN_LEDGER], 0);
	CU_ASSERT(counts[SL_RUN_EVENT] >= 2 * PARTITION_COUNT);
	sl_store_reader_close(reader);
	sl_store_fixture_fini(&fixture);
}

// It comes with the next look, or the end of a quiet lane's account would be missing for good.
static void a_ledger_that_found_the_one_before_unwritten_is_posted_again(void)
{
	const struct sl_run_ledger one = {.sequence = 1}, two = {.sequence = 2};

	make_store(2, SL_DURABILITY_DURABLE);
	sl_store_post_ledger(&fixture.store, &one, sizeof(one));
	CU_ASSERT_FATAL(sl_lane_take_ledger(lane_at(1), now_ns));
	sl_store_post_ledger(&fixture.store, &two, sizeof(two));
	for (uint32_t i = 0; i < 2; i++)
		CU_ASSERT_FATAL(sl_lane_take_ledger(lane_at(i), now_ns));
	CU_ASSERT_EQUAL(lane_at(0)->ledger_run_count, 1);
	sl_store_repost_ledger(&fixture.store, &two, sizeof(two));
	CU_ASSERT(sl_lane_take_ledger(lane_at(0), now_ns));
	CU_ASSERT_FALSE(sl_lane_take_ledger(lane_at(1), now_ns)); // it has it
	sl_store_repost_ledger(&fixture.store, &two, sizeof(two));
	CU_ASSERT_FALSE(sl_lane_take_ledger(lane_at(0), now_ns));
	sl_store_fixture_kill(&fixture);
	sl_store_fixture_fini(&fixture);
}

// A crash finds one of these: the moves in store.meta and nothing in the new lane; some of it
// there.
static void a_kill_on_the_way_loses_only_what_was_not_stored(void)
{
	for (uint32_t turns = 0; turns < 8; turns++) {
		make_store(2, SL_DURABILITY_DURABLE);
		fail_drive_that_writes(0);
		fail_and_grant();
		for (uint32_t i = 0; i < turns; i++)
			turn();
		CU_ASSERT(fixture.store.meta.partitions[0].term > 1);
		expect_the_same_after_a_kill();
	}
}

static void a_target_that_rolls_or_fails_once_states_what_it_has(void)
{
	for (uint64_t eio_number = 1; eio_number < 6; eio_number++) {
		make_store(2, SL_DURABILITY_DURABLE);
		fail_drive_that_writes(0);
		fail_and_grant();
		lane_at(1)->retry_limit = 3;
		set_fault(1, (struct sl_io_fault){.eio_number = eio_number, .eio_lands = true});
		append_everywhere(1);
		while (lane_at(0)->shm->rehomed == 0) {
			now_ns += BACKOFF_US * SL_NS_PER_US; // of the target, not of the breaker
			fixture.store.breakers[0].open_until_ns = UINT64_MAX;
			turn();
			sched_yield();
		}
		CU_ASSERT_EQUAL(lane_at(1)->shm->segments_mended, 1);
		turn_until_quiet();
		CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
		expect_identity();
		expect_the_same_after_a_kill();
	}
}

// Turns in which the target waits out its own backoff, and the first lane's breaker stays open.
static void turn_until_mended(void)
{
	while (lane_at(0)->shm->rehomed == 0 || !all_are_quiet()) {
		now_ns += BACKOFF_US * SL_NS_PER_US;
		fixture.store.breakers[0].open_until_ns = UINT64_MAX;
		turn();
		sched_yield();
	}
}

// All that it may have under way and two batches more, none of which is a checkpoint: when the
// first of them fails, the checkpoint of the next segment still has its buffers.
static void a_target_that_fails_with_all_its_buffers_under_way_can_still_open_a_segment(void)
{
	struct sl_lane *target;

	make_store(2, SL_DURABILITY_DURABLE);
	target = lane_at(1);
	fail_drive(0);
	fail_and_grant();
	turn_until_leaving(lane_at(0), SL_LEAVING_UNDER_WAY);
	reap(target);
	CU_ASSERT_EQUAL_FATAL(target->unretired, 0);
	target->retry_limit = 3;
	set_fault(1, (struct sl_io_fault){.eio_number = 1});
	for (uint32_t i = 0; i < target->in_flight_max; i++) {
		CU_ASSERT(append(PARTITION_COUNT - 1));
		sl_lane_seal(target, now_ns);
	}
	CU_ASSERT(append(PARTITION_COUNT - 1));
	sl_lane_tick(lane_at(0), now_ns);
	CU_ASSERT_EQUAL_FATAL(target->unretired, target->in_flight_max + 2);
	append(PARTITION_COUNT - 1); // the open batch takes a buffer too
	CU_ASSERT(target->free_count >= target->checkpoint_batch_count);
	turn_until_mended();
	CU_ASSERT_EQUAL(target->shm->segments_mended, 1);
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

static void the_drive_that_comes_back_closes_its_breaker_and_may_be_gone_to_again(void)
{
	struct sl_store_meta older;
	struct sl_err err = {0};

	make_store(2, SL_DURABILITY_DURABLE);
	set_fault(0, (struct sl_io_fault){.eio_number = 1, .eio_count = 1});
	append_everywhere(1);
	turn_until_rehomed(lane_at(0), 1);
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_OPEN);
	now_ns += 2ull * BACKOFF_US * SL_NS_PER_US;
	while (lane_at(0)->is_halted) {
		turn();
		sched_yield();
	}
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_CLOSED);
	CU_ASSERT_EQUAL(lane_at(0)->shm->state, SL_LANE_ACTIVE);
	expect_all_in(1); // until the next start, or another failure
	append_everywhere(3);
	fail_drive(1);
	turn_until_rehomed(lane_at(1), 1);
	expect_all_in(0);
	// Written when drive 0 had failed: a start with this copy alone must not take it for the
	// newest.
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&older, fixture.config.store.paths[1], &err), 0);
	CU_ASSERT_EQUAL(older.header.stale_paths, 0);
	CU_ASSERT(older.header.generation < fixture.store.meta.header.generation);
	sl_store_meta_free(&older);
	append_everywhere(3);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

static const struct sl_test tests[] = {
	SL_TEST(partitions_go_on_at_the_same_offsets_and_nothing_is_lost),
	SL_TEST(a_lane_that_gets_no_segment_leaves_what_it_can_write_no_more),
	SL_TEST(a_lane_that_gets_no_segment_anywhere_waits_for_one),
	SL_TEST(events_that_move_keep_their_ages),
	SL_TEST(what_comes_meanwhile_waits_in_the_open_batch_and_follows),
	SL_TEST(ledgers_of_the_lane_that_leaves_stay_behind),
	SL_TEST(a_ledger_that_found_the_one_before_unwritten_is_posted_again),
	SL_TEST(a_kill_on_the_way_loses_only_what_was_not_stored),
	SL_TEST(a_target_that_rolls_or_fails_once_states_what_it_has),
	SL_TEST(a_target_that_fails_with_all_its_buffers_under_way_can_still_open_a_segment),
	SL_TEST(the_drive_that_comes_back_closes_its_breaker_and_may_be_gone_to_again),
};
SL_SUITE(dataplane_store_rehome);
