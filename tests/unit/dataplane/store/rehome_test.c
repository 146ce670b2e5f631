/* SPDX-License-Identifier: BSD-3-Clause */
// Partitions of a lane whose drive fails go on in a lane of another drive: a whole store with its
// keeper at work, the test as its worker, and drives that fail when it says so.
#include "format/batch_scan.h"
#include "format/store_reader.h"
#include "format/store_walk.h"
#include "store/keeper_internal.h"
#include "store/lane_internal.h"
#include "store/store_internal.h"

#include "store_fixture.h"
#include "suite.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTITION_COUNT 6
#define EVENT_BYTES 600
// Never over in a test, unless it says so: time is the test's.
#define BACKOFF_US (1000 * 1000 * 1000)

static struct sl_store_fixture fixture;
static uint64_t now_ns;
static uint64_t refused_count;
static bool is_keeper_slow; // it finds no lanes for partitions, though it is asked

// ---- the worker

static struct sl_lane *lane_at(uint32_t index)
{
	return &fixture.store.lanes[index].lane;
}

static struct sl_lane *lane_of(uint16_t partition)
{
	for (uint32_t i = 0; i < fixture.store.lane_count; i++) {
		if (lane_at(i)->slot == fixture.store.partitions[partition].lane_slot)
			return lane_at(i);
	}
	return NULL;
}

static bool append(uint16_t partition)
{
	const uint64_t stamp[2] = {partition, fixture.store.partitions[partition].next_offset};
	char data[EVENT_BYTES] = {0};
	bool is_taken;

	memcpy(data, stamp, sizeof(stamp));
	is_taken = sl_fixture_append_to(lane_of(partition), fixture.store.partitions, partition,
		data, sizeof(data), now_ns);
	refused_count += !is_taken;
	return is_taken;
}

static void append_everywhere(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint16_t p = 0; p < PARTITION_COUNT; p++)
			append(p);
	}
}

static void reap(struct sl_lane *lane)
{
	struct sl_io_request *done[64];
	uint32_t count = lane->io->ops->reap(lane->io, done, SL_ARRAY_COUNT(done));

	for (uint32_t i = 0; i < count; i++)
		sl_lane_complete(done[i]->owner, done[i], now_ns);
}

static void turn(void)
{
	now_ns += SL_NS_PER_MS;
	for (uint32_t i = 0; i < fixture.store.lane_count; i++) {
		reap(lane_at(i));
		sl_lane_tick(lane_at(i), now_ns);
	}
	if (!is_keeper_slow)
		sl_store_rehome(&fixture.store);
}

static void turn_until_leaving(const struct sl_lane *lane, enum sl_leaving leaving)
{
	while (SL_LOAD_ACQUIRE(lane->leaving) != leaving) {
		turn();
		sched_yield();
	}
}

static void turn_until_rehomed(const struct sl_lane *lane, uint64_t times)
{
	while (lane->shm->rehomed < times) {
		turn();
		sched_yield();
	}
}

static bool all_are_quiet(void)
{
	bool are_quiet = true;

	for (uint32_t i = 0; i < fixture.store.lane_count; i++)
		are_quiet &= sl_lane_is_quiet(lane_at(i)) ||
			(lane_at(i)->owned_count == 0 && lane_at(i)->unretired == 0 &&
				lane_at(i)->leaving == SL_LEAVING_NONE);
	return are_quiet;
}

static void turn_until_quiet(void)
{
	while (!all_are_quiet()) {
		turn();
		sched_yield();
	}
}

// ---- the drives

static void set_fault(uint32_t index, struct sl_io_fault fault)
{
	struct sl_lane *lane = lane_at(index);

	lane->io = sl_io_fault_create(lane->io, &fault);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lane->io);
}

static void fail_drive(uint32_t index)
{
	set_fault(index, (struct sl_io_fault){.eio_number = 1, .eio_count = UINT64_MAX});
}

// What its writes leave is whole, and void: another lane holds it too.
static void fail_drive_that_writes(uint32_t index)
{
	set_fault(index,
		(struct sl_io_fault){.eio_number = 1, .eio_count = UINT64_MAX, .eio_lands = true});
}

// ---- the store

static void make_store(uint32_t path_count, enum sl_durability durability)
{
	now_ns = SL_FIXTURE_START_NS;
	refused_count = 0;
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", PARTITION_COUNT, 0);
	fixture.config.classes[0].durability = durability;
	fixture.config.store.backoff_us_min = BACKOFF_US;
	fixture.config.store.backoff_us_max = BACKOFF_US;
	while (fixture.config.store.path_count < path_count)
		sl_store_fixture_path(&fixture);
	sl_store_fixture_run(&fixture);
	// Not in the thread's own time: in the test's.
	fixture.store.keeper->config.on_turn = NULL;
	is_keeper_slow = false;
	CU_ASSERT_EQUAL_FATAL(fixture.store.lane_count, path_count);
	append_everywhere(3);
	turn_until_quiet();
}

static uint64_t dropped_count(void)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++)
		count += fixture.counters[0].drops[i];
	return count;
}

// What was appended and is not given up is stored; nothing else is.
static void expect_identity(void)
{
	const struct sl_worker_counters *counters = &fixture.counters[0];

	CU_ASSERT_EQUAL(counters->in_flight_events, 0);
	CU_ASSERT_EQUAL(counters->appended + refused_count, counters->stored + dropped_count());
}

struct visit {
	uint16_t partition;
	uint64_t next_offset;
};

static int see_event(void *context, const struct sl_store_event *event)
{
	struct visit *visit = context;
	uint64_t stamp[2];

	CU_ASSERT_EQUAL_FATAL(event->value_bytes, EVENT_BYTES);
	memcpy(stamp, event->value, sizeof(stamp));
	CU_ASSERT_EQUAL(stamp[0], visit->partition);
	CU_ASSERT_EQUAL(stamp[1], event->offset);
	CU_ASSERT_EQUAL(event->offset, visit->next_offset);
	visit->next_offset = event->offset + 1;
	return 0;
}

// A reader of the closed store finds each partition's events, each at the offset that it got.
static void expect_events(const uint64_t *counts)
{
	struct sl_store_reader *reader;
	struct sl_err err = {0};

	if (sl_store_reader_open(&reader, fixture.path, &err) != 0)
		CU_FAIL_FATAL(err.text);
	for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
		struct visit visit = {.partition = p};
		const struct sl_store_visitor visitor = {.context = &visit, .on_event = see_event};
		struct sl_store_report report = {0};

		if (sl_store_read_partition(reader, p, 0, &visitor, &report, &err) != 0)
			CU_FAIL(err.text);
		CU_ASSERT_EQUAL(visit.next_offset, counts[p]);
	}
	sl_store_reader_close(reader);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
}

static void note_counts(uint64_t *counts)
{
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		counts[p] = fixture.shm.partitions[p].watermark;
}

// A kill, the next start, and what a reader finds before and behind it.
static void expect_the_same_after_a_kill(void)
{
	uint64_t counts[PARTITION_COUNT];

	// What has been written is there, whether the lane knows or not.
	for (uint32_t i = 0; i < fixture.store.lane_count; i++)
		reap(lane_at(i));
	note_counts(counts);
	sl_store_fixture_kill(&fixture);
	expect_events(counts);
	sl_store_fixture_run(&fixture);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, counts[p]);
	append_everywhere(2);
	turn_until_quiet();
	note_counts(counts);
	sl_store_fixture_stop(&fixture);
	expect_events(counts);
	sl_store_fixture_fini(&fixture);
}

static void expect_all_in(uint32_t index)
{
	for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
		CU_ASSERT_PTR_EQUAL(lane_of(p), lane_at(index));
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].lane, index);
		CU_ASSERT_EQUAL(
			fixture.store.meta.partitions[p].term, fixture.store.partitions[p].term);
	}
	CU_ASSERT_EQUAL(lane_at(index)->owned_count, PARTITION_COUNT);
	CU_ASSERT_EQUAL(lane_at(index)->shm->partition_count, PARTITION_COUNT);
}

// ---- one drive fails

// The lane has failed with several batches under way and one open, and knows where to go.
static void fail_and_grant(void)
{
	struct sl_lane *lane = lane_at(0);

	for (uint32_t i = 0; i < 3; i++) {
		append_everywhere(1);
		sl_lane_seal(lane, now_ns);
	}
	is_keeper_slow = true;
	turn_until_leaving(lane, SL_LEAVING_WANTED);
	append_everywhere(1);
	is_keeper_slow = false;
	turn();
	CU_ASSERT_EQUAL_FATAL(lane->leaving, SL_LEAVING_GRANTED);
}

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

static void the_drive_that_comes_back_closes_its_breaker_and_may_be_gone_to_again(void)
{
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
	append_everywhere(3);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

// ---- where there is nowhere to go

static void without_a_healthy_drive_they_refuse_by_reason_and_the_drain_gives_up(void)
{
	make_store(2, SL_DURABILITY_DURABLE);
	fail_drive(0);
	fail_drive(1);
	append_everywhere(1);
	while (!lane_at(0)->is_halted || !lane_at(1)->is_halted)
		turn();
	turn_until_leaving(lane_at(0), SL_LEAVING_WANTED);
	while (append(0))
		continue;
	CU_ASSERT_EQUAL(fixture.counters[0].drops[SL_DROP_DRIVE_FAILED], 1);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[0].term, 1);
	for (uint32_t i = 0; i < 2; i++) {
		sl_lane_stop_waiting(lane_at(i));
		CU_ASSERT(lane_at(i)->failed);
	}
	expect_identity();
	expect_the_same_after_a_kill();
}

// What the target has of them when it fails for good goes on to the third, what is still at the
// first one behind it.
static void the_target_may_fail_while_they_come(void)
{
	for (uint32_t turns = 0; turns < 6; turns++) {
		make_store(3, SL_DURABILITY_DURABLE);
		fail_drive(0);
		fail_and_grant();
		for (uint32_t i = 0; i < turns; i++)
			turn();
		append_everywhere(1);
		fail_drive(lane_at(0)->target == lane_at(1) ? 1 : 2);
		append_everywhere(1);
		while (lane_at(0)->leaving != SL_LEAVING_NONE || !all_are_quiet()) {
			turn();
			sched_yield();
		}
		append_everywhere(1);
		turn_until_quiet();
		CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
		expect_identity();
		expect_the_same_after_a_kill();
	}
}

static void when_both_fail_on_the_way_the_drain_counts_all_of_it(void)
{
	make_store(2, SL_DURABILITY_DURABLE);
	fail_drive(0);
	fail_and_grant();
	turn_until_leaving(lane_at(0), SL_LEAVING_UNDER_WAY);
	fail_drive(1);
	append_everywhere(2);
	while (!lane_at(1)->is_halted || lane_at(1)->under_way > 0)
		turn();
	sl_lane_stop_waiting(lane_at(0));
	CU_ASSERT_FALSE(lane_at(0)->failed); // it is the target's to say
	turn();
	sl_lane_stop_waiting(lane_at(1));
	CU_ASSERT(lane_at(1)->failed);
	turn();
	CU_ASSERT(lane_at(0)->failed);
	CU_ASSERT_EQUAL(lane_at(0)->leaving, SL_LEAVING_NONE);
	expect_identity();
	expect_the_same_after_a_kill();
}

// ---- store.meta

// A directory in its place: it can neither be read nor written.
static void block_meta(uint32_t path_index, bool is_blocked)
{
	char path[128], aside[144];

	snprintf(path, sizeof(path), "%s/" SL_STORE_META_NAME,
		fixture.config.store.paths[path_index]);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	if (is_blocked) {
		CU_ASSERT_EQUAL_FATAL(rename(path, aside), 0);
		CU_ASSERT_EQUAL_FATAL(mkdir(path, 0750), 0);
	} else {
		CU_ASSERT_EQUAL_FATAL(rmdir(path), 0);
		CU_ASSERT_EQUAL_FATAL(rename(aside, path), 0);
	}
}

static void while_store_meta_cannot_be_written_they_go_nowhere(void)
{
	const struct sl_store_lane *leaver;

	make_store(2, SL_DURABILITY_DURABLE);
	fixture.config.store.backoff_us_min = fixture.config.store.backoff_us_max = 1000;
	leaver = &fixture.store.lanes[0];
	block_meta(1, true);
	fail_drive(0);
	append_everywhere(1);
	while (SL_LOAD(leaver->leave_failure_count) < 2) {
		turn();
		sched_yield();
	}
	CU_ASSERT_EQUAL(leaver->lane.owned_count, 3);
	CU_ASSERT(leaver->lane.is_promised);
	// Its own drive is well again: it may not go on there, for a copy may name the other one.
	now_ns += 2ull * BACKOFF_US * SL_NS_PER_US;
	for (uint32_t i = 0; i < 10; i++)
		turn();
	CU_ASSERT(leaver->lane.is_halted);
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_OPEN);
	block_meta(1, false);
	turn_until_rehomed(lane_at(0), 1);
	expect_all_in(1);
	CU_ASSERT(fixture.store.meta.partitions[lane_at(1)->owned[5]].term > 2);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

static void another_drive_that_takes_no_store_meta_is_left_out(void)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};
	uint16_t other;

	make_store(3, SL_DURABILITY_DURABLE);
	block_meta(2, true);
	fail_drive(0);
	append_everywhere(1);
	turn_until_rehomed(lane_at(0), 1);
	other = fixture.store.meta.partitions[0].lane;
	// Whichever was chosen first, only the one whose copy is written may have them.
	CU_ASSERT_EQUAL(other, 1);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&meta, fixture.config.store.paths[1], &err), 0);
	CU_ASSERT_EQUAL(meta.header.stale_paths, 5);
	CU_ASSERT_EQUAL(meta.partitions[0].lane, 1);
	sl_store_meta_free(&meta);
	block_meta(2, false);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

// ---- lanes that are not durable

static void a_lane_that_could_not_be_flushed_leaves_and_then_fails(void)
{
	make_store(2, SL_DURABILITY_WRITTEN);
	append_everywhere(1);
	SL_STORE_RELEASE(lane_at(0)->seal_error, -EIO);
	turn_until_rehomed(lane_at(0), 1);
	turn();
	CU_ASSERT(lane_at(0)->failed);
	CU_ASSERT_EQUAL(dropped_count(), 0);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_all_in(1);
	// Without a drive to go to it fails at once.
	SL_STORE_RELEASE(lane_at(1)->seal_error, -EIO);
	append(0);
	while (!lane_at(1)->failed) {
		turn();
		sched_yield();
	}
	CU_ASSERT_EQUAL(fixture.counters[0].drops[SL_DROP_LANE_FAILED], 1);
	expect_identity();
	expect_the_same_after_a_kill();
}

static const struct sl_test tests[] = {
	SL_TEST(partitions_go_on_at_the_same_offsets_and_nothing_is_lost),
	SL_TEST(what_comes_meanwhile_waits_in_the_open_batch_and_follows),
	SL_TEST(ledgers_of_the_lane_that_leaves_stay_behind),
	SL_TEST(a_kill_on_the_way_loses_only_what_was_not_stored),
	SL_TEST(a_target_that_rolls_or_fails_once_states_what_it_has),
	SL_TEST(the_drive_that_comes_back_closes_its_breaker_and_may_be_gone_to_again),
	SL_TEST(without_a_healthy_drive_they_refuse_by_reason_and_the_drain_gives_up),
	SL_TEST(the_target_may_fail_while_they_come),
	SL_TEST(when_both_fail_on_the_way_the_drain_counts_all_of_it),
	SL_TEST(while_store_meta_cannot_be_written_they_go_nowhere),
	SL_TEST(another_drive_that_takes_no_store_meta_is_left_out),
	SL_TEST(a_lane_that_could_not_be_flushed_leaves_and_then_fails),
};
SL_SUITE(dataplane_store_rehome);
