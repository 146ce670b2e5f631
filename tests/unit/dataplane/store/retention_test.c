/* SPDX-License-Identifier: BSD-3-Clause */
// Retention over several lanes whose segments were made by hand.
#include "lane_fixture.h"
#include "store/keeper_internal.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_BYTES (256u * 1024)
#define LANE_COUNT 3

static struct {
	char path[64];
	struct sl_keeper_lane lanes[LANE_COUNT];
	struct sl_shm_lane shm[LANE_COUNT];
	struct sl_keeper *keeper;
} store;

// A sealed segment of a lane whose last event came at time_ns.
static void make_segment(uint16_t lane, uint64_t number, uint64_t time_ns)
{
	struct sl_err err = {0};
	struct sl_segment *segment =
		sl_segment_create(store.lanes[lane].path, number, SEGMENT_BYTES, &err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	segment->first_number = number;
	segment->last_number = number;
	segment->end_position = SL_BLOCK_BYTES;
	segment->time_last_ns = time_ns;
	CU_ASSERT_EQUAL(sl_segment_seal(segment, lane, 1, SL_FIXTURE_SALT_CRC, &err), 0);
	sl_segment_close(segment);
}

static void make_lanes(const uint16_t class_indexes[LANE_COUNT])
{
	memset(&store, 0, sizeof(store));
	CU_ASSERT_FATAL(sl_fixture_make_directory(store.path));
	for (uint16_t i = 0; i < LANE_COUNT; i++) {
		store.lanes[i] = (struct sl_keeper_lane){
			.number = i, .class_index = class_indexes[i], .shm = &store.shm[i]};
		snprintf(store.lanes[i].path, sizeof(store.lanes[i].path), "%s/%u", store.path, i);
		CU_ASSERT_EQUAL_FATAL(mkdir(store.lanes[i].path, 0750), 0);
	}
}

static void make_keeper(uint64_t retention_of_0, uint64_t retention_of_1)
{
	const struct sl_keeper_config config = {
		.segment_bytes = SEGMENT_BYTES,
		.retention_bytes = {retention_of_0, retention_of_1},
		.salt_crc = SL_FIXTURE_SALT_CRC,
	};
	struct sl_err err = {0};

	store.keeper = sl_keeper_create(&config, store.lanes, LANE_COUNT, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store.keeper);
}

static void remove_all(void)
{
	sl_keeper_destroy(store.keeper);
	sl_fixture_remove_directory(store.path);
}

static bool exists(uint16_t lane, uint64_t number)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%u/" SL_SEGMENT_NAME_FORMAT, store.path, lane,
		(unsigned long long)number);
	return access(path, F_OK) == 0;
}

static void the_oldest_of_a_class_goes_first_whichever_lane_has_it(void)
{
	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 1});
	make_segment(0, 1, 10);
	make_segment(0, 2, 40);
	make_segment(1, 1, 20);
	make_segment(1, 2, 30);
	make_segment(2, 1, 1); // of another class: older, and none of its business
	make_keeper(2 * SEGMENT_BYTES, 0);
	sl_keeper_expire(store.keeper);
	CU_ASSERT_FALSE(exists(0, 1));
	CU_ASSERT_FALSE(exists(1, 1));
	CU_ASSERT(exists(0, 2));
	CU_ASSERT(exists(1, 2));
	CU_ASSERT(exists(2, 1));
	CU_ASSERT_EQUAL(store.shm[0].segments_expired, 1);
	CU_ASSERT_EQUAL(store.shm[1].segments_expired, 1);
	sl_keeper_expire(store.keeper);
	CU_ASSERT(exists(0, 2)); // exactly at the limit is not over it
	remove_all();
}

static void without_a_limit_everything_is_kept(void)
{
	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 1});
	make_segment(0, 1, 10);
	make_segment(2, 1, 10);
	make_keeper(0, SEGMENT_BYTES);
	sl_keeper_expire(store.keeper);
	CU_ASSERT(exists(0, 1));
	CU_ASSERT(exists(2, 1));
	remove_all();
}

static void lanes_of_a_class_that_the_configuration_does_not_name_are_kept(void)
{
	make_lanes((const uint16_t[LANE_COUNT]){0xffff, 0xffff, 0xffff});
	make_segment(0, 1, 10);
	make_segment(1, 1, 10);
	make_keeper(1, 1);
	sl_keeper_expire(store.keeper);
	CU_ASSERT(exists(0, 1));
	CU_ASSERT(exists(1, 1));
	remove_all();
}

static void segments_that_are_not_sealed_count_and_stay(void)
{
	struct sl_err err = {0};
	struct sl_segment *open;

	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 0});
	make_segment(0, 1, 10);
	make_segment(0, 2, 20);
	open = sl_segment_create(store.lanes[1].path, 1, SEGMENT_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(open);
	make_keeper(2 * SEGMENT_BYTES, 0);
	sl_keeper_expire(store.keeper);
	CU_ASSERT_FALSE(exists(0, 1));
	CU_ASSERT(exists(0, 2));
	store.keeper->config.retention_bytes[0] = 1;
	sl_keeper_expire(store.keeper);
	CU_ASSERT_FALSE(exists(0, 2));
	CU_ASSERT(exists(1, 1));
	sl_segment_close(open);
	remove_all();
}

static void segments_whose_last_event_is_too_old_go_lane_by_lane(void)
{
	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 1});
	make_segment(0, 1, 10 * SL_NS_PER_S);
	make_segment(0, 2, 40 * SL_NS_PER_S);
	make_segment(1, 1, 20 * SL_NS_PER_S);
	make_segment(1, 2, 30 * SL_NS_PER_S);
	make_segment(2, 1, 1 * SL_NS_PER_S); // its class keeps everything
	make_keeper(0, 0);
	store.keeper->config.retention_age_s[0] = 100;
	sl_keeper_expire_aged(store.keeper, 120 * SL_NS_PER_S);
	CU_ASSERT_FALSE(exists(0, 1));
	CU_ASSERT(exists(1, 1)); // just as old as allowed
	sl_keeper_expire_aged(store.keeper, 130 * SL_NS_PER_S + 1);
	CU_ASSERT_FALSE(exists(1, 1));
	CU_ASSERT_FALSE(exists(1, 2));
	CU_ASSERT(exists(0, 2));
	CU_ASSERT(exists(2, 1));
	CU_ASSERT_EQUAL(store.shm[1].segments_expired, 2);
	remove_all();
}

static void the_last_sealed_segment_of_a_live_lane_goes_once_the_next_one_is_settled(void)
{
	struct sl_lane lane = {0};
	struct sl_err err = {0};
	struct sl_segment *open;

	make_lanes((const uint16_t[LANE_COUNT]){0, 1, 1});
	make_segment(0, 1, 10 * SL_NS_PER_S);
	make_segment(0, 2, 20 * SL_NS_PER_S);
	open = sl_segment_create(store.lanes[0].path, 3, SEGMENT_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(open);
	store.lanes[0].lane = &lane;
	make_keeper(0, 0);
	store.keeper->config.retention_age_s[0] = 1;
	lane.settled_segment = 2; // the third has not got its checkpoint yet
	sl_keeper_expire_aged(store.keeper, 100 * SL_NS_PER_S);
	CU_ASSERT_FALSE(exists(0, 1));
	CU_ASSERT(exists(0, 2));
	lane.settled_segment = 3;
	sl_keeper_expire_aged(store.keeper, 100 * SL_NS_PER_S);
	CU_ASSERT_FALSE(exists(0, 2));
	CU_ASSERT(exists(0, 3));
	sl_segment_close(open);
	remove_all();
}

// /dev/zero opens, and cannot be flushed. The second flush would say that all is well.
static void a_segment_whose_successor_cannot_be_flushed_stays_for_good(void)
{
	struct sl_lane lane = {0};
	char path[SL_PATH_BYTES_MAX + 32];

	make_lanes((const uint16_t[LANE_COUNT]){0, 1, 1});
	make_segment(0, 1, 10 * SL_NS_PER_S);
	store.lanes[0].lane = &lane;
	make_keeper(0, 0);
	store.keeper->config.retention_age_s[0] = 1;
	lane.settled_segment = 2;
	snprintf(path, sizeof(path), "%s/0000000000000002.seg", store.lanes[0].path);
	CU_ASSERT_EQUAL_FATAL(symlink("/dev/zero", path), 0);
	sl_keeper_expire_aged(store.keeper, 100 * SL_NS_PER_S);
	CU_ASSERT(exists(0, 1));
	CU_ASSERT_EQUAL(lane.seal_error, -EINVAL);
	CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
	CU_ASSERT_EQUAL_FATAL(symlink("0000000000000001.seg", path), 0);
	sl_keeper_expire_aged(store.keeper, 100 * SL_NS_PER_S);
	CU_ASSERT(exists(0, 1));
	lane.seal_error = 0; // and a durable lane has no need of it
	lane.durability = SL_DURABILITY_DURABLE;
	CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
	sl_keeper_expire_aged(store.keeper, 100 * SL_NS_PER_S);
	CU_ASSERT_FALSE(exists(0, 1));
	remove_all();
}

static void a_trimmed_segment_counts_for_what_it_takes(void)
{
	struct sl_err err = {0};
	struct sl_segment *segment;

	make_lanes((const uint16_t[LANE_COUNT]){0, 1, 1});
	segment = sl_segment_create(store.lanes[0].path, 1, SEGMENT_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	segment->first_number = 1;
	segment->last_number = 1;
	segment->end_position = SEGMENT_BYTES / 2 + SL_BLOCK_BYTES;
	CU_ASSERT_EQUAL(sl_segment_trim(segment), SEGMENT_BYTES); // worth recycling whole
	segment->end_position = 2 * SL_BLOCK_BYTES;
	CU_ASSERT_EQUAL(sl_segment_trim(segment), 3 * SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(sl_segment_seal(segment, 0, 1, SL_FIXTURE_SALT_CRC, &err), 0);
	sl_segment_close(segment);
	make_keeper(0, 0);
	CU_ASSERT_EQUAL(store.keeper->lanes[0].sealed[0].file_bytes, SEGMENT_BYTES);
	CU_ASSERT_EQUAL(sl_keeper_class_bytes(store.keeper, 0), 3 * SL_BLOCK_BYTES);
	CU_ASSERT_PTR_NULL(sl_segment_recycle(
		store.lanes[0].path, 1, store.lanes[1].path, 1, SEGMENT_BYTES, &err));
	CU_ASSERT_EQUAL(err.code, -ESTALE);
	remove_all();
}

// As a store is copied that its copier makes holes in: the segment is filled yet, and closed with
// its length.
static void a_segment_with_holes_that_is_not_sealed_counts_for_its_length(void)
{
	struct sl_err err = {0};
	struct sl_segment *open;

	make_lanes((const uint16_t[LANE_COUNT]){0, 1, 1});
	open = sl_segment_create(store.lanes[0].path, 1, SEGMENT_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(open);
	CU_ASSERT_EQUAL_FATAL(ftruncate(open->fd, 0), 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(open->fd, SEGMENT_BYTES), 0);
	make_keeper(0, 0);
	CU_ASSERT_EQUAL(sl_keeper_class_bytes(store.keeper, 0), SEGMENT_BYTES);
	sl_segment_close(open);
	remove_all();
}

// Bytes that stderr gets while the keeper looks at its lanes again and again.
static size_t said_in_turns(uint32_t turn_count)
{
	static char text[65536];
	int saved = dup(STDERR_FILENO);
	int ends[2];
	ssize_t bytes;

	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	for (uint32_t i = 0; i < turn_count; i++)
		sl_keeper_expire(store.keeper);
	dup2(saved, STDERR_FILENO);
	close(saved);
	bytes = read(ends[0], text, sizeof(text));
	close(ends[0]);
	CU_ASSERT_FATAL(bytes >= 0);
	return (size_t)bytes;
}

// In its place something that unlink refuses, also to root.
static void make_unremovable(char path[128], uint16_t lane, uint64_t number)
{
	snprintf(path, 128, "%s/%u/" SL_SEGMENT_NAME_FORMAT, store.path, lane,
		(unsigned long long)number);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
}

#define TURNS_A_SECOND (SL_NS_PER_S / SL_KEEPER_TURN_NS)

static void a_segment_that_cannot_be_removed_is_said_once(void)
{
	char path[128];
	size_t said_bytes;

	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 0});
	make_segment(0, 1, 10);
	make_segment(1, 1, 20);
	make_keeper(1, 0);
	make_unremovable(path, 0, 1);
	said_bytes = said_in_turns(1);
	CU_ASSERT(said_bytes > 0);
	CU_ASSERT_EQUAL(said_in_turns(2 * TURNS_A_SECOND), 0);
	CU_ASSERT_EQUAL(rmdir(path), 0);
	CU_ASSERT_EQUAL(store.keeper->lanes[0].sealed_count, 1);
	CU_ASSERT_EQUAL(said_in_turns(TURNS_A_SECOND), 0);
	CU_ASSERT_EQUAL(store.keeper->lanes[0].sealed_count, 0);
	remove_all();
}

static void a_drive_that_lets_no_segment_go_does_not_keep_the_others_from_expiring(void)
{
	char path[128];

	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 1});
	make_segment(0, 1, 10);
	make_segment(0, 2, 15);
	for (uint64_t number = 1; number <= 4; number++)
		make_segment(1, number, 10 + 10 * number);
	store.lanes[1].drive_index = 1;
	make_keeper(2 * SEGMENT_BYTES, 0);
	store.keeper->config.drive_count = 2;
	make_unremovable(path, 0, 1);
	sl_keeper_expire(store.keeper);
	CU_ASSERT_FALSE(exists(1, 2));
	CU_ASSERT(exists(1, 3)); // what is left there is within the limit
	CU_ASSERT(exists(1, 4));
	CU_ASSERT_EQUAL(store.shm[1].segments_expired, 2);
	// Nor from being recycled.
	CU_ASSERT_PTR_EQUAL(sl_keeper_find_recyclable(store.keeper, 0, 1), &store.keeper->lanes[1]);
	for (uint32_t i = 0; i < 3 * TURNS_A_SECOND; i++)
		sl_keeper_expire(store.keeper);
	CU_ASSERT(exists(1, 3));
	// Once it takes removals again, they are of the whole class.
	CU_ASSERT_EQUAL(rmdir(path), 0);
	for (uint32_t i = 0; i < TURNS_A_SECOND; i++)
		sl_keeper_expire(store.keeper);
	CU_ASSERT_EQUAL(store.keeper->lanes[0].sealed_count, 0);
	CU_ASSERT_FALSE(exists(0, 2));
	CU_ASSERT(exists(1, 3));
	remove_all();
}

static void age_is_looked_at_lane_by_lane_also_when_one_lets_nothing_go(void)
{
	char path[128];

	make_lanes((const uint16_t[LANE_COUNT]){0, 0, 1});
	make_segment(0, 1, 10 * SL_NS_PER_S);
	make_segment(1, 1, 20 * SL_NS_PER_S);
	make_keeper(0, 0);
	store.keeper->config.retention_age_s[0] = 1;
	make_unremovable(path, 0, 1);
	sl_keeper_expire_aged(store.keeper, 100 * SL_NS_PER_S);
	CU_ASSERT_FALSE(exists(1, 1));
	CU_ASSERT_EQUAL(rmdir(path), 0);
	sl_keeper_expire_aged(store.keeper, 101 * SL_NS_PER_S);
	CU_ASSERT_EQUAL(store.keeper->lanes[0].sealed_count, 0);
	remove_all();
}

static const struct sl_test tests[] = {
	SL_TEST(the_oldest_of_a_class_goes_first_whichever_lane_has_it),
	SL_TEST(without_a_limit_everything_is_kept),
	SL_TEST(lanes_of_a_class_that_the_configuration_does_not_name_are_kept),
	SL_TEST(segments_that_are_not_sealed_count_and_stay),
	SL_TEST(segments_whose_last_event_is_too_old_go_lane_by_lane),
	SL_TEST(the_last_sealed_segment_of_a_live_lane_goes_once_the_next_one_is_settled),
	SL_TEST(a_segment_whose_successor_cannot_be_flushed_stays_for_good),
	SL_TEST(a_trimmed_segment_counts_for_what_it_takes),
	SL_TEST(a_segment_with_holes_that_is_not_sealed_counts_for_its_length),
	SL_TEST(a_segment_that_cannot_be_removed_is_said_once),
	SL_TEST(a_drive_that_lets_no_segment_go_does_not_keep_the_others_from_expiring),
	SL_TEST(age_is_looked_at_lane_by_lane_also_when_one_lets_nothing_go),
};
SL_SUITE(dataplane_store_retention);
