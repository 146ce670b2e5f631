/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

#define NOW SL_FIXTURE_START_NS

static char data[60000];

static const struct sl_fixture_options small = {
	.segment_bytes = 512 * 1024, // seven batches and the footer
	.durability = SL_DURABILITY_DURABLE,
};

// Appends full batches to partition until the lane opens another segment or refuses.
static bool fill_segment(struct sl_fixture *fixture, uint16_t partition)
{
	uint64_t segment = fixture->lane.segment->number;

	while (fixture->lane.segment->number == segment) {
		if (!sl_fixture_append(fixture, partition, data, sizeof(data), NOW))
			return false;
		sl_fixture_settle(fixture, NOW);
	}
	return true;
}

static void expect_states(const struct sl_batch_header *header, const uint64_t *next_offsets)
{
	const struct sl_partition_state *states;
	struct sl_run_iterator runs;
	struct sl_run run;

	CU_ASSERT_EQUAL(header->kind, SL_BATCH_CHECKPOINT);
	CU_ASSERT_EQUAL(header->flags, SL_BATCH_FLAG_CHECKPOINT_END);
	CU_ASSERT_EQUAL(header->position, 0);
	sl_run_iterator_init(&runs, header);
	CU_ASSERT_FATAL(sl_run_next(&runs, &run, NULL));
	CU_ASSERT_EQUAL(run.type, SL_RUN_PARTITION_STATE);
	CU_ASSERT_EQUAL_FATAL(run.bytes, 4 * sizeof(*states));
	states = run.data;
	for (uint32_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(states[i].partition, i);
		CU_ASSERT_EQUAL(states[i].next_offset, next_offsets[i]);
		CU_ASSERT_EQUAL(states[i].term, 1 + i % 3);
		CU_ASSERT_EQUAL(states[i].term_start, i);
	}
	sl_run_iterator_fini(&runs);
}

static void a_segment_opens_with_the_state_that_all_batches_before_it_made(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;
	uint64_t next_offsets[4] = {0, 100, 200, 300};
	uint64_t number_before, offset_before;

	sl_fixture_open(&fixture, &small);
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(fill_segment(&fixture, 1));
	// The event that did not fit is in the open batch, behind the checkpoint.
	CU_ASSERT_EQUAL(fixture.lane.event_count, 1);
	offset_before = fixture.partitions[1].next_offset - 1;
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_walk_init(&walk, &fixture);
	expect_states(sl_fixture_walk_next(&walk), next_offsets);
	while (sl_fixture_walk_next(&walk) != NULL) {
		// Room stays for the mark of a clean stop.
		CU_ASSERT(walk.position <= walk.file_bytes - 2 * SL_BLOCK_BYTES);
	}
	number_before = walk.last_number;
	sl_fixture_walk_segment(&walk, 2); // the chain goes on: number and checksum are held on to
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->number, number_before + 1);
	next_offsets[1] = offset_before;
	expect_states(header, next_offsets);
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(sl_batch_table(header)->first_offset, offset_before);
	CU_ASSERT_PTR_NULL(sl_fixture_walk_next(&walk));
	sl_fixture_walk_fini(&walk);
	CU_ASSERT_EQUAL(fixture.shm.segment, 2);
	CU_ASSERT_EQUAL(fixture.shm.segments_rolled, 1);
	sl_fixture_close(&fixture);
}

static void a_full_segment_goes_to_the_keeper_when_all_its_batches_are_retired(void)
{
	struct sl_fixture fixture;
	struct sl_segment *segment;

	sl_fixture_open(&fixture, &small);
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(fill_segment(&fixture, 1));
	CU_ASSERT_FALSE(sl_lane_is_quiet(&fixture.lane));
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	segment = fixture.lane.closing;
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_PTR_NULL(fixture.lane.full_segment);
	CU_ASSERT_EQUAL(segment->number, 1);
	CU_ASSERT_EQUAL(segment->first_number, 1);
	CU_ASSERT_EQUAL(segment->last_number + 1, fixture.lane.segment->first_number);
	CU_ASSERT_EQUAL(segment->event_count, fixture.counters.stored - 1);
	CU_ASSERT_EQUAL(segment->time_last_ns, NOW);
	CU_ASSERT(segment->end_position <= sl_segment_usable_bytes(segment));
	CU_ASSERT(sl_lane_is_quiet(&fixture.lane));
	sl_fixture_close(&fixture);
}

static void no_third_segment_opens_before_the_first_is_sealed(void)
{
	struct sl_fixture fixture;
	uint64_t refused_count;

	sl_fixture_open(&fixture, &small);
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(fill_segment(&fixture, 1));
	sl_fixture_give_spare(&fixture);
	CU_ASSERT_FALSE(fill_segment(&fixture, 1)); // though there is a spare
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	CU_ASSERT_EQUAL(fixture.lane.refusal, SL_DROP_LANE_FULL);
	CU_ASSERT_PTR_NOT_NULL(fixture.lane.spare);
	refused_count = fixture.counters.drops[SL_DROP_LANE_FULL];
	sl_fixture_seal_closing(&fixture);
	CU_ASSERT(fill_segment(&fixture, 1));
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 3);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], refused_count);
	sl_fixture_close(&fixture);
}

static void numbers_of_segments_may_have_gaps(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &small);
	for (uint32_t i = 0; i < 4; i++) {
		// A spare of a run that was killed is removed, and its number never used again.
		fixture.next_segment++;
		sl_fixture_give_spare(&fixture);
		CU_ASSERT_FATAL(fill_segment(&fixture, 1));
		sl_fixture_settle(&fixture, NOW);
		sl_fixture_seal_closing(&fixture);
	}
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 9);
	sl_fixture_close(&fixture);
}

static void a_full_disk_refuses_by_reason_and_the_lane_goes_on_when_there_is_room(void)
{
	struct sl_fixture fixture;
	uint64_t appended_count;

	sl_fixture_open(&fixture, &small);
	SL_STORE(fixture.lane.spare_error, -ENOSPC);
	CU_ASSERT_FALSE(fill_segment(&fixture, 1));
	CU_ASSERT_EQUAL(fixture.lane.refusal, SL_DROP_DISK_FULL);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_DISK_FULL], 1);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_DISK_FULL);
	sl_fixture_settle(&fixture, NOW);
	appended_count = fixture.counters.appended;
	CU_ASSERT_EQUAL(fixture.counters.stored, appended_count); // what was in is harmed in no way
	SL_STORE(fixture.lane.spare_error, 0);
	CU_ASSERT_FALSE(fill_segment(&fixture, 1)); // the segment is there, and not handed over yet
	CU_ASSERT_TRUE(fixture.lane.is_stuck); // it may have asked to leave, and been heard
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(fill_segment(&fixture, 1));
	CU_ASSERT_FALSE(fixture.lane.is_stuck);
	CU_ASSERT_EQUAL(fixture.shm.state, SL_LANE_ACTIVE);
	CU_ASSERT_EQUAL(fixture.counters.appended, appended_count + 1);
	sl_fixture_close(&fixture);
}

static void without_a_next_segment_events_are_refused_by_the_birth_s_reason(void)
{
	static const struct {
		int32_t error;
		enum sl_drop_reason refusal;
		enum sl_lane_state state;
	} births[] = {
		{0, SL_DROP_LANE_FULL, SL_LANE_ACTIVE}, // merely late
		{-ENOSPC, SL_DROP_DISK_FULL, SL_LANE_DISK_FULL},
		{-EDQUOT, SL_DROP_DISK_FULL, SL_LANE_DISK_FULL},
		{-EIO, SL_DROP_DRIVE_FAILED, SL_LANE_ACTIVE},
		{-EACCES, SL_DROP_DRIVE_FAILED, SL_LANE_ACTIVE},
	};

	for (size_t i = 0; i < SL_ARRAY_COUNT(births); i++) {
		struct sl_fixture fixture;

		sl_fixture_open(&fixture, &small);
		SL_STORE(fixture.lane.spare_error, births[i].error);
		CU_ASSERT_FALSE(fill_segment(&fixture, 1));
		CU_ASSERT_EQUAL(fixture.lane.refusal, births[i].refusal);
		CU_ASSERT_EQUAL(fixture.counters.drops[births[i].refusal], 1);
		CU_ASSERT_EQUAL(fixture.shm.state, births[i].state);
		sl_fixture_close(&fixture);
	}
}

static void a_checkpoint_of_65536_partitions_spans_batches_and_misses_none(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;
	uint32_t state_count = 0, batch_count = 0;

	sl_fixture_open(&fixture,
		&(struct sl_fixture_options){.partition_count = 65536,
			.in_flight_max = 32,
			.batch_bytes = SL_BATCH_BYTES_MIN});
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(fill_segment(&fixture, 40000));
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_walk_init(&walk, &fixture);
	while (sl_fixture_walk_next(&walk) != NULL)
		continue;
	sl_fixture_walk_segment(&walk, 2);
	do {
		struct sl_run_iterator runs;
		struct sl_run run;

		header = sl_fixture_walk_next(&walk);
		CU_ASSERT_PTR_NOT_NULL_FATAL(header);
		CU_ASSERT_EQUAL_FATAL(header->kind, SL_BATCH_CHECKPOINT);
		sl_run_iterator_init(&runs, header);
		CU_ASSERT_FATAL(sl_run_next(&runs, &run, NULL));
		for (uint32_t i = 0; i < run.bytes / sizeof(struct sl_partition_state); i++) {
			const struct sl_partition_state *state =
				(const struct sl_partition_state *)run.data + i;

			if (state->partition != state_count)
				CU_FAIL_FATAL("a state is missing or out of order");
			CU_ASSERT(state->partition == 40000 ||
				state->next_offset == state->partition * 100ull);
			state_count++;
		}
		sl_run_iterator_fini(&runs);
		batch_count++;
	} while (header->flags != SL_BATCH_FLAG_CHECKPOINT_END);
	CU_ASSERT_EQUAL(state_count, 65536);
	CU_ASSERT_EQUAL(batch_count, fixture.lane.checkpoint_batch_count);
	CU_ASSERT(batch_count > 1);
	CU_ASSERT_EQUAL(sl_fixture_walk_next(&walk)->kind, SL_BATCH_EVENTS);
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static void a_failed_seal_fails_the_lane(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &small);
	sl_fixture_append(&fixture, 1, "open", 4, NOW);
	SL_STORE_RELEASE(fixture.lane.seal_error, -EIO);
	sl_fixture_turn(&fixture, NOW);
	CU_ASSERT(fixture.lane.failed);
	CU_ASSERT_EQUAL(fixture.lane.write_error, -EIO);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FAILED], 1);
	sl_fixture_close(&fixture);
}

static const struct sl_fixture_options ageing = {.segment_age_s = 60};
#define AGE_NS (60 * SL_NS_PER_S)

static void a_segment_with_events_is_left_at_its_age_and_the_open_batch_goes_into_it(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &ageing);
	sl_fixture_give_spare(&fixture);
	CU_ASSERT(sl_fixture_append(&fixture, 1, "first", 5, NOW));
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_settle(&fixture, NOW + AGE_NS - 1);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 1);
	// Too young to linger out by itself.
	CU_ASSERT(sl_fixture_append(&fixture, 1, "open", 4, NOW + AGE_NS));
	sl_lane_tick(&fixture.lane, NOW + AGE_NS);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	CU_ASSERT_PTR_NULL(fixture.lane.open_batch);
	CU_ASSERT_EQUAL(fixture.shm.segments_aged, 1);
	CU_ASSERT_EQUAL(fixture.shm.segments_rolled, 1);
	sl_fixture_settle(&fixture, NOW + AGE_NS);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.closing);
	CU_ASSERT_EQUAL(fixture.lane.closing->event_count, 2);
	CU_ASSERT_EQUAL(fixture.lane.settled_segment, 2);
	CU_ASSERT_EQUAL(fixture.counters.stored, 2);
	sl_fixture_close(&fixture);
}

static void a_segment_without_events_is_never_too_old(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &ageing);
	sl_fixture_give_spare(&fixture);
	sl_fixture_settle(&fixture, NOW + 1000 * AGE_NS);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 1);
	CU_ASSERT_EQUAL(fixture.shm.segments_aged, 0);
	sl_fixture_close(&fixture);
}

static void an_old_segment_is_used_on_while_there_is_no_other(void)
{
	struct sl_fixture fixture;

	sl_fixture_open(&fixture, &ageing);
	CU_ASSERT(sl_fixture_append(&fixture, 1, "first", 5, NOW));
	sl_fixture_settle(&fixture, NOW + AGE_NS);
	sl_lane_tick(&fixture.lane, NOW + AGE_NS);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 1);
	CU_ASSERT(sl_fixture_append(&fixture, 1, "second", 6, NOW + AGE_NS));
	sl_fixture_give_spare(&fixture);
	sl_lane_tick(&fixture.lane, NOW + AGE_NS);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], 0);
	sl_fixture_close(&fixture);
}

// What was written ahead goes so far, and the next write may go beyond.
static void the_gauge_says_whether_the_next_write_may_be_the_first_on_its_blocks(void)
{
	const uint64_t ahead_bytes = SL_MIB;
	static const char value[30000];
	struct sl_fixture fixture;
	uint64_t position;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	CU_ASSERT_EQUAL(fixture.shm.unwritten_extents, 1);
	sl_fixture_give_spare(&fixture);
	fixture.lane.spare->formatted_bytes = ahead_bytes;
	while (fixture.lane.segment->number == 1) {
		CU_ASSERT_FATAL(sl_fixture_append(&fixture, 0, value, sizeof(value), NOW));
		sl_fixture_settle(&fixture, NOW);
	}
	CU_ASSERT_EQUAL(fixture.shm.unwritten_extents, 0);
	do {
		position = fixture.shm.position;
		CU_ASSERT_EQUAL(fixture.shm.unwritten_extents,
			position + fixture.lane.batch_bytes > ahead_bytes);
		CU_ASSERT_FATAL(sl_fixture_append(&fixture, 0, value, sizeof(value), NOW));
		sl_fixture_settle(&fixture, NOW);
	} while (position < 2 * ahead_bytes);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_segment_opens_with_the_state_that_all_batches_before_it_made),
	SL_TEST(a_full_segment_goes_to_the_keeper_when_all_its_batches_are_retired),
	SL_TEST(no_third_segment_opens_before_the_first_is_sealed),
	SL_TEST(numbers_of_segments_may_have_gaps),
	SL_TEST(a_full_disk_refuses_by_reason_and_the_lane_goes_on_when_there_is_room),
	SL_TEST(without_a_next_segment_events_are_refused_by_the_birth_s_reason),
	SL_TEST(a_checkpoint_of_65536_partitions_spans_batches_and_misses_none),
	SL_TEST(a_failed_seal_fails_the_lane),
	SL_TEST(a_segment_with_events_is_left_at_its_age_and_the_open_batch_goes_into_it),
	SL_TEST(a_segment_without_events_is_never_too_old),
	SL_TEST(an_old_segment_is_used_on_while_there_is_no_other),
	SL_TEST(the_gauge_says_whether_the_next_write_may_be_the_first_on_its_blocks),
};
SL_SUITE(dataplane_store_lane_roll);
