/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/keeper.h"

#include "format/segment_list.h"
#include "lane_fixture.h"
#include "store/keeper_internal.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW SL_FIXTURE_START_NS

static char data[60000];

static const struct sl_fixture_options small = {.segment_bytes = 512 * 1024};

static struct sl_keeper *make_keeper(struct sl_fixture *fixture, uint64_t retention_bytes)
{
	return sl_fixture_keeper(
		fixture, (struct sl_keeper_config){.retention_bytes = {retention_bytes}});
}

static struct sl_keeper *start_keeper(struct sl_fixture *fixture, uint64_t retention_bytes)
{
	struct sl_keeper *keeper = make_keeper(fixture, retention_bytes);
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_keeper_start(keeper, &err), 0);
	return keeper;
}

// Writes full batches until the lane is in this segment; waits for the keeper where it must.
static void write_until_segment(struct sl_fixture *fixture, uint64_t segment)
{
	while (fixture->lane.segment->number < segment && !fixture->lane.failed) {
		if (!sl_fixture_append(fixture, 1, data, sizeof(data), NOW))
			sched_yield();
		sl_fixture_settle(fixture, NOW);
	}
	sl_fixture_settle(fixture, NOW);
}

// The segments of the lane as a reader sees them: 's' sealed, 'o' open, by ascending number.
static const char *list_segments(const struct sl_fixture *fixture, uint64_t *first)
{
	static char states[64];
	struct sl_segment_entry *entries;
	struct sl_err err = {0};
	uint32_t count;

	CU_ASSERT_EQUAL_FATAL(sl_segment_list(fixture->path, SL_FIXTURE_LANE, SL_FIXTURE_SALT_CRC,
				      false, &entries, &count, &err),
		0);
	for (uint32_t i = 0; i < count; i++)
		states[i] = entries[i].sealed ? 's' : 'o';
	states[count] = '\0';
	if (first != NULL)
		*first = entries[0].number;
	free(entries);
	return states;
}

static void a_started_keeper_has_a_spare_ready_and_takes_it_away_when_it_stops(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &small);
	keeper = start_keeper(&fixture, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(SL_LOAD_ACQUIRE(fixture.lane.spare));
	CU_ASSERT_EQUAL(fixture.lane.spare->number, 2);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.spare_ready), 1);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.segment_count), 2);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.segment_bytes_total), 2 * small.segment_bytes);
	CU_ASSERT_STRING_EQUAL(list_segments(&fixture, NULL), "oo");
	sl_keeper_stop(keeper);
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	CU_ASSERT_STRING_EQUAL(list_segments(&fixture, NULL), "o");
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.spare_ready), 0);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.segment_count), 1);
	sl_keeper_stop(keeper); // twice is legal
	sl_keeper_destroy(keeper);
	sl_keeper_destroy(NULL);
	sl_fixture_close(&fixture);
}

static void full_segments_are_sealed_and_closed_while_the_lane_goes_on(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	struct sl_keeper *keeper;

	sl_fixture_open(&fixture, &small);
	keeper = start_keeper(&fixture, 0);
	write_until_segment(&fixture, 5);
	sl_keeper_stop(keeper);
	CU_ASSERT_EQUAL(fixture.lane.sealed_segment, 4);
	CU_ASSERT_PTR_NULL(fixture.lane.closing);
	CU_ASSERT_EQUAL(fixture.lane.seal_error, 0);
	CU_ASSERT_STRING_EQUAL(list_segments(&fixture, NULL), "sssso");
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.segment_count), 5);
	sl_fixture_walk_init(&walk, &fixture);
	for (uint64_t segment = 1; segment <= 5; segment++) {
		if (segment > 1)
			sl_fixture_walk_segment(&walk, segment);
		while (sl_fixture_walk_next(&walk) != NULL)
			continue;
		// What the keeper has flushed is what it told the lane.
		if (segment == 4)
			CU_ASSERT_EQUAL(fixture.lane.synced_number, walk.last_number);
	}
	CU_ASSERT_EQUAL(walk.last_number + 1, fixture.lane.next_number);
	sl_fixture_walk_fini(&walk);
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static void a_segment_that_is_handed_over_is_sealed_before_the_keeper_ends(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;

	for (uint32_t i = 0; i < 20; i++) {
		sl_fixture_open(&fixture, &small);
		keeper = start_keeper(&fixture, 0);
		write_until_segment(&fixture, 2);
		sl_lane_tick(&fixture.lane, NOW);
		sl_keeper_stop(keeper);
		CU_ASSERT_PTR_NULL(fixture.lane.full_segment);
		CU_ASSERT_PTR_NULL(fixture.lane.closing);
		CU_ASSERT_STRING_EQUAL(list_segments(&fixture, NULL), "so");
		sl_keeper_destroy(keeper);
		sl_fixture_close(&fixture);
	}
}

static void a_segment_that_cannot_be_flushed_fails_its_lane(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	sl_fixture_open(&fixture, &small);
	sl_fixture_give_spare(&fixture);
	write_until_segment(&fixture, 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.closing);
	dup2(null, fixture.lane.closing->fd); // fdatasync says EINVAL there
	close(null);
	keeper = start_keeper(&fixture, 0);
	CU_ASSERT_EQUAL(SL_LOAD_ACQUIRE(fixture.lane.seal_error), -EINVAL);
	CU_ASSERT_PTR_NULL(SL_LOAD_ACQUIRE(fixture.lane.closing));
	CU_ASSERT_EQUAL(fixture.lane.sealed_segment, 0);
	CU_ASSERT_EQUAL(fixture.lane.synced_number, 0);
	sl_fixture_turn(&fixture, NOW);
	CU_ASSERT(fixture.lane.failed);
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static void retention_removes_the_oldest_segments_and_never_the_open_ones(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	uint64_t first;

	sl_fixture_open(&fixture, &small);
	keeper = start_keeper(&fixture, 4 * small.segment_bytes);
	write_until_segment(&fixture, 12);
	sl_keeper_stop(keeper);
	// The open one and its spare count as well.
	CU_ASSERT(strlen(list_segments(&fixture, &first)) <= 4);
	CU_ASSERT(first >= 9);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.segments_expired), first - 1);
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static void an_enormous_segment_is_no_room_and_is_said_as_such(void)
{
	struct sl_keeper_config config = {.segment_bytes = 1ull << 60};
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	struct sl_keeper_lane lane = {.number = SL_FIXTURE_LANE, .next_segment = 2};
	struct sl_err err = {0};

	sl_fixture_open(&fixture, &small);
	lane.lane = &fixture.lane;
	lane.shm = &fixture.shm;
	snprintf(lane.path, sizeof(lane.path), "%s", fixture.path);
	keeper = sl_keeper_create(&config, &lane, 1, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(keeper);
	// Starting is no failure: the lane has room in the segment that it has.
	CU_ASSERT_EQUAL(sl_keeper_start(keeper, &err), 0);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.lane.spare_error), -ENOSPC);
	CU_ASSERT_PTR_NULL(SL_LOAD_ACQUIRE(fixture.lane.spare));
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.spare_ready), 0);
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static void a_directory_that_cannot_be_listed_is_an_error(void)
{
	const struct sl_keeper_lane lane = {.number = 1, .path = "/nonexistent/lane"};
	const struct sl_keeper_config config = {.segment_bytes = SL_MIB};
	struct sl_err err = {0};

	CU_ASSERT_PTR_NULL(sl_keeper_create(&config, &lane, 1, &err));
	CU_ASSERT_EQUAL(err.code, -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/lane"));
}

// A real file system of 32 MiB at path, gone with the process. False without the right to mount.
static bool mount_small(const char *path)
{
	char command[512];

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	snprintf(command, sizeof(command),
		"truncate -s 32M %s/image && mkfs.ext4 -q -F %s/image && mkdir %s/small && mount -o loop %s/image %s/small",
		path, path, path, path, path);
	return system(command) == 0;
}

static void a_full_disk_stops_the_lane_until_there_is_room(void)
{
	static const struct sl_fixture_options options = {
		.segment_bytes = 4 * SL_MIB, .batch_bytes = SL_MIB};
	static char large[1000000];
	struct sl_keeper_config config = {
		.segment_bytes = options.segment_bytes, .salt_crc = SL_FIXTURE_SALT_CRC};
	struct sl_keeper_lane lane = {.number = SL_FIXTURE_LANE, .next_segment = 2};
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	struct sl_err err = {0};
	char ballast[128];
	uint64_t stored;
	int fd;

	sl_fixture_open(&fixture, &options);
	if (!mount_small(fixture.path)) {
		printf("skip a_full_disk_stops_the_lane_until_there_is_room: needs root and a loop device\n");
		sl_fixture_close(&fixture);
		return;
	}
	snprintf(lane.path, sizeof(lane.path), "%s/small", fixture.path);
	snprintf(ballast, sizeof(ballast), "%s/small/ballast", fixture.path);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL_FATAL(posix_fallocate(fd, 0, 14 * SL_MIB), 0);
	close(fd);
	lane.lane = &fixture.lane;
	lane.shm = &fixture.shm;
	keeper = sl_keeper_create(&config, &lane, 1, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(keeper);
	CU_ASSERT_EQUAL_FATAL(sl_keeper_start(keeper, &err), 0);
	while (fixture.counters.drops[SL_DROP_DISK_FULL] == 0) {
		sl_fixture_append(&fixture, 1, large, sizeof(large), NOW);
		sl_fixture_settle(&fixture, NOW);
	}
	stored = fixture.counters.appended - fixture.lane.event_count;
	CU_ASSERT_EQUAL(fixture.counters.stored, stored);
	CU_ASSERT(fixture.lane.segment->number > 1);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.state), SL_LANE_DISK_FULL);
	CU_ASSERT_FALSE(fixture.lane.failed);
	// There is room again: the keeper finds it by itself.
	CU_ASSERT_EQUAL(unlink(ballast), 0);
	while (!sl_fixture_append(&fixture, 1, large, sizeof(large), NOW))
		sched_yield();
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.state), SL_LANE_ACTIVE);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.lane.spare_error), 0);
	sl_keeper_destroy(keeper);
	fixture.io->ops->destroy(fixture.io);
	fixture.io = NULL;
	sl_segment_close(fixture.lane.full_segment);
	sl_segment_close(fixture.lane.segment);
	fixture.lane.full_segment = NULL;
	fixture.lane.segment = NULL;
	CU_ASSERT_EQUAL(umount(lane.path), 0);
	sl_fixture_close(&fixture);
}

static bool has_index(const struct sl_fixture *fixture, uint64_t segment)
{
	char path[512];

	CU_ASSERT_EQUAL(sl_segment_index_path(path, fixture->path, segment, NULL), 0);
	return access(path, F_OK) == 0;
}

static void wait_for_indexes(const struct sl_fixture *fixture, uint64_t count)
{
	while (SL_LOAD(fixture->shm.segments_indexed) != count)
		sched_yield();
}

static void sealed_segments_get_an_index_that_goes_with_them(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	uint64_t first;

	sl_fixture_open(&fixture, &small);
	keeper = start_keeper(&fixture, 0);
	write_until_segment(&fixture, 5);
	wait_for_indexes(&fixture, 4);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.indexes_built), 4);
	CU_ASSERT(has_index(&fixture, 1) && has_index(&fixture, 4));
	CU_ASSERT_FALSE(has_index(&fixture, 5));
	sl_keeper_stop(keeper);
	sl_keeper_destroy(keeper);
	// The next start builds what is missing, and takes away what has lost its segment.
	char path[512], orphan[512];
	CU_ASSERT_EQUAL(sl_segment_index_path(path, fixture.path, 2, NULL), 0);
	CU_ASSERT_EQUAL(sl_segment_index_path(orphan, fixture.path, 99, NULL), 0);
	CU_ASSERT_EQUAL(rename(path, orphan), 0);
	fixture.shm.indexes_built = fixture.shm.segments_indexed = 0;
	keeper = start_keeper(&fixture, 0);
	wait_for_indexes(&fixture, 4);
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.indexes_built), 1);
	CU_ASSERT(has_index(&fixture, 2));
	CU_ASSERT_FALSE(has_index(&fixture, 99));
	sl_keeper_stop(keeper);
	sl_keeper_destroy(keeper);
	// Retention takes both.
	keeper = start_keeper(&fixture, 3 * small.segment_bytes);
	write_until_segment(&fixture, 9);
	sl_keeper_stop(keeper);
	CU_ASSERT_PTR_NOT_NULL(list_segments(&fixture, &first));
	CU_ASSERT(first > 4);
	for (uint64_t segment = 1; segment < first; segment++)
		CU_ASSERT_FALSE(has_index(&fixture, segment));
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

// A folder in the place of its temporary file, for the sake of an open that fails.
static void an_index_that_cannot_be_written_is_written_when_it_can_be(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	char temp[512], path[512];

	sl_fixture_open(&fixture, &small);
	keeper = start_keeper(&fixture, 0);
	write_until_segment(&fixture, 3);
	wait_for_indexes(&fixture, 2);
	sl_keeper_stop(keeper);
	sl_keeper_destroy(keeper);
	CU_ASSERT_EQUAL(sl_segment_index_path(path, fixture.path, 1, NULL), 0);
	CU_ASSERT_EQUAL(sl_segment_temp_path(temp, fixture.path, 1, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
	CU_ASSERT_EQUAL_FATAL(mkdir(temp, 0700), 0);
	keeper = make_keeper(&fixture, 0);
	while (keeper->lanes[0].index_wait_turns == 0)
		sl_keeper_index(keeper);
	CU_ASSERT_FALSE(has_index(&fixture, 1));
	CU_ASSERT_EQUAL(rmdir(temp), 0);
	for (uint32_t turns = keeper->lanes[0].index_wait_turns + 1; turns > 0; turns--) {
		CU_ASSERT_FALSE(has_index(&fixture, 1));
		sl_keeper_index(keeper);
	}
	CU_ASSERT(has_index(&fixture, 1));
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

// The stack of every thread to come: more than there are addresses.
static void set_stack_bytes(size_t bytes)
{
	pthread_attr_t attributes;

	CU_ASSERT_EQUAL_FATAL(pthread_getattr_default_np(&attributes), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_attr_setstacksize(&attributes, bytes), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_setattr_default_np(&attributes), 0);
	pthread_attr_destroy(&attributes);
}

static size_t stack_bytes(void)
{
	pthread_attr_t attributes;
	size_t bytes;

	CU_ASSERT_EQUAL_FATAL(pthread_getattr_default_np(&attributes), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_attr_getstacksize(&attributes, &bytes), 0);
	pthread_attr_destroy(&attributes);
	return bytes;
}

static void a_keeper_whose_thread_cannot_start_leaves_no_spare(void)
{
	struct sl_fixture fixture;
	struct sl_keeper *keeper;
	struct sl_err err = {0};
	size_t usual_bytes = stack_bytes();

	sl_fixture_open(&fixture, &small);
	keeper = make_keeper(&fixture, 0);
	set_stack_bytes((size_t)1 << 48);
	CU_ASSERT(sl_keeper_start(keeper, &err) < 0);
	set_stack_bytes(usual_bytes);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "keeper thread"));
	CU_ASSERT_PTR_NULL(fixture.lane.spare);
	CU_ASSERT_STRING_EQUAL(list_segments(&fixture, NULL), "o");
	CU_ASSERT_EQUAL(SL_LOAD(fixture.shm.segment_count), 1);
	sl_keeper_destroy(keeper);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_started_keeper_has_a_spare_ready_and_takes_it_away_when_it_stops),
	SL_TEST(full_segments_are_sealed_and_closed_while_the_lane_goes_on),
	SL_TEST(a_segment_that_is_handed_over_is_sealed_before_the_keeper_ends),
	SL_TEST(a_segment_that_cannot_be_flushed_fails_its_lane),
	SL_TEST(retention_removes_the_oldest_segments_and_never_the_open_ones),
	SL_TEST(an_enormous_segment_is_no_room_and_is_said_as_such),
	SL_TEST(a_directory_that_cannot_be_listed_is_an_error),
	SL_TEST(a_full_disk_stops_the_lane_until_there_is_room),
	SL_TEST(sealed_segments_get_an_index_that_goes_with_them),
	SL_TEST(an_index_that_cannot_be_written_is_written_when_it_can_be),
	SL_TEST(a_keeper_whose_thread_cannot_start_leaves_no_spare),
};
SL_SUITE(dataplane_store_keeper);
