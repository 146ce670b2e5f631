/* SPDX-License-Identifier: BSD-3-Clause */
// Partitions of a lane whose drive fails, where the other drives or store.meta fail too.
#include "rehome_fixture.h"

#include <stdio.h>

// ---- drives

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
	char path[128];

	snprintf(path, sizeof(path), "%s/" SL_STORE_META_NAME,
		fixture.config.store.paths[path_index]);
	sl_store_fixture_block(path, is_blocked);
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
	CU_ASSERT_EQUAL(meta.header.stale_paths, 0); // they may be ahead of this copy yet
	CU_ASSERT_EQUAL(meta.partitions[0].lane, 1);
	sl_store_meta_free(&meta);
	block_meta(2, false);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

// The first plan's copy, as it would have landed on path 0: lane 1's partitions go to lane 2.
static void land_first_plan(struct sl_store_meta *meta)
{
	const struct sl_store *store = &fixture.store;
	struct sl_err err = {0};

	for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
		struct sl_store_meta_partition *partition = &meta->partitions[p];

		if (partition->lane != store->lanes[1].number)
			continue;
		partition->lane = store->lanes[2].number;
		partition->term_start = store->meta.partitions[p].term_start;
		partition->term++;
	}
	CU_ASSERT_EQUAL(sl_store_meta_write(meta, fixture.config.store.paths[0], &err), 0);
}

static void a_copy_whose_write_failed_and_landed_is_not_the_newest(void)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};

	make_store(3, SL_DURABILITY_DURABLE);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&meta, fixture.config.store.paths[0], &err), 0);
	SL_STORE(lane_at(0)->spare_error, -EDQUOT); // so that they go to the third
	block_meta(0, true);
	fail_drive(1);
	append_everywhere(1);
	turn_until_rehomed(lane_at(1), 1);
	SL_STORE(lane_at(0)->spare_error, 0);
	block_meta(0, false);
	land_first_plan(&meta);
	CU_ASSERT(meta.header.generation < fixture.store.meta.header.generation);
	sl_store_meta_free(&meta);
	append_everywhere(1);
	turn_until_quiet();
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
	SL_TEST(without_a_healthy_drive_they_refuse_by_reason_and_the_drain_gives_up),
	SL_TEST(the_target_may_fail_while_they_come),
	SL_TEST(when_both_fail_on_the_way_the_drain_counts_all_of_it),
	SL_TEST(while_store_meta_cannot_be_written_they_go_nowhere),
	SL_TEST(another_drive_that_takes_no_store_meta_is_left_out),
	SL_TEST(a_copy_whose_write_failed_and_landed_is_not_the_newest),
	SL_TEST(a_lane_that_could_not_be_flushed_leaves_and_then_fails),
};
SL_SUITE(dataplane_store_rehome_nowhere);
