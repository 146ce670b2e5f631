/* SPDX-License-Identifier: BSD-3-Clause */
// Layouts that change from start to start: partitions move, offsets go on.
#include "store/store_internal.h"

#include "store_fixture.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct sl_store_fixture fixture;

static void write_everywhere(uint64_t *counts, uint32_t partition_count)
{
	for (uint16_t p = 0; p < partition_count; p++) {
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, counts[p]);
		sl_store_fixture_write(&fixture, p, p + 1u);
		counts[p] += p + 1u;
	}
}

static void partitions_that_move_raise_their_term_and_their_offsets_stay_dense(void)
{
	static const uint32_t worker_counts[] = {1, 2, 1, 3, 3, 1};
	uint64_t counts[6] = {0};
	uint32_t terms[6] = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 6, 0);
	for (size_t i = 0; i < SL_ARRAY_COUNT(worker_counts); i++) {
		fixture.worker_count = worker_counts[i];
		sl_store_fixture_run(&fixture);
		write_everywhere(counts, 6);
		for (uint32_t p = 0; p < 6; p++) {
			CU_ASSERT(fixture.store.meta.partitions[p].term >= terms[p]);
			terms[p] = fixture.store.meta.partitions[p].term;
		}
		if (i % 2 == 0)
			sl_store_fixture_stop(&fixture);
		else
			sl_store_fixture_kill(&fixture);
		sl_store_fixture_expect_dense(&fixture, counts, 6);
	}
	// 1 -> 2 -> 1 -> 3 -> 3 -> 1: the last one moved out and back twice, the first never.
	CU_ASSERT_EQUAL(terms[0], 1);
	CU_ASSERT_EQUAL(terms[5], 5);
	sl_store_fixture_fini(&fixture);
}

static void the_same_layout_moves_nobody(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 6, 0);
	fixture.worker_count = 2;
	for (uint32_t i = 0; i < 3; i++) {
		sl_store_fixture_run(&fixture);
		for (uint32_t p = 0; p < 6; p++) {
			CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].term, 1);
			CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].lane, p / 3);
		}
		CU_ASSERT_EQUAL(fixture.store.lane_count, 2);
		CU_ASSERT_EQUAL(fixture.shm.lanes[1].epoch, i + 1);
		sl_store_fixture_stop(&fixture);
	}
	sl_store_fixture_fini(&fixture);
}

static void a_lane_without_an_owner_is_sealed_and_used_again_when_it_is_needed(void)
{
	uint64_t counts[2] = {0};
	struct sl_segment_entry *entries;
	struct sl_err err = {0};
	uint32_t entry_count;

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	fixture.worker_count = 2;
	sl_store_fixture_run(&fixture);
	write_everywhere(counts, 2);
	sl_store_fixture_stop(&fixture);
	fixture.worker_count = 1;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].worker_index, SL_LANE_NONE);
	CU_ASSERT_EQUAL(fixture.shm.lanes[1].state, SL_LANE_OWNERLESS);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].owned_count, 0);
	CU_ASSERT_EQUAL_FATAL(sl_segment_list(fixture.store.lanes[1].path, 1,
				      fixture.store.salt_crc, false, &entries, &entry_count, &err),
		0);
	CU_ASSERT_EQUAL_FATAL(entry_count, 1);
	CU_ASSERT(entries[0].sealed);
	free(entries);
	write_everywhere(counts, 2);
	sl_store_fixture_stop(&fixture);
	fixture.worker_count = 2;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lane_count, 2); // no third
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[1].lane, 1);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[1].term, 3);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[1].term_start, counts[1]);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].lane.segment->number, 2);
	write_everywhere(counts, 2);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, 2);
	sl_store_fixture_fini(&fixture);
}

static void a_second_lane_of_the_same_worker_and_class_loses_its_owner(void)
{
	uint64_t counts[2] = {0};
	struct sl_store_meta meta;
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	fixture.worker_count = 2;
	sl_store_fixture_run(&fixture);
	write_everywhere(counts, 2);
	sl_store_fixture_stop(&fixture);
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_read(&meta, fixture.path, &err), 0);
	meta.lanes[1].worker_index = 0;
	CU_ASSERT_EQUAL(sl_store_meta_write(&meta, fixture.path, &err), 0);
	sl_store_meta_free(&meta);
	fixture.worker_count = 1;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lanes[0].owned_count, 2);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].worker_index, SL_LANE_NONE);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].owned_count, 0);
	write_everywhere(counts, 2);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, 2);
	sl_store_fixture_fini(&fixture);
}

static void a_stream_that_is_gone_from_the_configuration_keeps_its_partitions(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	sl_store_fixture_stream(&fixture, "likes", 2, 0);
	sl_store_fixture_run(&fixture);
	sl_store_fixture_write(&fixture, 1, 4);
	sl_store_fixture_write(&fixture, 3, 2);
	sl_store_fixture_stop(&fixture);
	fixture.config.stream_count = 0;
	sl_store_fixture_stream(&fixture, "likes", 2, 0);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_stream[0], 1);
	CU_ASSERT_EQUAL(fixture.store.lanes[0].owned_count, 4);
	sl_store_fixture_write(&fixture, 3, 1);
	sl_store_fixture_stop(&fixture);
	// It comes back where it was.
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.partitions[1].next_offset, 4);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[1].term, 1);
	sl_store_fixture_write(&fixture, 1, 1);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){0, 5, 0, 3}, 4);
	sl_store_fixture_fini(&fixture);
}

static void a_class_that_is_gone_leaves_its_lanes_readable_and_comes_back(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_class(&fixture, "bulk");
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	sl_store_fixture_stream(&fixture, "likes", 2, 1);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lane_count, 2);
	sl_store_fixture_write(&fixture, 3, 2);
	sl_store_fixture_stop(&fixture);
	fixture.config.class_count = 1;
	fixture.config.stream_count = 1;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].worker_index, SL_LANE_NONE);
	CU_ASSERT_EQUAL(fixture.store.lanes[1].class_index, SL_CLASS_NONE);
	sl_store_fixture_write(&fixture, 0, 1);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){1, 0, 0, 2}, 4);
	fixture.config.class_count = 2;
	fixture.config.stream_count = 2;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.partitions[3].next_offset, 2);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[3].lane, 1);
	sl_store_fixture_write(&fixture, 3, 2);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){1, 0, 0, 4}, 4);
	sl_store_fixture_fini(&fixture);
}

static void a_stream_that_changes_its_class_moves_with_its_offsets(void)
{
	uint64_t counts[2] = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_class(&fixture, "bulk");
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	for (uint32_t i = 0; i < 4; i++) {
		fixture.config.streams[0].class_index = i % 2;
		sl_store_fixture_run(&fixture);
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[1].term, i + 1);
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[1].lane, i % 2);
		CU_ASSERT_EQUAL(fixture.store.partitions[1].lane_slot, 0); // the only live one
		write_everywhere(counts, 2);
		sl_store_fixture_stop(&fixture);
	}
	sl_store_fixture_expect_dense(&fixture, counts, 2);
	sl_store_fixture_fini(&fixture);
}

static void more_lanes_than_there_may_be_are_refused(void)
{
	static char names[8][16];
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	fixture.config.class_count = 0;
	fixture.worker_count = SL_LCORE_COUNT_MAX;
	for (uint32_t i = 0; i < SL_CLASS_COUNT_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "c%u", i);
		sl_store_fixture_class(&fixture, names[i]);
		sl_store_fixture_stream(&fixture, names[i], SL_LCORE_COUNT_MAX, i);
	}
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(fixture.store.lane_count, SL_LANE_COUNT_MAX);
	// The most that a configuration can ask for fits; one more does not.
	CU_ASSERT_PTR_NULL(sl_store_add_lane(&fixture.store, 0, 0, &err));
	CU_ASSERT_EQUAL(err.code, -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text,
		"has 256 lanes already, the most there may be; use fewer workers, classes or paths"));
	sl_store_fixture_fini(&fixture);
}

static void sources_are_kept_for_the_streams_that_ask_for_it(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_class(&fixture, "bulk");
	sl_store_fixture_stream(&fixture, "plays", 2, 0);
	sl_store_fixture_stream(&fixture, "likes", 2, 0);
	sl_store_fixture_stream(&fixture, "skips", 1, 1);
	fixture.config.streams[1].keep_source = true;
	sl_store_fixture_run(&fixture);
	for (uint32_t p = 0; p < 5; p++)
		CU_ASSERT_EQUAL(fixture.store.partitions[p].keep_source, p == 2 || p == 3);
	CU_ASSERT_PTR_NOT_NULL(fixture.store.lanes[0].lane.sources);
	CU_ASSERT_PTR_NULL(fixture.store.lanes[1].lane.sources);
	sl_store_fixture_fini(&fixture);
}

// One of the two new lanes lies on the other path.
static void a_new_lane_does_not_use_the_epochs_of_one_left_on_another_path(void)
{
	struct sl_lane_meta meta = {.epoch = 5};
	uint64_t counts[4] = {0};
	struct sl_err err = {0};
	char path[128];

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 4, 0);
	sl_store_fixture_path(&fixture);
	sl_store_fixture_run(&fixture);
	sl_store_fixture_stop(&fixture);
	for (meta.lane = 2; meta.lane < 4; meta.lane++) {
		snprintf(path, sizeof(path), "%s/" SL_LANE_DIR_FORMAT, fixture.path, meta.lane);
		CU_ASSERT_EQUAL_FATAL(mkdir(path, 0750), 0);
		CU_ASSERT_EQUAL_FATAL(sl_lane_meta_write(&meta, path, &err), 0);
	}
	fixture.worker_count = 2;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL_FATAL(fixture.store.lane_count, 4);
	CU_ASSERT_NOT_EQUAL(fixture.store.lanes[2].path_index, fixture.store.lanes[3].path_index);
	CU_ASSERT_EQUAL(fixture.store.lanes[2].recovery.epoch, 6);
	CU_ASSERT_EQUAL(fixture.store.lanes[3].recovery.epoch, 6);
	write_everywhere(counts, 4);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, counts, 4);
	sl_store_fixture_fini(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_new_lane_does_not_use_the_epochs_of_one_left_on_another_path),
	SL_TEST(partitions_that_move_raise_their_term_and_their_offsets_stay_dense),
	SL_TEST(the_same_layout_moves_nobody),
	SL_TEST(a_lane_without_an_owner_is_sealed_and_used_again_when_it_is_needed),
	SL_TEST(a_second_lane_of_the_same_worker_and_class_loses_its_owner),
	SL_TEST(a_stream_that_is_gone_from_the_configuration_keeps_its_partitions),
	SL_TEST(a_class_that_is_gone_leaves_its_lanes_readable_and_comes_back),
	SL_TEST(a_stream_that_changes_its_class_moves_with_its_offsets),
	SL_TEST(more_lanes_than_there_may_be_are_refused),
	SL_TEST(sources_are_kept_for_the_streams_that_ask_for_it),
};
SL_SUITE(dataplane_store_arrange);
