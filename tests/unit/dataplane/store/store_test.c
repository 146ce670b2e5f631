/* SPDX-License-Identifier: BSD-3-Clause */
// Opening a store: what the directory must be, and what of the configuration fits it.
#include "store_fixture.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sl_store_fixture fixture;

static const char *in_store(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
	return path;
}

static void expect_refusal(int code, const char *text)
{
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_store_fixture_open(&fixture, &err), code);
	CU_ASSERT_EQUAL(err.code, code);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
}

static void a_new_store_has_salt_stream_lane_and_lock(void)
{
	static const uint8_t zeros[SL_SALT_BYTES];
	const struct sl_store_meta *meta = &fixture.store.meta;

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_NOT_EQUAL(memcmp(meta->header.salt, zeros, SL_SALT_BYTES), 0);
	CU_ASSERT_EQUAL(meta->header.segment_bytes, SL_STORE_FIXTURE_SEGMENT_BYTES);
	CU_ASSERT_EQUAL(meta->header.stream_count, 1);
	CU_ASSERT_STRING_EQUAL(meta->streams[0].name, "plays");
	CU_ASSERT_EQUAL(meta->streams[0].partition_count, 3);
	CU_ASSERT_NOT_EQUAL(memcmp(meta->streams[0].steering_key, zeros, SL_STEERING_KEY_BYTES), 0);
	CU_ASSERT_EQUAL_FATAL(fixture.store.lane_count, 1);
	CU_ASSERT_EQUAL(meta->lanes[0].worker_index, 0);
	for (uint32_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(meta->partitions[i].lane, 0);
		CU_ASSERT_EQUAL(meta->partitions[i].term, 1);
		CU_ASSERT_EQUAL(meta->partitions[i].term_start, 0);
		CU_ASSERT_EQUAL(fixture.store.partitions[i].lane_slot, 0);
	}
	CU_ASSERT_EQUAL(fixture.store.lanes[0].owned_count, 3);
	CU_ASSERT_EQUAL(fixture.shm.lanes[0].state, SL_LANE_ACTIVE);
	CU_ASSERT_STRING_EQUAL(fixture.shm.lanes[0].class_name, "default");
	CU_ASSERT_EQUAL(fixture.shm.lanes[0].epoch, 1);
	CU_ASSERT_EQUAL(access(in_store("store.lock"), F_OK), 0);
	CU_ASSERT_EQUAL(access(in_store("lane-00000/0000000000000001.seg"), F_OK), 0);
	sl_store_fixture_write(&fixture, 1, 5);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){0, 5, 0}, 3);
	sl_store_fixture_fini(&fixture);
}

static void a_directory_with_anything_else_in_it_is_refused_untouched(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	close(open(in_store("letters"), O_CREAT | O_WRONLY, 0600));
	expect_refusal(
		-ENOTEMPTY, "is not empty ('letters'): a store is only made in an empty directory");
	CU_ASSERT_NOT_EQUAL(access(in_store("store.meta"), F_OK), 0);
	unlink(in_store("letters"));
	// A file system of its own has this folder.
	CU_ASSERT_EQUAL(mkdir(in_store("lost+found"), 0700), 0);
	sl_store_fixture_run(&fixture);
	sl_store_fixture_fini(&fixture);
}

static void a_first_start_that_was_killed_can_be_repeated(void)
{
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	CU_ASSERT_EQUAL(sl_store_fixture_open(&fixture, &err), 0);
	sl_store_fixture_kill(&fixture);
	// Killed when the lane was there and store.meta did not know it yet: its second slot is.
	CU_ASSERT_EQUAL(truncate(in_store("store.meta"), SL_STORE_META_SLOT_BYTES), 0);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.lanes[0].recovery.epoch, 2);
	sl_store_fixture_kill(&fixture);
	sl_store_fixture_fini(&fixture);

	// Killed while store.meta itself was being written.
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	close(open(in_store("store.meta"), O_CREAT | O_WRONLY, 0600));
	sl_store_fixture_run(&fixture);
	sl_store_fixture_write(&fixture, 1, 1);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_fini(&fixture);
}

static void a_store_meta_that_has_lost_its_lanes_is_damage(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	sl_store_fixture_run(&fixture);
	sl_store_fixture_write(&fixture, 1, 1);
	sl_store_fixture_stop(&fixture);
	// The slot that knew them is gone, the one before is right.
	CU_ASSERT_EQUAL(truncate(in_store("store.meta"), SL_STORE_META_SLOT_BYTES), 0);
	expect_refusal(-EUCLEAN, "is CORRUPT: it does not name lane 0, whose folder ");
	// Both are gone.
	CU_ASSERT_EQUAL(truncate(in_store("store.meta"), 8), 0);
	expect_refusal(-EBADMSG, "both slots of store.meta are damaged or empty");
	sl_store_fixture_fini(&fixture);
}

static void what_is_no_usable_directory_is_refused_with_line_and_remedy(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	fixture.config.store.paths[0] = "/nonexistent/store";
	expect_refusal(-ENOENT,
		"test.yaml:3: store.paths: '/nonexistent/store': No such file or directory; make the directory: mkdir -p /nonexistent/store");
	fixture.config.store.paths[0] = "/dev/null";
	expect_refusal(-ENOTDIR, "test.yaml:3: store.paths: '/dev/null' is no directory");
	fixture.config.store.paths[0] = "/proc/self";
	fixture.config.store.paths[0] = "/proc";
	expect_refusal(-EOPNOTSUPP, "test.yaml:3: store.paths: '/proc' is not writable");
	sl_store_fixture_fini(&fixture);
}

static void a_store_that_another_process_has_is_refused(void)
{
	int ready[2], leave[2], status;
	pid_t child;
	char byte;

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(leave), 0);
	child = fork();
	if (child == 0) {
		struct sl_err err = {0};
		bool opened = sl_store_fixture_open(&fixture, &err) == 0;

		byte = opened ? 'y' : 'n';
		if (write(ready[1], &byte, 1) != 1 || read(leave[0], &byte, 1) != 1)
			_exit(2);
		_exit(opened ? 0 : 1);
	}
	CU_ASSERT_EQUAL_FATAL(read(ready[0], &byte, 1), 1);
	CU_ASSERT_EQUAL(byte, 'y');
	expect_refusal(-EBUSY, "is in use by another appliance");
	CU_ASSERT_EQUAL(write(leave[1], &byte, 1), 1);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(leave[i]);
	}
	sl_store_fixture_run(&fixture); // its lock went with it
	sl_store_fixture_fini(&fixture);
}

static void a_stream_keeps_its_number_of_partitions(void)
{
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	sl_store_fixture_run(&fixture);
	sl_store_fixture_stop(&fixture);
	fixture.config.streams[0].partition_count = 4;
	expect_refusal(
		-EINVAL, "test.yaml:11: partitions: value '4' of stream 'plays': the store ");
	expect_refusal(-EINVAL, "set partitions: 3, or give the stream another name");
	fixture.config.streams[0].partition_count = 3;
	sl_store_fixture_run(&fixture);
	sl_store_fixture_fini(&fixture);
}

static void streams_and_classes_are_matched_by_name_whatever_their_order(void)
{
	uint8_t key[SL_STEERING_KEY_BYTES];

	sl_store_fixture_init(&fixture);
	sl_store_fixture_class(&fixture, "bulk");
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	sl_store_fixture_stream(&fixture, "likes", 2, 1);
	sl_store_fixture_run(&fixture);
	memcpy(key, fixture.store.meta.streams[1].steering_key, sizeof(key));
	sl_store_fixture_write(&fixture, 4, 2);
	sl_store_fixture_stop(&fixture);

	// The other way round, and a new one of both in front.
	fixture.config.class_count = 0;
	fixture.config.stream_count = 0;
	sl_store_fixture_class(&fixture, "fresh");
	sl_store_fixture_class(&fixture, "bulk");
	sl_store_fixture_class(&fixture, "default");
	sl_store_fixture_stream(&fixture, "skips", 4, 0);
	sl_store_fixture_stream(&fixture, "likes", 2, 1);
	sl_store_fixture_stream(&fixture, "plays", 3, 2);
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_stream[0], 2);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_stream[1], 1);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_stream[2], 0);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_class[0], 2);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_class[1], 1);
	CU_ASSERT_EQUAL(fixture.store.meta_index_by_class[2], 0);
	CU_ASSERT_EQUAL(fixture.store.meta.streams[2].first_partition, 5);
	CU_ASSERT_EQUAL(memcmp(fixture.store.meta.streams[1].steering_key, key, sizeof(key)), 0);
	CU_ASSERT_EQUAL(fixture.store.meta.header.partition_count, 9);
	CU_ASSERT_EQUAL(fixture.store.meta.partitions[4].term, 1); // nobody moved
	CU_ASSERT_EQUAL(fixture.store.partitions[4].next_offset, 2);
	CU_ASSERT_EQUAL(fixture.store.partitions[4].lane_slot, 1);
	sl_store_fixture_write(&fixture, 4, 1);
	sl_store_fixture_write(&fixture, 8, 1);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){0, 0, 0, 0, 3, 0, 0, 0, 1}, 9);
	sl_store_fixture_fini(&fixture);
}

static void a_store_has_room_for_64_streams_and_65536_partitions_and_says_so(void)
{
	static char names[20][16];

	sl_store_fixture_init(&fixture);
	for (uint32_t i = 0; i < 17; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		sl_store_fixture_stream(&fixture, names[i], 4096, 0);
	}
	expect_refusal(-ENOSPC, "test.yaml:27: streams: 's16': the store ");
	fixture.config.stream_count = 16;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_EQUAL(fixture.store.meta.header.partition_count, SL_PARTITION_COUNT_MAX);
	CU_ASSERT_EQUAL(fixture.store.lanes[0].owned_count, SL_PARTITION_COUNT_MAX);
	sl_store_fixture_write(&fixture, 65535, 1);
	sl_store_fixture_stop(&fixture);
	fixture.config.stream_count = 0;
	sl_store_fixture_stream(&fixture, "one-more", 1, 0);
	expect_refusal(-ENOSPC, "16 of 64 streams and 65536 of 65536 partitions are taken");
	sl_store_fixture_fini(&fixture);
}

static void memory_that_is_not_there_is_an_error_that_names_the_lane(void)
{
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	fixture.config.classes[0].batch_bytes = SL_BATCH_BYTES_MAX;
	fixture.config.store.in_flight_max = 0x7fffff00;
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(sl_store_fixture_start(&fixture, &err), -ENOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lane 0: no "));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "MiB of hugepage memory for its batches"));
	CU_ASSERT_EQUAL(sl_store_stop(&fixture.store, &err), 0); // half-started is legal
	sl_store_fixture_fini(&fixture);
}

static void a_first_start_that_fails_leaves_the_directory_as_it_was(void)
{
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	// Behind the first segment: there is no memory for a second lane.
	sl_store_fixture_class(&fixture, "bulk");
	sl_store_fixture_stream(&fixture, "likes", 3, 1);
	fixture.is_short_of_memory = true;
	fixture.begin_count_max = 1;
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(sl_store_fixture_start(&fixture, &err), -ENOMEM);
	CU_ASSERT_EQUAL(access(in_store("lane-00001"), F_OK), 0);
	sl_store_fixture_end(&fixture);
	CU_ASSERT(fixture.store.is_new);
	sl_store_fixture_close(&fixture);
	CU_ASSERT_EQUAL(rmdir(fixture.path), 0); // it is empty
	CU_ASSERT_EQUAL_FATAL(mkdir(fixture.path, 0750), 0);
	// A store that was there before is not touched.
	fixture.is_short_of_memory = false;
	sl_store_fixture_run(&fixture);
	CU_ASSERT_FALSE(fixture.store.is_new);
	sl_store_fixture_write(&fixture, 1, 5);
	sl_store_fixture_stop(&fixture);
	fixture.is_short_of_memory = true;
	fixture.begin_count_max = 0;
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(sl_store_fixture_start(&fixture, &err), -ENOMEM);
	sl_store_fixture_close(&fixture);
	fixture.is_open = false;
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){0, 5, 0, 0, 0, 0}, 6);
	sl_store_fixture_fini(&fixture);
}

static void a_first_start_that_fails_behind_its_lanes_leaves_nothing_but_events(void)
{
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_start(&fixture, &err), 0);
	sl_store_fixture_end(&fixture);
	sl_store_fixture_close(&fixture);
	CU_ASSERT_EQUAL(rmdir(fixture.path), 0); // it is empty
	CU_ASSERT_EQUAL_FATAL(mkdir(fixture.path, 0750), 0);
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_start(&fixture, &err), 0);
	sl_store_fixture_write(&fixture, 1, 5);
	sl_store_fixture_end(&fixture);
	sl_store_fixture_close(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){0, 5, 0}, 3);
	sl_store_fixture_fini(&fixture);
}

static void a_first_start_that_cannot_be_taken_back_can_be_repeated(void)
{
	struct sl_err err = {0};

	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", 3, 0);
	fixture.is_short_of_memory = true;
	CU_ASSERT_EQUAL_FATAL(sl_store_fixture_open(&fixture, &err), 0);
	CU_ASSERT_EQUAL(sl_store_fixture_start(&fixture, &err), -ENOMEM);
	// No file: it cannot be unlinked.
	CU_ASSERT_EQUAL_FATAL(mkdir(in_store("lane-00000/0000000000000001.seg"), 0750), 0);
	sl_store_fixture_close(&fixture);
	CU_ASSERT_EQUAL(access(in_store("store.meta"), F_OK), 0);
	CU_ASSERT_EQUAL_FATAL(rmdir(in_store("lane-00000/0000000000000001.seg")), 0);
	fixture.is_short_of_memory = false;
	sl_store_fixture_run(&fixture);
	sl_store_fixture_write(&fixture, 1, 5);
	sl_store_fixture_stop(&fixture);
	sl_store_fixture_expect_dense(&fixture, (const uint64_t[]){0, 5, 0}, 3);
	sl_store_fixture_fini(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_new_store_has_salt_stream_lane_and_lock),
	SL_TEST(a_directory_with_anything_else_in_it_is_refused_untouched),
	SL_TEST(a_first_start_that_was_killed_can_be_repeated),
	SL_TEST(a_store_meta_that_has_lost_its_lanes_is_damage),
	SL_TEST(what_is_no_usable_directory_is_refused_with_line_and_remedy),
	SL_TEST(a_store_that_another_process_has_is_refused),
	SL_TEST(a_stream_keeps_its_number_of_partitions),
	SL_TEST(streams_and_classes_are_matched_by_name_whatever_their_order),
	SL_TEST(a_store_has_room_for_64_streams_and_65536_partitions_and_says_so),
	SL_TEST(memory_that_is_not_there_is_an_error_that_names_the_lane),
	SL_TEST(a_first_start_that_fails_leaves_the_directory_as_it_was),
	SL_TEST(a_first_start_that_fails_behind_its_lanes_leaves_nothing_but_events),
	SL_TEST(a_first_start_that_cannot_be_taken_back_can_be_repeated),
};
SL_SUITE(dataplane_store_store);
