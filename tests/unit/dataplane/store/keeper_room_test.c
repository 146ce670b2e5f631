/* SPDX-License-Identifier: BSD-3-Clause */
// The levels of room on a drive. How much is free is the test's own file system's matter: the
// reserve is chosen against it.
#include "store/keeper_internal.h"

#include "lane_fixture.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

// Far more than anybody takes or gives back meanwhile.
#define STEP_BYTES (256 * SL_MIB)

static const struct sl_fixture_options small = {.segment_bytes = 512 * 1024};

static uint64_t free_bytes_of(const char *path)
{
	struct statvfs room;

	CU_ASSERT_EQUAL_FATAL(statvfs(path, &room), 0);
	return (uint64_t)room.f_bavail * room.f_frsize;
}

static struct sl_keeper *make_keeper(
	struct sl_fixture *fixture, struct sl_shm_drive *drive, uint64_t reserve_bytes)
{
	snprintf(drive->path, sizeof(drive->path), "%s", fixture->path);
	return sl_fixture_keeper(fixture,
		(struct sl_keeper_config){
			.reserve_bytes = reserve_bytes, .drives = drive, .drive_count = 1});
}

static void the_level_falls_before_the_reserve_is_reached_and_comes_back(void)
{
	struct sl_shm_drive drive = {0};
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	uint64_t free_bytes;

	sl_fixture_open(&fixture, &small);
	keeper = make_keeper(&fixture, &drive, 0);
	free_bytes = free_bytes_of(fixture.path);
	sl_keeper_watch_drives(keeper);
	CU_ASSERT_EQUAL(drive.level, SL_DRIVE_OK);
	CU_ASSERT(drive.free_bytes <= drive.total_bytes);
	CU_ASSERT_EQUAL(drive.low_bytes, 2 * small.segment_bytes);
	// As much above the reserve as the reserve is, less a step.
	keeper->config.reserve_bytes = free_bytes / 2 + STEP_BYTES;
	sl_keeper_watch_drives(keeper);
	CU_ASSERT_EQUAL(drive.level, SL_DRIVE_LOW);
	CU_ASSERT_EQUAL(drive.low_count, 1);
	CU_ASSERT_EQUAL(drive.reserve_bytes, free_bytes / 2 + STEP_BYTES);
	keeper->config.reserve_bytes = free_bytes + STEP_BYTES;
	sl_keeper_watch_drives(keeper);
	sl_keeper_watch_drives(keeper);
	CU_ASSERT_EQUAL(drive.level, SL_DRIVE_FULL);
	CU_ASSERT_EQUAL(drive.full_count, 1);
	keeper->config.reserve_bytes = 0;
	sl_keeper_watch_drives(keeper);
	CU_ASSERT_EQUAL(drive.level, SL_DRIVE_OK);
	CU_ASSERT_EQUAL(drive.low_count, 1);
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static void no_birth_takes_of_the_reserve(void)
{
	struct sl_shm_drive drive = {0};
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &small);
	keeper = make_keeper(&fixture, &drive, free_bytes_of(fixture.path) + STEP_BYTES);
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare_error, -ENOSPC);
	keeper->config.reserve_bytes = 0;
	keeper->lanes[0].birth_wait_turns = 0;
	sl_keeper_keep_spare(keeper, &keeper->lanes[0]);
	CU_ASSERT_PTR_NOT_NULL(fixture.lane.spare);
	CU_ASSERT_EQUAL(fixture.lane.spare_error, 0);
	sl_segment_close(fixture.lane.spare);
	fixture.lane.spare = NULL;
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(the_level_falls_before_the_reserve_is_reached_and_comes_back),
	SL_TEST(no_birth_takes_of_the_reserve),
};
SL_SUITE(dataplane_store_keeper_room);
