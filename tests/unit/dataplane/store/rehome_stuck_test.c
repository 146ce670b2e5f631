/* SPDX-License-Identifier: BSD-3-Clause */
// Lanes that cannot enter a next segment, for want of room or because what is in front of it cannot
// be closed; and those that have left for it.
#include "rehome_fixture.h"

#include <stdio.h>

// ---- room

static char kept_path[SL_PATH_BYTES_MAX];

// /proc says of itself that it has no room: no segment is made there.
static void fill_drive(uint32_t index, bool is_full)
{
	char *path = fixture.store.keeper->lanes[index].config.path;

	if (is_full)
		strcpy(kept_path, path);
	strcpy(path, is_full ? "/proc" : kept_path);
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

static const struct sl_test tests[] = {
	SL_TEST(a_lane_that_has_left_a_full_drive_is_given_nothing_and_is_quiet),
};
SL_SUITE(dataplane_store_rehome_stuck);
