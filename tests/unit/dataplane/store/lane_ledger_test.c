/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"
#include "suite.h"

#include <string.h>

static struct sl_fixture fixture;

static struct sl_run_ledger ledger_of(uint64_t sequence)
{
	return (struct sl_run_ledger){
		.boot = 7,
		.sequence = sequence,
		.header_bytes = sizeof(struct sl_run_ledger),
		.port_bytes = sizeof(struct sl_run_ledger_port),
		.drop_bytes = sizeof(struct sl_run_ledger_drop),
	};
}

// Seals what is open, whatever its age, and waits for it.
static void settle(uint64_t now_ns)
{
	sl_fixture_turn(&fixture, now_ns);
	sl_fixture_settle(&fixture, now_ns);
}

struct found {
	uint32_t count, alone_count; // alone: in a batch without events
	uint64_t last_sequence;
	uint8_t last_kind; // of the last batch
};

static struct found ledgers_in_log(void)
{
	const struct sl_batch_header *header;
	struct sl_fixture_walk walk;
	struct found found = {0};

	sl_fixture_walk_init(&walk, &fixture);
	while ((header = sl_fixture_walk_next(&walk)) != NULL) {
		struct sl_run_iterator runs;
		struct sl_run run;

		found.last_kind = header->kind;
		sl_run_iterator_init(&runs, header);
		runs.wants_ledgers = true;
		while (sl_run_next(&runs, &run, NULL)) {
			struct sl_run_ledger ledger;

			if (run.type != SL_RUN_LEDGER)
				continue;
			sl_run_ledger_header(run.data, &ledger);
			found.last_sequence = ledger.sequence;
			found.count++;
			found.alone_count += header->event_count == 0;
		}
		sl_run_iterator_fini(&runs);
	}
	sl_fixture_walk_fini(&walk);
	return found;
}

static void a_posted_ledger_rides_in_the_open_batch(void)
{
	struct sl_run_ledger one = ledger_of(1), two = ledger_of(2);

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	CU_ASSERT_FALSE(sl_lane_take_ledger(&fixture.lane, SL_FIXTURE_START_NS));
	CU_ASSERT(sl_fixture_append(&fixture, 0, "x", 1, SL_FIXTURE_START_NS));
	CU_ASSERT(sl_lane_post_ledger(&fixture.lane, &one, sizeof(one)));
	// The one before is not written yet.
	CU_ASSERT_FALSE(sl_lane_post_ledger(&fixture.lane, &two, sizeof(two)));
	CU_ASSERT(sl_lane_take_ledger(&fixture.lane, SL_FIXTURE_START_NS));
	CU_ASSERT_FALSE(sl_lane_take_ledger(&fixture.lane, SL_FIXTURE_START_NS));
	CU_ASSERT(sl_lane_post_ledger(&fixture.lane, &two, sizeof(two)));
	settle(SL_FIXTURE_START_NS + SL_NS_PER_S);
	struct found found = ledgers_in_log();
	CU_ASSERT_EQUAL(found.count, 1);
	CU_ASSERT_EQUAL(found.alone_count, 0);
	CU_ASSERT_EQUAL(found.last_sequence, 1);
	CU_ASSERT_EQUAL(fixture.partitions[0].next_offset, 1);
	sl_fixture_close(&fixture);
}

static void a_lane_that_has_failed_takes_none(void)
{
	struct sl_run_ledger one = ledger_of(1);

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	CU_ASSERT(sl_lane_post_ledger(&fixture.lane, &one, sizeof(one)));
	sl_lane_fail(&fixture.lane, SL_DROP_LANE_FAILED, -5);
	CU_ASSERT_FALSE(sl_lane_take_ledger(&fixture.lane, SL_FIXTURE_START_NS));
	sl_fixture_close(&fixture);
}

static void a_segment_that_gathers_ledgers_alone_does_not_age(void)
{
	struct sl_run_ledger one = ledger_of(1);
	uint64_t now_ns = SL_FIXTURE_START_NS;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.segment_age_s = 1});
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(sl_lane_post_ledger(&fixture.lane, &one, sizeof(one)));
	CU_ASSERT(sl_lane_take_ledger(&fixture.lane, now_ns));
	settle(now_ns + SL_NS_PER_S);
	sl_fixture_turn(&fixture, now_ns + 100 * SL_NS_PER_S);
	CU_ASSERT_EQUAL(fixture.shm.segments_aged, 0);
	CU_ASSERT_EQUAL(ledgers_in_log().count, 1);
	now_ns += 200 * SL_NS_PER_S;
	CU_ASSERT(sl_fixture_append(&fixture, 0, "x", 1, now_ns));
	settle(now_ns + SL_NS_PER_S);
	sl_fixture_turn(&fixture, now_ns + 100 * SL_NS_PER_S);
	CU_ASSERT_EQUAL(fixture.shm.segments_aged, 1);
	sl_fixture_close(&fixture);
}

// What was posted and not written is overtaken by the last one.
static void a_lane_ends_with_the_ledger_that_was_set_and_a_mark(void)
{
	struct sl_run_ledger one = ledger_of(1), last = ledger_of(9);
	struct sl_err err = {0};

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true});
	CU_ASSERT(sl_fixture_append(&fixture, 0, "x", 1, SL_FIXTURE_START_NS));
	settle(SL_FIXTURE_START_NS + SL_NS_PER_S);
	CU_ASSERT(sl_lane_post_ledger(&fixture.lane, &one, sizeof(one)));
	sl_lane_set_ledger(&fixture.lane, &last, sizeof(last));
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	struct found found = ledgers_in_log();
	CU_ASSERT_EQUAL(found.count, 1);
	CU_ASSERT_EQUAL(found.alone_count, 1);
	CU_ASSERT_EQUAL(found.last_sequence, 9);
	CU_ASSERT_EQUAL(found.last_kind, SL_BATCH_MARK);
	CU_ASSERT_EQUAL(fixture.counters.stored, 1);
	sl_fixture_close(&fixture);
}

// However full its segment is: room for the ledger and the mark stays.
static void a_full_segment_has_room_for_the_end(void)
{
	struct sl_run_ledger last = ledger_of(9);
	uint64_t now_ns = SL_FIXTURE_START_NS;
	static const char value[30000];
	struct sl_err err = {0};

	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_DURABLE});
	while (sl_fixture_append(&fixture, 0, value, sizeof(value), now_ns)) {
		now_ns += 2 * SL_NS_PER_S;
		settle(now_ns);
	}
	// Idle marks take what room they may.
	for (int i = 0; i < 200; i++) {
		now_ns += 2 * SL_NS_PER_S;
		settle(now_ns);
	}
	sl_lane_set_ledger(&fixture.lane, &last, sizeof(last));
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	struct found found = ledgers_in_log();
	CU_ASSERT_EQUAL(found.count, 1);
	CU_ASSERT_EQUAL(found.last_kind, SL_BATCH_MARK);
	sl_fixture_close(&fixture);
}

// It stands at the lane's last event, and its writes begin now.
static void a_ledger_that_makes_a_silent_lane_roll_is_written_now(void)
{
	const struct sl_batch_header *header, *last = NULL;
	struct sl_run_ledger one = ledger_of(1);
	uint64_t now_ns = SL_FIXTURE_START_NS, event_ns;
	static const char value[30000];
	struct sl_fixture_walk walk;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	while (sl_fixture_append(&fixture, 0, value, sizeof(value), now_ns)) {
		now_ns += SL_NS_PER_S;
		settle(now_ns);
	}
	event_ns = fixture.lane.time_last_ns;
	now_ns += 3600 * SL_NS_PER_S;
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(sl_lane_post_ledger(&fixture.lane, &one, sizeof(one)));
	CU_ASSERT(sl_lane_take_ledger(&fixture.lane, now_ns));
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	settle(now_ns + SL_NS_PER_S);
	CU_ASSERT(fixture.shm.write_ns_max <= SL_NS_PER_S);
	sl_fixture_walk_init(&walk, &fixture);
	while (sl_fixture_walk_next(&walk) != NULL)
		continue;
	sl_fixture_walk_segment(&walk, 2);
	while ((header = sl_fixture_walk_next(&walk)) != NULL)
		last = header;
	CU_ASSERT_PTR_NOT_NULL_FATAL(last);
	CU_ASSERT_EQUAL(last->kind, SL_BATCH_EVENTS);
	CU_ASSERT_EQUAL(last->time_base_ns, event_ns);
	CU_ASSERT_EQUAL(last->time_last_ns, event_ns);
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_posted_ledger_rides_in_the_open_batch),
	SL_TEST(a_lane_that_has_failed_takes_none),
	SL_TEST(a_segment_that_gathers_ledgers_alone_does_not_age),
	SL_TEST(a_lane_ends_with_the_ledger_that_was_set_and_a_mark),
	SL_TEST(a_full_segment_has_room_for_the_end),
	SL_TEST(a_ledger_that_makes_a_silent_lane_roll_is_written_now),
};
SL_SUITE(dataplane_store_lane_ledger);
