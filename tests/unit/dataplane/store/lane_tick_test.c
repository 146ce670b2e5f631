/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"
#include "suite.h"

#define NOW SL_FIXTURE_START_NS

static void an_open_batch_goes_when_its_linger_is_over_and_not_before(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.linger_us = 500});
	sl_fixture_append(&fixture, 1, "a", 1, NOW);
	// It counts from the first event's arrival.
	sl_fixture_append(&fixture, 1, "b", 1, NOW + 499 * SL_NS_PER_US);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + 500 * SL_NS_PER_US - 1), 0);
	CU_ASSERT_EQUAL(fixture.lane.event_count, 2);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + 500 * SL_NS_PER_US), 1);
	CU_ASSERT_EQUAL(fixture.lane.event_count, 0);
	CU_ASSERT_EQUAL(fixture.lane.unretired, 1);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 2);
	sl_fixture_settle(&fixture, NOW + 500 * SL_NS_PER_US);
	CU_ASSERT_EQUAL(fixture.counters.stored, 2);
	sl_fixture_close(&fixture);
}

// Quarters of what goes at once.
static void append_quarters(struct sl_fixture *fixture, uint32_t count)
{
	static char data[SL_LANE_EAGER_BYTES / 4];

	for (uint32_t i = 0; i < count; i++)
		sl_fixture_append(fixture, 1, data, sizeof(data), NOW);
}

static void with_nothing_under_way_enough_goes_at_once(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.batch_bytes = 512 * 1024});
	append_quarters(&fixture, 3);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW), 0);
	append_quarters(&fixture, 1);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW), 1);
	CU_ASSERT_EQUAL(fixture.lane.unretired, 1);
	// Now something is under way: the next lingers.
	append_quarters(&fixture, 8);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW), 0);
	CU_ASSERT_EQUAL(fixture.lane.event_count, 8);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_close(&fixture);
}

static void where_more_is_at_hand_enough_lingers_as_well(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.batch_bytes = 512 * 1024, .linger_us = 500});
	append_quarters(&fixture, 4);
	fixture.lane.is_hurried = true;
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW), 0);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + 500 * SL_NS_PER_US), 1);
	sl_fixture_settle(&fixture, NOW + 500 * SL_NS_PER_US);
	append_quarters(&fixture, 4);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW), 0);
	fixture.lane.is_hurried = false;
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW), 1);
	sl_fixture_settle(&fixture, NOW + 500 * SL_NS_PER_US);
	sl_fixture_close(&fixture);
}

// Retires what is under way; returns the header of the last batch on the disk.
static struct sl_batch_header last_batch(struct sl_fixture *fixture, uint64_t now_ns)
{
	struct sl_fixture_walk walk;
	struct sl_batch_header last = {0};
	const struct sl_batch_header *header;

	sl_fixture_settle(fixture, now_ns);
	sl_fixture_walk_init(&walk, fixture);
	while ((header = sl_fixture_walk_next(&walk)) != NULL)
		last = *header;
	sl_fixture_walk_fini(&walk);
	return last;
}

static void an_idle_durable_lane_states_its_mark_once_after_a_second(void)
{
	struct sl_fixture fixture;
	struct sl_batch_header last;

	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_DURABLE});
	sl_fixture_append(&fixture, 1, "a", 1, NOW);
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + SL_LANE_IDLE_MARK_NS - 1), 0);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + SL_LANE_IDLE_MARK_NS), 1);
	last = last_batch(&fixture, NOW + SL_LANE_IDLE_MARK_NS);
	CU_ASSERT_EQUAL(last.kind, SL_BATCH_MARK);
	CU_ASSERT_EQUAL(last.flags, 0);
	CU_ASSERT_EQUAL(last.number, 3);
	CU_ASSERT_EQUAL(last.durable_mark, 2);
	CU_ASSERT_EQUAL(last.run_count, 0);
	CU_ASSERT_EQUAL(last.time_base_ns, NOW);
	// A mark needs no mark.
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + 100 * SL_LANE_IDLE_MARK_NS), 0);
	CU_ASSERT_EQUAL(fixture.lane.next_number, 4);
	sl_fixture_close(&fixture);
}

static void a_lane_that_is_not_durable_writes_no_marks(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_WRITTEN});
	sl_fixture_append(&fixture, 1, "a", 1, NOW);
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(sl_lane_tick(&fixture.lane, NOW + 100 * SL_LANE_IDLE_MARK_NS), 0);
	CU_ASSERT_EQUAL(fixture.lane.next_number, 3);
	sl_fixture_close(&fixture);
}

static void a_mark_never_takes_the_room_of_the_clean_stop(void)
{
	static char data[60000];
	struct sl_fixture fixture;
	struct sl_err err = {0};
	uint64_t now_ns = NOW;

	// Batches with marks between them, until nothing fits any more.
	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){
			.durability = SL_DURABILITY_DURABLE, .segment_bytes = 256 * 1024});
	while (sl_fixture_append(&fixture, 1, data, sizeof(data), now_ns)) {
		sl_lane_seal(&fixture.lane, now_ns);
		sl_fixture_settle(&fixture, now_ns);
		now_ns += SL_LANE_IDLE_MARK_NS;
		sl_fixture_turn(&fixture, now_ns);
		sl_fixture_settle(&fixture, now_ns);
	}
	CU_ASSERT(fixture.lane.position <=
		sl_segment_usable_bytes(fixture.lane.segment) - SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	CU_ASSERT(fixture.lane.position <= sl_segment_usable_bytes(fixture.lane.segment));
	CU_ASSERT_EQUAL(last_batch(&fixture, now_ns).flags, SL_BATCH_FLAG_CLEAN_STOP);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(an_open_batch_goes_when_its_linger_is_over_and_not_before),
	SL_TEST(with_nothing_under_way_enough_goes_at_once),
	SL_TEST(where_more_is_at_hand_enough_lingers_as_well),
	SL_TEST(an_idle_durable_lane_states_its_mark_once_after_a_second),
	SL_TEST(a_lane_that_is_not_durable_writes_no_marks),
	SL_TEST(a_mark_never_takes_the_room_of_the_clean_stop),
};
SL_SUITE(dataplane_store_lane_tick);
