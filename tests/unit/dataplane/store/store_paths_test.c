/* SPDX-License-Identifier: BSD-3-Clause */
// A store on several paths: who lives where, what a start makes of the copies of store.meta.
#include "store/store_internal.h"

#include "format/store_reader.h"

#include "store_fixture.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTITION_COUNT 8

static struct sl_store_fixture fixture;
static uint64_t counts[PARTITION_COUNT];

static void make_store(uint32_t path_count)
{
	sl_store_fixture_init(&fixture);
	memset(counts, 0, sizeof(counts));
	sl_store_fixture_stream(&fixture, "plays", PARTITION_COUNT, 0);
	while (fixture.config.store.path_count < path_count)
		sl_store_fixture_path(&fixture);
}

static void write_everywhere(void)
{
	for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, counts[p]);
		sl_store_fixture_write(&fixture, p, p + 1u);
		counts[p] += p + 1u;
	}
}

static uint32_t partitions_on(uint16_t path_index)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		count += fixture.store.lanes[fixture.store.meta.partitions[p].lane].path_index ==
			path_index;
	return count;
}

static void expect_refusal(int code, const char *text)
{
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_store_fixture_open(&fixture, &err), code);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	if (strstr(err.text, text) == NULL)
		printf("     got  %s\n     want %s\n", err.text, text);
}

static void copy_file(const char *from, const char *to, const char *name)
{
	char command[300];

	snprintf(command, sizeof(command), "cp %s/%s %s/%s", from, name, to, name);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static void partitions_of_a_worker_are_spread_over_the_paths_and_stay_there(void)
{
	uint16_t lanes[PARTITION_COUNT];

	make_store(3);
	fixture.worker_count = 2;
	for (uint32_t round = 0; round < 3; round++) {
		sl_store_fixture_run(&fixture);
		CU_ASSERT_EQUAL(fixture.store.path_count, 3);
		CU_ASSERT_EQUAL(fixture.store.lane_count, 6);
		// Four of each worker over three paths.
		for (uint16_t i = 0; i < 3; i++)
			CU_ASSERT(partitions_on(i) >= 2);
		for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
			const struct sl_store_meta_partition *stored =
				&fixture.store.meta.partitions[p];

			CU_ASSERT_EQUAL(stored->term, 1);
			CU_ASSERT(round == 0 || stored->lane == lanes[p]);
			lanes[p] = stored->lane;
		}
		for (uint32_t i = 0; i < 6; i++) {
			const struct sl_store_lane *lane = &fixture.store.lanes[i];

			CU_ASSERT_EQUAL(fixture.shm.lanes[i].drive_index, lane->path_index);
			CU_ASSERT_EQUAL(lane->owned_capacity, 4);
			CU_ASSERT_EQUAL(
				strncmp(lane->path, fixture.store.paths[lane->path_index].path,
					strlen(fixture.path)),
				0);
		}
		write_everywhere();
		if (round == 1)
			sl_store_fixture_kill(&fixture);
		else
			sl_store_fixture_stop(&fixture);
		sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	}
	sl_store_fixture_fini(&fixture);
}

static void a_path_that_is_added_takes_as_many_partitions_as_balance_needs(void)
{
	uint32_t moved_count = 0, terms[PARTITION_COUNT];

	make_store(1);
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	for (uint32_t path_count = 2; path_count <= 3; path_count++) {
		moved_count = 0;
		sl_store_fixture_path(&fixture);
		sl_store_fixture_run(&fixture);
		for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
			const struct sl_store_meta_partition *stored =
				&fixture.store.meta.partitions[p];

			terms[p] = stored->term;
			if (stored->term_start == counts[p] && stored->term > 1)
				moved_count++;
		}
		CU_ASSERT_EQUAL(moved_count, path_count == 2 ? 4 : 2);
		CU_ASSERT_EQUAL(partitions_on((uint16_t)(path_count - 1)), path_count == 2 ? 4 : 2);
		write_everywhere();
		sl_store_fixture_stop(&fixture);
		sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	}
	// The same paths in another order, and under other names, are the same paths.
	const char *first = fixture.config.store.paths[0];

	fixture.config.store.paths[0] = fixture.config.store.paths[2];
	fixture.config.store.paths[2] = first;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_STRING_EQUAL(fixture.store.paths[0].path, first);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].term, terms[p]);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static void a_path_that_is_not_there_is_refused_by_its_name(void)
{
	char text[200], away[100];

	make_store(2);
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	snprintf(text, sizeof(text), "path 1 of the store, last at '%s', is not there; mount its",
		fixture.other_paths[0]);
	fixture.config.store.path_count = 1;
	expect_refusal(-ENODEV, text);
	// Its drive is not mounted: the directory is there, and empty.
	fixture.config.store.path_count = 2;
	snprintf(away, sizeof(away), "%s-away", fixture.other_paths[0]);
	CU_ASSERT_EQUAL(rename(fixture.other_paths[0], away), 0);
	CU_ASSERT_EQUAL(mkdir(fixture.other_paths[0], 0750), 0);
	expect_refusal(-ENODEV, text);
	// Where it is now, it is found.
	fixture.config.store.paths[1] = away;
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_fixture_remove_directory(away);
	sl_store_fixture_fini(&fixture);
}

static void a_path_of_another_store_or_a_copy_is_refused(void)
{
	struct sl_store_fixture *other = calloc(1, sizeof(*other));

	make_store(2);
	sl_store_fixture_run(&fixture);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_init(other);
	sl_store_fixture_stream(other, "plays", 1, 0);
	sl_store_fixture_run(other);
	sl_store_fixture_stop(other);
	fixture.config.store.paths[2] = other->path;
	fixture.config.store.path_count = 3;
	expect_refusal(-EXDEV, "' belongs to another store than '");
	copy_file(fixture.path, other->path, "store.meta");
	expect_refusal(-EEXIST, "is path 0 of the store as '");
	fixture.config.store.paths[2] = fixture.path;
	expect_refusal(-EINVAL, "are the same directory; name each once");
	sl_store_fixture_fini(other);
	free(other);
	sl_store_fixture_fini(&fixture);
}

static void the_newest_copy_counts_and_the_others_follow(void)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};
	uint64_t generation = 0;
	char kept[64];

	make_store(2);
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	CU_ASSERT_FATAL(sl_fixture_make_directory(kept));
	copy_file(fixture.path, kept, "store.meta");
	// Two workers' lanes are made behind the first copy's back.
	fixture.worker_count = 2;
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	copy_file(kept, fixture.path, "store.meta");
	sl_fixture_remove_directory(kept);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lane_count, 4);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	for (uint16_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(
			sl_store_meta_read(&meta, fixture.config.store.paths[i], &err), 0);
		CU_ASSERT(i == 0 || meta.header.generation == generation);
		generation = meta.header.generation;
		CU_ASSERT_EQUAL(meta.header.path_index, i);
		CU_ASSERT_EQUAL(meta.header.path_count, 2);
		CU_ASSERT_STRING_EQUAL(meta.paths[1].path, fixture.other_paths[0]);
		CU_ASSERT_EQUAL(meta.header.lane_count, 4);
		sl_store_meta_free(&meta);
	}
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static void a_start_that_is_killed_while_it_adds_a_path_can_be_repeated(void)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};

	make_store(1);
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	// The new path has its copy, the old one does not know.
	sl_store_fixture_path(&fixture);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&meta, fixture.path, &err), 0);
	meta.header.path_count = 2;
	meta.header.path_index = 1;
	snprintf(meta.paths[1].path, sizeof(meta.paths[1].path), "%s", fixture.other_paths[0]);
	CU_ASSERT_EQUAL(sl_store_meta_write(&meta, fixture.other_paths[0], &err), 0);
	sl_store_meta_free(&meta);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.path_count, 2);
	CU_ASSERT_EQUAL(partitions_on(1), 4);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static void a_first_start_that_fails_takes_all_paths_back(void)
{
	struct sl_err err = {0};

	make_store(3);
	fixture.is_short_of_memory = true;
	fixture.begin_count_max = 2;
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(sl_store_fixture_start(&fixture, &err), -ENOMEM);
	sl_store_fixture_end(&fixture);
	sl_store_fixture_close(&fixture);
	fixture.is_open = false;
	for (uint32_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(rmdir(fixture.config.store.paths[i]), 0);
		CU_ASSERT_EQUAL_FATAL(mkdir(fixture.config.store.paths[i], 0750), 0);
	}
	// Taken back halfway: a copy that the first one does not count any more.
	fixture.is_short_of_memory = false;
	sl_store_fixture_run(&fixture);
	sl_store_fixture_kill(&fixture);
	sl_store_fixture_fini(&fixture);
	make_store(2);
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(sl_store_meta_resize(&fixture.store.meta, 0, 0, 0, 0), 0);
	CU_ASSERT_EQUAL(sl_store_write_meta(&fixture.store, &err), 0);
	fixture.store.meta.header.path_count = 1;
	fixture.store.meta.header.path_index = 0;
	CU_ASSERT_EQUAL(sl_store_draw_salt(&fixture.store, &err), 0);
	CU_ASSERT_EQUAL(sl_store_meta_write(&fixture.store.meta, fixture.path, &err), 0);
	sl_store_fixture_kill(&fixture);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.path_count, 2);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static void a_path_whose_first_copy_cannot_be_written_is_not_counted(void)
{
	char copy[80];

	make_store(2);
	snprintf(copy, sizeof(copy), "%s/store.meta", fixture.config.store.paths[1]);
	CU_ASSERT_EQUAL_FATAL(symlink("nowhere/store.meta", copy), 0);
	expect_refusal(-ENOENT, "cannot open");
	for (uint32_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(rmdir(fixture.config.store.paths[i]), 0);
		mkdir(fixture.config.store.paths[i], 0750);
	}
	// Nor when the store is there already: without it, the start is as before.
	fixture.config.store.path_count = 1;
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	fixture.config.store.path_count = 2;
	CU_ASSERT_EQUAL_FATAL(symlink("nowhere/store.meta", copy), 0);
	expect_refusal(-ENOENT, "cannot open");
	unlink(copy);
	fixture.config.store.path_count = 1;
	sl_store_fixture_run(&fixture);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	fixture.config.store.path_count = 2;
	sl_store_fixture_fini(&fixture);
}

static void moves_are_in_every_copy_before_they_are_used(void)
{
	struct sl_store_meta meta;
	struct sl_err err = {0};
	uint16_t from, to;

	make_store(2);
	sl_store_fixture_run(&fixture);
	write_everywhere();
	from = fixture.store.meta.partitions[3].lane;
	to = from == 0 ? 1 : 0;
	const struct sl_lane_move move = {
		.partition = 3, .lane = to, .term = 2, .term_start = counts[3]};

	CU_ASSERT_EQUAL(sl_store_write_moves(&fixture.store, &move, 1, &err), 0);
	for (uint32_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(
			sl_store_meta_read(&meta, fixture.config.store.paths[i], &err), 0);
		CU_ASSERT_EQUAL(meta.partitions[3].lane, to);
		CU_ASSERT_EQUAL(meta.partitions[3].term, 2);
		CU_ASSERT_EQUAL(meta.partitions[3].term_start, counts[3]);
		sl_store_meta_free(&meta);
	}
	// A copy on a drive that has failed is left alone.
	fixture.store.paths[1].is_failed = true;
	const struct sl_lane_move back = {
		.partition = 3, .lane = from, .term = 3, .term_start = counts[3]};

	CU_ASSERT_EQUAL(sl_store_write_moves(&fixture.store, &back, 1, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&meta, fixture.other_paths[0], &err), 0);
	CU_ASSERT_EQUAL(meta.partitions[3].term, 2);
	sl_store_meta_free(&meta);
	sl_store_fixture_kill(&fixture);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[3].term, 3);
	write_everywhere();
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
	sl_store_fixture_fini(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(partitions_of_a_worker_are_spread_over_the_paths_and_stay_there),
	SL_TEST(a_path_that_is_added_takes_as_many_partitions_as_balance_needs),
	SL_TEST(a_path_that_is_not_there_is_refused_by_its_name),
	SL_TEST(a_path_of_another_store_or_a_copy_is_refused),
	SL_TEST(the_newest_copy_counts_and_the_others_follow),
	SL_TEST(a_start_that_is_killed_while_it_adds_a_path_can_be_repeated),
	SL_TEST(a_first_start_that_fails_takes_all_paths_back),
	SL_TEST(a_path_whose_first_copy_cannot_be_written_is_not_counted),
	SL_TEST(moves_are_in_every_copy_before_they_are_used),
};
SL_SUITE(dataplane_store_paths);
