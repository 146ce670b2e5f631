/* SPDX-License-Identifier: BSD-3-Clause */
// A store on two paths that starts without one of them, which comes back.
#include "store/store_internal.h"

#include "format/store_reader.h"

#include "store_fixture.h"
#include "suite.h"

#include <string.h>

#define PARTITION_COUNT 8

static struct sl_store_fixture fixture;
static uint64_t counts[PARTITION_COUNT];

static void make_store(void)
{
	sl_store_fixture_init(&fixture);
	memset(counts, 0, sizeof(counts));
	sl_store_fixture_stream(&fixture, "plays", PARTITION_COUNT, 0);
	sl_store_fixture_path(&fixture);
}

static uint32_t partitions_on(uint16_t path_index)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		count += fixture.store.lanes[fixture.store.meta.partitions[p].lane].path_index ==
			path_index;
	return count;
}

// Reads what there is, and checks that nothing is there twice and that what is left out was jumped.
static void expect_all_but_jumps(uint32_t jumped_partition_count)
{
	struct sl_store_count found[PARTITION_COUNT];
	struct sl_store_report report = {0};
	struct sl_store_reader *reader;
	struct sl_err err = {0};
	uint32_t jumped_count = 0;

	if (sl_store_reader_open(&reader, fixture.path, &err) != 0 ||
		sl_store_count(reader, found, NULL, &report, &err) != 0)
		CU_FAIL_FATAL(err.text);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
		jumped_count += found[p].jumped_count > 0;
		CU_ASSERT_EQUAL(found[p].double_count, 0);
		CU_ASSERT_EQUAL(found[p].event_count, counts[p]);
		CU_ASSERT_EQUAL(found[p].event_count,
			found[p].last_offset + 1 - found[p].first_offset - found[p].jumped_count);
	}
	CU_ASSERT_EQUAL(jumped_count, jumped_partition_count);
	sl_store_reader_close(reader);
}

static void write_some(uint32_t count)
{
	for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
		sl_store_fixture_write(&fixture, p, count);
		counts[p] += count;
	}
}

static void without_a_path_a_degraded_start_jumps_and_the_path_fits_again_later(void)
{
	uint64_t starts[PARTITION_COUNT];

	make_store();
	sl_store_fixture_run(&fixture);
	write_some(3);
	sl_store_fixture_stop(&fixture);
	fixture.config.store.path_count = 1;
	fixture.config.store.is_degraded = true;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.shm.drives[1].level, SL_DRIVE_MISSING);
	CU_ASSERT_STRING_EQUAL(fixture.shm.drives[1].path, fixture.other_paths[0]);
	CU_ASSERT_EQUAL(fixture.shm.lanes[1].state, SL_LANE_MISSING);
	// Nobody knows what the missing copy says: all of them.
	for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
		const struct sl_store_meta_partition *stored = &fixture.store.meta.partitions[p];

		CU_ASSERT_EQUAL(stored->term, SL_TERM_JUMP_STEP);
		CU_ASSERT_EQUAL(stored->lane, 0);
		CU_ASSERT(stored->term_start >= SL_OFFSET_JUMP);
		starts[p] = stored->term_start;
	}
	write_some(2);
	sl_store_fixture_stop(&fixture);
	// Once more: the missing path has missed nothing that it could know better.
	sl_store_fixture_run(&fixture);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].term, SL_TERM_JUMP_STEP);
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].term_start, starts[p]);
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, starts[p] + 2);
	}
	write_some(1);
	sl_store_fixture_kill(&fixture);
	// The drive is back: what was on it is read again, half of the partitions move there.
	fixture.config.store.path_count = 2;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(partitions_on(1), 4);
	CU_ASSERT_EQUAL(fixture.shm.drives[1].level, SL_DRIVE_OK);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, starts[p] + 3);
	write_some(4);
	sl_store_fixture_stop(&fixture);
	expect_all_but_jumps(PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

// As moves leave it that were written there and not on the others, again and again.
static void write_meta_alone(const char *path, uint32_t times)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&meta, path, &err), 0);
	for (uint32_t i = 0; i < times; i++)
		CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, path, &err), 0);
	sl_store_meta_free(&meta);
}

static void a_path_that_was_ahead_when_it_went_missing_is_not_when_it_comes_back(void)
{
	uint64_t starts[PARTITION_COUNT];

	make_store();
	sl_store_fixture_run(&fixture);
	write_some(3);
	sl_store_fixture_stop(&fixture);
	write_meta_alone(fixture.path, 5);
	fixture.config.store.paths[0] = fixture.other_paths[0];
	fixture.config.store.path_count = 1;
	fixture.config.store.is_degraded = true;
	sl_store_fixture_run(&fixture);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		starts[p] = fixture.store.meta.partitions[p].term_start;
	write_some(2);
	sl_store_fixture_stop(&fixture);
	fixture.config.store.paths[0] = fixture.path;
	fixture.config.store.path_count = 2;
	sl_store_fixture_run(&fixture);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, starts[p] + 2);
	write_some(4);
	sl_store_fixture_stop(&fixture);
	expect_all_but_jumps(PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static void a_degraded_start_without_a_missing_path_is_like_any_other(void)
{
	make_store();
	fixture.config.store.is_degraded = true;
	for (uint32_t round = 0; round < 2; round++) {
		sl_store_fixture_run(&fixture);
		write_some(2);
		sl_store_fixture_stop(&fixture);
	}
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(without_a_path_a_degraded_start_jumps_and_the_path_fits_again_later),
	SL_TEST(a_path_that_was_ahead_when_it_went_missing_is_not_when_it_comes_back),
	SL_TEST(a_degraded_start_without_a_missing_path_is_like_any_other),
};
SL_SUITE(dataplane_store_degraded);
