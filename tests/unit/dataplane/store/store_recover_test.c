/* SPDX-License-Identifier: BSD-3-Clause */
// Joining lanes at a start: what is damage, and that a start may be killed anywhere.
#include "store_fixture.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTITION_COUNT 6
#define TERM_COUNT_MAX 1000
#define NO_LANE 0xffffu

static struct sl_store_fixture fixture;

static void expect_damage(const char *text)
{
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_store_fixture_open(&fixture, &err), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is CORRUPT"));
	if (strstr(err.text, text) == NULL)
		CU_FAIL(err.text);
}

// In the store's directory.
static void shell(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd '%s' && %s", fixture.path, command);
	CU_ASSERT_EQUAL_FATAL(system(line), 0);
}

static void run_and_write(uint32_t worker_count)
{
	fixture.worker_count = worker_count;
	sl_store_fixture_run(&fixture);
	for (uint16_t p = 0; p < fixture.store.meta.header.partition_count; p++)
		sl_store_fixture_write(&fixture, p, 2);
	sl_store_fixture_stop(&fixture);
}

static void a_lane_that_is_named_is_not_made_anew(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	run_and_write(2);
	shell("mkdir ../$(basename $PWD).kept && mv lane-00001/* ../$(basename $PWD).kept/");
	expect_damage("lane 1 is CORRUPT: store.meta names it, and its folder is gone or empty");
	shell("rmdir lane-00001");
	expect_damage("lane 1 is CORRUPT: store.meta names it, and its folder is gone or empty");
	shell("mv ../$(basename $PWD).kept lane-00001");
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.partitions[1].next_offset, 2);
	sl_store_fixture_fini(&fixture);
}

static void an_older_store_meta_is_found_out(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	run_and_write(1);
	shell("cp store.meta older.meta");
	run_and_write(2);
	// Neither layout may go on, whether it needs the lane that is not named or not.
	shell("cp store.meta newer.meta; cp older.meta store.meta");
	fixture.worker_count = 1;
	expect_damage("it does not name lane 1, whose folder ");
	fixture.worker_count = 2;
	expect_damage("it does not name lane 1, whose folder ");
	// A lane that is named knows a term that is not.
	shell("cp newer.meta store.meta; cp newer.meta older.meta");
	run_and_write(1);
	shell("cp store.meta newer.meta; cp older.meta store.meta");
	expect_damage(
		"lane 0 is CORRUPT: it holds partition 1 in term 3, which store.meta gives to "
		"lane 1 in term 2");
	// And a partition that is not.
	shell("cp newer.meta store.meta; cp newer.meta older.meta");
	sl_store_fixture_stream(&fixture, "likes", 1, 0);
	run_and_write(1);
	shell("cp older.meta store.meta");
	fixture.config.stream_count = 1;
	expect_damage("lane 0 is CORRUPT: it holds partition 2, the store has 2");
	sl_store_fixture_fini(&fixture);
}

// How far a start came before it was killed.
enum start_end {
	BEFORE_STORE_META, // lanes have new epochs and folders, nobody knows of them
	BEFORE_SEALING, // of lanes without an owner
	BEFORE_LANES,
	BETWEEN_LANES,
	AFTER_WRITES,
	NOT_AT_ALL, // a clean stop
	START_END_COUNT,
};

static void start_and_kill(enum start_end end, uint32_t draw)
{
	struct sl_err err = {0};

	if (end == BEFORE_STORE_META)
		shell("if test -e store.meta; then cp store.meta store.kept; fi");
	if (end == BEFORE_SEALING)
		shell("for f in lane-*/*.seg; do if test -e $f; then cp --sparse=always $f $f.kept; fi; done");
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	fixture.is_short_of_memory = end == BETWEEN_LANES;
	fixture.begin_count_max = draw % fixture.worker_count;
	if (end == BETWEEN_LANES)
		CU_ASSERT_EQUAL(sl_store_fixture_start(&fixture, &err), -ENOMEM);
	fixture.is_short_of_memory = false;
	sl_store_fixture_kill(&fixture);
	if (end == BEFORE_STORE_META)
		shell("if test -e store.kept; then mv store.kept store.meta; fi");
	if (end == BEFORE_SEALING)
		shell("for f in lane-*/*.kept; do if test -e $f; then mv $f ${f%.kept}; fi; done");
}

static void a_start_may_be_killed_between_any_two_steps_again_and_again(void)
{
	static uint16_t lanes[PARTITION_COUNT][TERM_COUNT_MAX]; // of each term that has events
	uint64_t counts[PARTITION_COUNT] = {0};
	uint32_t ended[START_END_COUNT] = {0};
	uint64_t random = 1;

	memset(lanes, 0xff, sizeof(lanes));
	sl_store_fixture_init(&fixture);
	fixture.config.store.segment_bytes = SL_MIB; // many are made
	sl_store_fixture_stream(&fixture, "plays", PARTITION_COUNT, 0);
	for (uint32_t cycle = 0; cycle < 60; cycle++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		enum start_end end = (uint32_t)(random >> 33) % START_END_COUNT;

		fixture.worker_count = 1 + (uint32_t)(random >> 43) % 3;
		ended[end]++;
		if (end < AFTER_WRITES) {
			start_and_kill(end, (uint32_t)(random >> 53));
			sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
			continue;
		}
		sl_store_fixture_run(&fixture);
		for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
			const struct sl_store_meta_partition *stored =
				&fixture.store.meta.partitions[p];
			uint16_t *lane = &lanes[p][stored->term];

			CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, counts[p]);
			CU_ASSERT(*lane == NO_LANE || *lane == stored->lane);
			*lane = stored->lane;
			sl_store_fixture_write(&fixture, p, p + 1u);
			counts[p] += p + 1u;
		}
		if (end == AFTER_WRITES)
			sl_store_fixture_kill(&fixture);
		else
			sl_store_fixture_stop(&fixture);
		sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	}
	for (uint32_t i = 0; i < START_END_COUNT; i++)
		CU_ASSERT(ended[i] > 0);
	sl_store_fixture_fini(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_lane_that_is_named_is_not_made_anew),
	SL_TEST(an_older_store_meta_is_found_out),
	SL_TEST(a_start_may_be_killed_between_any_two_steps_again_and_again),
};
SL_SUITE(dataplane_store_recover);
