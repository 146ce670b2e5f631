/* SPDX-License-Identifier: BSD-3-Clause */
// The keeper's turns are called one by one here, without its thread.
#include "store/keeper_internal.h"

#include "format/segment_file.h"
#include "lane_fixture.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOW SL_FIXTURE_START_NS

static char data[60000];

// The smallest that a configuration allows.
static const struct sl_fixture_options patient = {.segment_bytes = SL_SEGMENT_BYTES_MIN};
static const struct sl_fixture_options small = {.segment_bytes = 512 * 1024};

static struct sl_keeper *make_keeper(
	struct sl_fixture *fixture, uint64_t retention_bytes, uint64_t format_bytes_per_s)
{
	return sl_fixture_keeper(fixture,
		(struct sl_keeper_config){.format_bytes_per_s = format_bytes_per_s,
			.retention_bytes = {retention_bytes}});
}

static void drop_spares(struct sl_fixture *fixture, struct sl_keeper *keeper)
{
	sl_segment_close(fixture->lane.spare);
	fixture->lane.spare = NULL;
	sl_segment_close(keeper->lanes[0].forming);
	keeper->lanes[0].forming = NULL;
	sl_keeper_destroy(keeper);
}

static void a_new_segment_is_written_once_before_a_lane_that_can_wait_gets_it(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	int turns = 0;

	sl_fixture_open(&fixture, &patient);
	keeper = make_keeper(&fixture, 0, SL_GIB);
	while (fixture.lane.spare == NULL && turns < 100) {
		keeper->format_credit_bytes = SL_KEEPER_FORMAT_BYTES;
		sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
		turns++;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.spare);
	CU_ASSERT_EQUAL(turns, 17); // 16 pieces, and the turn that hands over
	CU_ASSERT_EQUAL(fixture.lane.spare->formatted_bytes, patient.segment_bytes);
	CU_ASSERT_EQUAL(fixture.shm.segments_unwritten, 0);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

static void without_credit_nothing_is_written_ahead(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &patient);
	keeper = make_keeper(&fixture, 0, SL_GIB);
	keeper->format_credit_bytes = SL_KEEPER_FORMAT_BYTES - 1;
	for (int i = 0; i < 3; i++)
		sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	CU_ASSERT_PTR_NOT_NULL_FATAL(keeper->lanes[0].forming);
	CU_ASSERT_EQUAL(keeper->lanes[0].forming->formatted_bytes, 0);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

static void a_hungry_lane_gets_its_spare_as_it_is_and_the_gauge_says_so(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &patient);
	keeper = make_keeper(&fixture, 0, SL_GIB);
	keeper->format_credit_bytes = SL_KEEPER_FORMAT_BYTES;
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	fixture.shm.position = 12 * SL_MIB - 1;
	keeper->lanes[0].seen_position = fixture.shm.position;
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	fixture.shm.position++; // a quarter is left
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare->formatted_bytes, SL_KEEPER_FORMAT_BYTES);
	CU_ASSERT_EQUAL(fixture.shm.segments_unwritten, 1);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

// What is left of 16 MiB lasts for 16 turns at 900 KiB a turn from the beginning on, not at 1 MiB.
static void a_lane_is_hungry_by_its_pace_and_for_a_while(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	struct sl_kept_lane *kept;

	sl_fixture_open(&fixture, &patient);
	keeper = make_keeper(&fixture, 0, SL_GIB);
	kept = &keeper->lanes[0];
	fixture.shm.position = 0;
	sl_keeper_keep_spare(keeper, kept);
	fixture.shm.position = 900 * 1024;
	sl_keeper_keep_spare(keeper, kept);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	fixture.shm.position += SL_MIB;
	sl_keeper_keep_spare(keeper, kept);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.spare);
	drop_spares(&fixture, keeper);
	// A pace that is over is forgotten.
	keeper = make_keeper(&fixture, 0, SL_GIB);
	kept = &keeper->lanes[0];
	kept->seen_position = fixture.shm.position;
	kept->pace_bytes = 4 * SL_MIB;
	fixture.lane.spare = fixture.lane.segment;
	for (int turn = 0; turn < 40; turn++)
		sl_keeper_keep_spare(keeper, kept);
	fixture.lane.spare = NULL;
	sl_keeper_keep_spare(keeper, kept);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

// Fills segments until `count` of them are sealed and remembered by the keeper.
static void seal_segments(struct sl_fixture *fixture, uint64_t count)
{
	for (uint64_t segment = 2; segment <= count + 1; segment++) {
		sl_fixture_give_spare(fixture);
		while (fixture->lane.segment->number < segment) {
			sl_fixture_append(fixture, 1, data, sizeof(data), NOW);
			sl_fixture_settle(fixture, NOW);
		}
		sl_fixture_settle(fixture, NOW);
		sl_fixture_seal_closing(fixture);
	}
}

// As a reader sees a recycled segment: our batches, then blocks of the earlier life, which are
// misplaced by their segment number.
static void expect_own_batches_then_stale_ones(const struct sl_fixture *fixture, uint64_t number)
{
	enum sl_batch_verdict verdict = SL_BATCH_OK;
	const struct sl_batch_header *batch;
	struct sl_segment_file *file;
	struct sl_err err = {0};
	uint64_t position = 0, last_number = 0;

	CU_ASSERT_EQUAL_FATAL(sl_segment_file_open(&file, fixture->path, SL_FIXTURE_LANE, number,
				      SL_FIXTURE_SALT_CRC, &err),
		0);
	for (;;) {
		CU_ASSERT_EQUAL_FATAL(
			sl_segment_file_batch(file, position, false, &batch, &verdict, &err), 0);
		if (verdict != SL_BATCH_OK)
			break;
		CU_ASSERT(position > 0 || batch->kind == SL_BATCH_CHECKPOINT);
		last_number = batch->number;
		position += sl_batch_block_bytes(batch);
	}
	CU_ASSERT_EQUAL(last_number, fixture->lane.next_number - 1);
	CU_ASSERT_EQUAL(verdict, SL_BATCH_MISPLACED);
	sl_segment_file_close(file);
}

static void a_class_at_its_limit_recycles_its_oldest_segment_and_the_lane_goes_on_in_it(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &small);
	seal_segments(&fixture, 3);
	keeper = make_keeper(&fixture, 4 * small.segment_bytes, 0);
	CU_ASSERT_EQUAL_FATAL(keeper->lanes[0].sealed_count, 3);
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare->formatted_bytes, small.segment_bytes);
	CU_ASSERT_EQUAL(fixture.shm.segments_recycled, 1);
	CU_ASSERT_EQUAL(fixture.shm.segments_expired, 1);
	CU_ASSERT_EQUAL(keeper->lanes[0].sealed_count, 2);
	CU_ASSERT_EQUAL(keeper->lanes[0].sealed[0].number, 2);
	CU_ASSERT_EQUAL(sl_keeper_class_bytes(keeper, 0), 4 * small.segment_bytes);

	uint64_t recycled = fixture.lane.spare->number;
	while (fixture.lane.segment->number < recycled) {
		sl_fixture_append(&fixture, 1, data, sizeof(data), NOW);
		sl_fixture_settle(&fixture, NOW);
	}
	CU_ASSERT_EQUAL(fixture.shm.unwritten_extents, 0);
	expect_own_batches_then_stale_ones(&fixture, recycled);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

// A file that nobody knows bears the next number: it is left alone, and the one behind it is taken.
static void a_number_that_is_taken_is_passed_over(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	struct sl_segment *other;
	struct sl_err err = {0};

	sl_fixture_open(&fixture, &small);
	keeper = make_keeper(&fixture, 0, 0);
	other = sl_segment_create(fixture.path, fixture.next_segment, small.segment_bytes, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare_error, -EEXIST);
	keeper->lanes[0].birth_wait_turns = 0;
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare->number, other->number + 1);
	CU_ASSERT_EQUAL(fixture.lane.spare_error, 0);
	sl_segment_close(other);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

static void a_class_below_its_limit_recycles_nothing(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &small);
	seal_segments(&fixture, 2);
	keeper = make_keeper(&fixture, 4 * small.segment_bytes, 0);
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare->formatted_bytes, 0);
	CU_ASSERT_EQUAL(fixture.shm.segments_recycled, 0);
	CU_ASSERT_EQUAL(keeper->lanes[0].sealed_count, 2);
	drop_spares(&fixture, keeper);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_new_segment_is_written_once_before_a_lane_that_can_wait_gets_it),
	SL_TEST(without_credit_nothing_is_written_ahead),
	SL_TEST(a_hungry_lane_gets_its_spare_as_it_is_and_the_gauge_says_so),
	SL_TEST(a_lane_is_hungry_by_its_pace_and_for_a_while),
	SL_TEST(a_class_at_its_limit_recycles_its_oldest_segment_and_the_lane_goes_on_in_it),
	SL_TEST(a_number_that_is_taken_is_passed_over),
	SL_TEST(a_class_below_its_limit_recycles_nothing),
};
SL_SUITE(dataplane_store_keeper_spare);
