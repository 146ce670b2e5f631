/* SPDX-License-Identifier: BSD-3-Clause */
// Lanes that cannot enter a next segment, for want of room or because what is in front of it cannot
// be closed; and those that have left for it.
#include "rehome_fixture.h"
// ---- room

static char kept_paths[2][SL_PATH_BYTES_MAX];

// /proc says of itself that it has no room: no segment is made there.
static void fill_drive(uint32_t index, bool is_full)
{
	char *path = fixture.store.keeper->lanes[index].config.path;

	if (is_full)
		strcpy(kept_paths[index], path);
	strcpy(path, is_full ? "/proc" : kept_paths[index]);
}

static void a_lane_that_has_left_a_full_drive_is_given_nothing_and_is_quiet(void)
{
	const struct sl_run_ledger ledger = {
		.boot = 7,
		.sequence = 7,
		.header_bytes = sizeof(struct sl_run_ledger),
		.port_bytes = sizeof(struct sl_run_ledger_port),
		.drop_bytes = sizeof(struct sl_run_ledger_drop),
	};
	const struct sl_run_gap gap = {
		.count = 1, .stream = SL_GAP_STREAM_NONE, .reason = "disk_full"};
	struct sl_lane *lane;

	make_store(2, SL_DURABILITY_DURABLE);
	lane = lane_at(0);
	fill_drive(0, true);
	while (!sl_lane_is_idle_for_room(lane)) {
		append_everywhere(4);
		turn();
		sched_yield();
	}
	expect_all_in(1);
	CU_ASSERT(sl_lane_post_ledger(lane, &ledger, sizeof(ledger)));
	CU_ASSERT_FALSE(sl_lane_take_ledger(lane, now_ns));
	CU_ASSERT_FALSE(sl_lane_append_gap(lane, &gap, now_ns));
	CU_ASSERT(sl_lane_append_gap(lane_at(1), &gap, now_ns));
	turn_until_quiet();
	CU_ASSERT(sl_lane_is_quiet(lane));
	// With room it writes again.
	fill_drive(0, false);
	while (lane->is_halted) {
		turn();
		sched_yield();
	}
	CU_ASSERT(sl_lane_take_ledger(lane, now_ns));
	turn_until_quiet();
	CU_ASSERT(sl_lane_is_quiet(lane));
	expect_identity();
	expect_the_same_after_a_kill();
}

static bool are_active(void)
{
	return SL_LOAD(lane_at(0)->shm->state) == SL_LANE_ACTIVE &&
		SL_LOAD(lane_at(1)->shm->state) == SL_LANE_ACTIVE;
}

// Nothing comes meanwhile that would open the segments.
static void when_there_is_room_again_the_partitions_stay(void)
{
	make_store(2, SL_DURABILITY_DURABLE);
	is_keeper_slow = true;
	fill_drive(0, true);
	fill_drive(1, true);
	while (lane_at(0)->leaving != SL_LEAVING_WANTED ||
		lane_at(1)->leaving != SL_LEAVING_WANTED) {
		append_everywhere(4);
		turn();
		sched_yield();
	}
	CU_ASSERT_EQUAL(lane_at(0)->shm->state, SL_LANE_DISK_FULL);
	fill_drive(0, false);
	fill_drive(1, false);
	while (!are_active()) {
		turn();
		sched_yield();
	}
	is_keeper_slow = false;
	for (uint32_t i = 0; i < 10; i++)
		turn();
	for (uint32_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(lane_at(i)->leaving, SL_LEAVING_NONE);
		CU_ASSERT_EQUAL(lane_at(i)->owned_count, PARTITION_COUNT / 2);
		CU_ASSERT_FALSE(lane_at(i)->is_promised);
	}
	append_everywhere(1);
	turn_until_quiet();
	expect_identity();
	expect_the_same_after_a_kill();
}

// ---- segments that cannot be closed

// A directory in the place of the lane's second segment: it cannot be unlinked.
static void block_removal(uint32_t index, bool is_blocked)
{
	const char *lane_path = fixture.store.keeper->lanes[index].config.path;
	char path[SL_PATH_BYTES_MAX];

	CU_ASSERT_EQUAL_FATAL(sl_segment_path(path, lane_path, 2, NULL), 0);
	sl_store_fixture_block(path, is_blocked);
}

// A write fails, and the first one of the next segment, which is void then.
static void leave_void_segment(uint32_t path_count)
{
	make_store(path_count, SL_DURABILITY_DURABLE);
	lane_at(0)->retry_limit = 3;
	block_removal(0, true);
	set_fault(0, (struct sl_io_fault){.eio_number = 1, .eio_count = 2});
	append_everywhere(1);
}

static void a_void_segment_that_cannot_be_removed_keeps_no_partitions(void)
{
	leave_void_segment(2);
	while (lane_at(0)->shm->rehomed == 0) {
		now_ns += BACKOFF_US * SL_NS_PER_US;
		turn();
		sched_yield();
	}
	CU_ASSERT_EQUAL(lane_at(0)->shm->writes_failed, 2);
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_CLOSED);
	expect_all_in(1);
	append_everywhere(3);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	sl_lane_stop_waiting(lane_at(0));
	CU_ASSERT(sl_lane_is_quiet(lane_at(0)));
	block_removal(0, false);
	expect_the_same_after_a_kill();
}

static void with_one_drive_the_drain_ends_what_waits_for_that_removal(void)
{
	leave_void_segment(1);
	while (lane_at(0)->halt_refusal != SL_DROP_DRIVE_FAILED) {
		now_ns += BACKOFF_US * SL_NS_PER_US;
		turn();
		sched_yield();
	}
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_CLOSED);
	CU_ASSERT_EQUAL(lane_at(0)->shm->state, SL_LANE_HALTED);
	sl_lane_stop_waiting(lane_at(0));
	CU_ASSERT(lane_at(0)->failed);
	CU_ASSERT_EQUAL(fixture.counters[0].drops[SL_DROP_DRIVE_FAILED], PARTITION_COUNT);
	expect_identity();
	block_removal(0, false);
	expect_the_same_after_a_kill();
}

static void what_is_removed_after_all_lets_the_lane_go_on(void)
{
	leave_void_segment(1);
	fixture.store.keeper->config.backoff_ns_max = 1;
	while (SL_LOAD(lane_at(0)->stuck_segment) == 0) {
		now_ns += BACKOFF_US * SL_NS_PER_US;
		turn();
		sched_yield();
	}
	block_removal(0, false);
	while (lane_at(0)->is_halted) {
		now_ns += BACKOFF_US * SL_NS_PER_US;
		turn();
		sched_yield();
	}
	turn_until_quiet();
	CU_ASSERT_EQUAL(lane_at(0)->shm->state, SL_LANE_ACTIVE);
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

// What the keeper says of a footer that fails; the lane goes on behind it in this segment.
static void fail_footer(uint32_t index)
{
	lane_at(index)->previous_segment = 1;
	SL_STORE_RELEASE(lane_at(index)->stuck_segment, 1);
}

static void mend_footer(uint32_t index)
{
	SL_STORE(lane_at(index)->stuck_segment, 0);
	SL_STORE_RELEASE(lane_at(index)->sealed_segment, 1);
}

static void a_lane_whose_footer_fails_is_no_target(void)
{
	make_store(3, SL_DURABILITY_DURABLE);
	fail_footer(1);
	fail_drive(0);
	append_everywhere(1);
	turn_until_rehomed(lane_at(0), 1);
	CU_ASSERT_EQUAL(lane_at(1)->owned_count, 2);
	CU_ASSERT_EQUAL(lane_at(2)->owned_count, 4);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

static void a_target_whose_footer_fails_before_it_has_begun_is_given_up(void)
{
	struct sl_lane *target;

	make_store(3, SL_DURABILITY_DURABLE);
	fail_drive(0);
	fail_and_grant();
	target = lane_at(0)->target;
	fail_footer(target == lane_at(1) ? 1 : 2);
	turn_until_rehomed(lane_at(0), 1);
	CU_ASSERT_EQUAL(target->owned_count, 2);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	expect_identity();
	expect_the_same_after_a_kill();
}

static void a_lane_whose_footer_fails_leaves_when_its_segment_is_full(void)
{
	make_store(2, SL_DURABILITY_DURABLE);
	fail_footer(0);
	while (lane_at(0)->shm->rehomed == 0) {
		append_everywhere(4);
		turn();
		sched_yield();
	}
	expect_all_in(1);
	CU_ASSERT_EQUAL(fixture.store.breakers[0].state, SL_BREAKER_CLOSED);
	append_everywhere(10);
	turn_until_quiet();
	CU_ASSERT_EQUAL(fixture.counters[0].stored, fixture.counters[0].appended);
	// Here that segment is the one that it was in: it can be sealed, and the lane is well
	// again.
	while (lane_at(0)->is_halted) {
		turn();
		sched_yield();
	}
	turn_until_quiet();
	CU_ASSERT_EQUAL(lane_at(0)->shm->state, SL_LANE_ACTIVE);
	expect_identity();
	expect_the_same_after_a_kill();
}

static void with_one_drive_it_refuses_says_so_and_goes_on_behind_the_footer(void)
{
	struct sl_lane *lane;

	make_store(1, SL_DURABILITY_DURABLE);
	lane = lane_at(0);
	fail_footer(0);
	while (!lane->is_stuck) {
		append_everywhere(4);
		turn();
	}
	turn();
	CU_ASSERT_EQUAL(lane->refusal, SL_DROP_DRIVE_FAILED);
	CU_ASSERT_EQUAL(lane->shm->state, SL_LANE_HALTED);
	CU_ASSERT_FALSE(lane->is_halted);
	mend_footer(0);
	while (!append(0)) {
		turn();
		sched_yield();
	}
	turn_until_quiet();
	CU_ASSERT_EQUAL(lane->shm->state, SL_LANE_ACTIVE);
	expect_identity();
	expect_the_same_after_a_kill();
}

// ---- the drain

// It is full and gets no segment, on the way of what comes to it.
static void the_drain_ends_a_target_that_gets_no_segment_and_what_comes_to_it(void)
{
	struct sl_lane *target;

	make_store(2, SL_DURABILITY_DURABLE);
	target = lane_at(1);
	fail_drive(0);
	fail_and_grant();
	fill_drive(1, true);
	turn_until_leaving(lane_at(0), SL_LEAVING_UNDER_WAY);
	while (!target->is_stuck) {
		append(PARTITION_COUNT - 1);
		reap(target);
		sl_lane_tick(target, now_ns);
		sched_yield();
	}
	turn_until_leaving(target, SL_LEAVING_WANTED);
	CU_ASSERT_EQUAL_FATAL(lane_at(0)->leaving, SL_LEAVING_UNDER_WAY);
	sl_lane_stop_waiting(lane_at(0));
	CU_ASSERT_FALSE(lane_at(0)->failed); // it is the target's to say
	sl_lane_stop_waiting(target);
	CU_ASSERT(target->failed);
	turn();
	CU_ASSERT(lane_at(0)->failed);
	CU_ASSERT(sl_lane_is_quiet(lane_at(0)));
	CU_ASSERT(sl_lane_is_quiet(target));
	CU_ASSERT(fixture.counters[0].drops[SL_DROP_DISK_FULL] > 0);
	expect_identity();
	expect_the_same_after_a_kill();
}

static const struct sl_test tests[] = {
	SL_TEST(a_lane_that_has_left_a_full_drive_is_given_nothing_and_is_quiet),
	SL_TEST(when_there_is_room_again_the_partitions_stay),
	SL_TEST(a_void_segment_that_cannot_be_removed_keeps_no_partitions),
	SL_TEST(with_one_drive_the_drain_ends_what_waits_for_that_removal),
	SL_TEST(what_is_removed_after_all_lets_the_lane_go_on),
	SL_TEST(a_lane_whose_footer_fails_is_no_target),
	SL_TEST(a_target_whose_footer_fails_before_it_has_begun_is_given_up),
	SL_TEST(a_lane_whose_footer_fails_leaves_when_its_segment_is_full),
	SL_TEST(with_one_drive_it_refuses_says_so_and_goes_on_behind_the_footer),
	SL_TEST(the_drain_ends_a_target_that_gets_no_segment_and_what_comes_to_it),
};
SL_SUITE(dataplane_store_rehome_stuck);
