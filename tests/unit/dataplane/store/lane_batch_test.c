/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

#define NOW SL_FIXTURE_START_NS

// Skips the checkpoint that opens segment 1.
static void skip_checkpoint(struct sl_fixture_walk *walk)
{
	const struct sl_batch_header *header = sl_fixture_walk_next(walk);

	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->kind, SL_BATCH_CHECKPOINT);
	CU_ASSERT_EQUAL(header->flags, SL_BATCH_FLAG_CHECKPOINT_END);
	CU_ASSERT_EQUAL(header->number, 1);
	CU_ASSERT_EQUAL(header->position, 0);
}

static void expect_table(const struct sl_batch_header *header, uint32_t index, uint16_t partition,
	uint64_t first_offset, uint32_t event_count)
{
	const struct sl_batch_table_entry *entry = &sl_batch_table(header)[index];

	CU_ASSERT_EQUAL(entry->partition, partition);
	CU_ASSERT_EQUAL(entry->first_offset, first_offset);
	CU_ASSERT_EQUAL(entry->event_count, event_count);
	CU_ASSERT_EQUAL(entry->term, 1 + partition % 3u);
}

static void expect_run(
	struct sl_run_iterator *runs, uint16_t partition, const char *text, uint64_t receive_ns)
{
	struct sl_run run;

	CU_ASSERT_FATAL(sl_run_next(runs, &run, NULL));
	CU_ASSERT_EQUAL(run.type, SL_RUN_EVENT);
	CU_ASSERT_EQUAL(run.partition, partition);
	CU_ASSERT_EQUAL_FATAL(run.bytes, strlen(text));
	CU_ASSERT_EQUAL(memcmp(run.data, text, run.bytes), 0);
	CU_ASSERT_EQUAL(run.receive_ns, receive_ns);
	CU_ASSERT_PTR_NULL(run.source);
}

static void a_sealed_batch_on_disk_holds_exactly_what_was_appended(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	struct sl_run_iterator runs;
	const struct sl_batch_header *header;

	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_DURABLE});
	CU_ASSERT(sl_fixture_append(&fixture, 2, "first", 5, NOW + 10));
	CU_ASSERT(sl_fixture_append(&fixture, 0, "", 0, NOW + 20));
	CU_ASSERT(sl_fixture_append(&fixture, 2, "third", 5, NOW + 30));
	sl_lane_seal(&fixture.lane, NOW + 40);
	sl_fixture_settle(&fixture, NOW + 50);

	sl_fixture_walk_init(&walk, &fixture);
	skip_checkpoint(&walk);
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->kind, SL_BATCH_EVENTS);
	CU_ASSERT_EQUAL(header->flags, 0);
	CU_ASSERT_EQUAL(header->event_count, 3);
	CU_ASSERT_EQUAL(header->run_count, 3);
	CU_ASSERT_EQUAL(header->time_base_ns, NOW + 10);
	CU_ASSERT_EQUAL(header->time_last_ns, NOW + 30);
	CU_ASSERT_EQUAL(header->durable_mark, 1);
	CU_ASSERT_EQUAL_FATAL(header->table_count, 2);
	expect_table(header, 0, 2, 200, 2);
	expect_table(header, 1, 0, 0, 1);
	sl_run_iterator_init(&runs, header);
	expect_run(&runs, 2, "first", NOW + 10);
	expect_run(&runs, 0, "", NOW + 20);
	expect_run(&runs, 2, "third", NOW + 30);
	CU_ASSERT_FALSE(sl_run_next(&runs, &(struct sl_run){0}, NULL));
	sl_run_iterator_fini(&runs);
	CU_ASSERT_PTR_NULL(sl_fixture_walk_next(&walk));
	sl_fixture_walk_fini(&walk);

	CU_ASSERT_EQUAL(fixture.counters.stored, 3);
	CU_ASSERT_EQUAL(fixture.counters.stored_bytes, 10);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 0);
	CU_ASSERT_EQUAL(fixture.counters.batches, 2);
	CU_ASSERT_EQUAL(fixture.counters.written_bytes, 2 * SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(fixture.shm_partitions[2].next_offset, 202);
	CU_ASSERT_EQUAL(fixture.shm_partitions[2].watermark, 202);
	CU_ASSERT_EQUAL(fixture.shm_partitions[0].watermark, 1);
	CU_ASSERT_EQUAL(fixture.shm_partitions[1].watermark, 0);
	sl_fixture_close(&fixture);
}

static void batches_of_every_length_fit_and_check(void)
{
	enum { LENGTH_COUNT = 40 };
	static char data[4096];
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;
	uint32_t batch_count = 0;

	memset(data, 'x', sizeof(data));
	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	// Around a block's end: the table crosses it, starts at it, ends at it.
	for (uint32_t i = 0; i < LENGTH_COUNT; i++) {
		uint32_t bytes = SL_BLOCK_BYTES - SL_BATCH_RUNS_OFFSET - 12 - LENGTH_COUNT / 2 + i;

		CU_ASSERT(sl_fixture_append(&fixture, 1, data, bytes, NOW));
		sl_lane_seal(&fixture.lane, NOW);
		sl_fixture_settle(&fixture, NOW);
	}
	sl_fixture_walk_init(&walk, &fixture);
	skip_checkpoint(&walk);
	while ((header = sl_fixture_walk_next(&walk)) != NULL) {
		const char *padding = (const char *)header + header->byte_length;

		batch_count++;
		for (const char *end = walk.bytes + walk.position; padding < end; padding++)
			CU_ASSERT_EQUAL(*padding, 0);
	}
	CU_ASSERT_EQUAL(batch_count, LENGTH_COUNT);
	CU_ASSERT_EQUAL(fixture.counters.stored, LENGTH_COUNT);
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static void a_batch_takes_runs_to_its_last_byte_and_its_table_still_fits(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;
	uint32_t appended_count = 0;

	// Every event brings its own partition, so table entries use up the most room.
	sl_fixture_open(&fixture, &(struct sl_fixture_options){.partition_count = 8000});
	for (uint16_t i = 0; i < 8000; i++)
		appended_count += sl_fixture_append(&fixture, i, "0123", 4, NOW);
	CU_ASSERT_EQUAL(appended_count, 8000);
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_walk_init(&walk, &fixture);
	while ((header = sl_fixture_walk_next(&walk)) != NULL) {
		CU_ASSERT(header->byte_length <= fixture.options.batch_bytes);
		if (header->kind == SL_BATCH_EVENTS && header->number < walk.last_number)
			CU_ASSERT(header->byte_length > fixture.options.batch_bytes - 256);
	}
	CU_ASSERT_EQUAL(fixture.counters.stored, 8000);
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static void a_batch_closes_at_65535_events(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.batch_bytes = 1024 * 1024});
	for (uint32_t i = 0; i < SL_BATCH_EVENT_COUNT_MAX + 1; i++)
		CU_ASSERT_FATAL(sl_fixture_append(&fixture, 1, "", 0, NOW));
	CU_ASSERT_EQUAL(fixture.lane.event_count, 1);
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_walk_init(&walk, &fixture);
	skip_checkpoint(&walk);
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->event_count, SL_BATCH_EVENT_COUNT_MAX);
	expect_table(header, 0, 1, 100, SL_BATCH_EVENT_COUNT_MAX);
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	expect_table(header, 0, 1, 100 + SL_BATCH_EVENT_COUNT_MAX, 1);
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static void what_no_empty_batch_could_hold_is_too_large(void)
{
	static char data[65536];
	struct sl_fixture fixture;
	uint32_t bytes = sizeof(data);

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	CU_ASSERT(sl_fixture_append(&fixture, 1, "kept", 4, NOW));
	while (!sl_fixture_append(&fixture, 1, data, bytes, NOW)) {
		CU_ASSERT_EQUAL_FATAL(fixture.lane.refusal, SL_DROP_TOO_LARGE);
		// The open batch is not closed for something that will not go into the next either.
		CU_ASSERT_EQUAL_FATAL(fixture.lane.unretired, 0);
		bytes--;
	}
	CU_ASSERT(bytes >= sizeof(data) - 512);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_TOO_LARGE], sizeof(data) - bytes);
	sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	CU_ASSERT_EQUAL(fixture.counters.stored, 2);
	sl_fixture_close(&fixture);
}

static void without_a_free_batch_events_are_refused_and_nothing_is_lost(void)
{
	static char data[60000];
	struct sl_fixture fixture;
	struct sl_fixture_options options = {.in_flight_max = 2,
		.fault = {.hang_number = 1},
		.durability = SL_DURABILITY_WRITTEN};

	// Two batches hang, the third is open and full.
	sl_fixture_open(&fixture, &options);
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT(sl_fixture_append(&fixture, 1, data, sizeof(data), NOW));
	for (uint32_t i = 0; i < 5; i++)
		CU_ASSERT_FALSE(sl_fixture_append(&fixture, 1, data, sizeof(data), NOW));
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], 5);
	CU_ASSERT_EQUAL(fixture.lane.unretired, 2);
	CU_ASSERT_EQUAL(fixture.lane.event_count, 1);
	// A small one still fits into the open batch.
	CU_ASSERT(sl_fixture_append(&fixture, 2, "small", 5, NOW));
	// Linger or not: no more than in_flight_max are under way.
	sl_fixture_turn(&fixture, NOW + SL_NS_PER_S);
	CU_ASSERT_EQUAL(fixture.lane.unretired, 2);
	CU_ASSERT_EQUAL(fixture.counters.appended, 4);
	CU_ASSERT_EQUAL(fixture.partitions[1].next_offset, 103);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 2);
	sl_lane_fail(&fixture.lane, SL_DROP_ABANDONED, 0);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_ABANDONED], 4);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 0);
	// Its writes may still land: their buffers are not free, and the lane is not quiet.
	CU_ASSERT_EQUAL(fixture.lane.under_way, 2);
	CU_ASSERT_FALSE(sl_lane_is_quiet(&fixture.lane));
	CU_ASSERT_FALSE(sl_fixture_append(&fixture, 1, data, 1, NOW));
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_ABANDONED], 5);
	sl_fixture_close(&fixture);
}

static void receive_times_never_go_back_from_batch_to_batch(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	sl_fixture_append(&fixture, 1, "a", 1, NOW + 500);
	sl_lane_seal(&fixture.lane, NOW + 600);
	// Another RX lcore's ring holds an older one.
	sl_fixture_append(&fixture, 1, "b", 1, NOW + 100);
	sl_lane_seal(&fixture.lane, NOW + 600);
	sl_fixture_settle(&fixture, NOW + 700);
	sl_fixture_walk_init(&walk, &fixture);
	skip_checkpoint(&walk);
	sl_fixture_walk_next(&walk);
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->time_base_ns, NOW + 500);
	CU_ASSERT_EQUAL(header->time_last_ns, NOW + 500);
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_sealed_batch_on_disk_holds_exactly_what_was_appended),
	SL_TEST(batches_of_every_length_fit_and_check),
	SL_TEST(a_batch_takes_runs_to_its_last_byte_and_its_table_still_fits),
	SL_TEST(a_batch_closes_at_65535_events),
	SL_TEST(what_no_empty_batch_could_hold_is_too_large),
	SL_TEST(without_a_free_batch_events_are_refused_and_nothing_is_lost),
	SL_TEST(receive_times_never_go_back_from_batch_to_batch),
};
SL_SUITE(dataplane_store_lane_batch);
