/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOW SL_FIXTURE_START_NS

static void a_lane_has_batches_for_writes_the_open_one_and_a_checkpoint(void)
{
	struct sl_lane_size size = {
		.in_flight_max = 8, .owned_count = 16, .batch_bytes = 512 * 1024};

	CU_ASSERT_EQUAL(sl_lane_batch_count(&size), 10);
	CU_ASSERT_EQUAL(sl_lane_memory_bytes(&size), 10 * 512 * 1024);
	// Two of another lane may come, and none of the rest may be missing then.
	size.has_alike = true;
	CU_ASSERT_EQUAL(sl_lane_batch_count(&size), 12);
	size = (struct sl_lane_size){.in_flight_max = 8, .batch_bytes = 512 * 1024};
	CU_ASSERT_EQUAL(sl_lane_batch_count(&size), 10);
	// 2724 states fit a batch of 64 KiB: 144 and 12 bytes come before them.
	size = (struct sl_lane_size){
		.in_flight_max = 8, .owned_count = 2724, .batch_bytes = 64 * 1024};
	CU_ASSERT_EQUAL(sl_lane_batch_count(&size), 10);
	size.owned_count = 2725;
	CU_ASSERT_EQUAL(sl_lane_batch_count(&size), 11);
	size = (struct sl_lane_size){.in_flight_max = SL_IN_FLIGHT_COUNT_MAX,
		.owned_count = SL_PARTITION_COUNT_MAX,
		.batch_bytes = SL_BATCH_BYTES_MIN,
		.has_alike = true};
	CU_ASSERT(sl_lane_batch_count(&size) <= SL_LANE_BATCH_COUNT_MAX);
}

static void a_lane_that_goes_on_writes_an_epoch_start_behind_its_last_batch(void)
{
	const struct sl_lane_chain chain = {.next_number = 42,
		.position = 3 * SL_BLOCK_BYTES,
		.durable_mark = 40,
		.time_last_ns = NOW,
		.prev_body_crc = 0x1234};
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	struct sl_segment *segment;
	const struct sl_batch_header *header;
	struct sl_err err = {0};

	sl_fixture_init(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_DURABLE});
	segment = sl_segment_create(fixture.path, 1, fixture.options.segment_bytes, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_EQUAL_FATAL(sl_lane_begin(&fixture.lane, segment, &chain, &err), 0);
	CU_ASSERT_PTR_NULL(fixture.lane.io); // the ring of its worker comes later
	CU_ASSERT_EQUAL(fixture.lane.next_number, 43);
	CU_ASSERT_EQUAL(fixture.lane.durable_mark, 42);
	CU_ASSERT_EQUAL(fixture.lane.watermark_number, 42);
	sl_fixture_walk_init(&walk, &fixture);
	walk.position = chain.position;
	walk.last_number = 41;
	walk.last_body_crc = chain.prev_body_crc;
	header = sl_fixture_walk_next(&walk);
	CU_ASSERT_PTR_NOT_NULL_FATAL(header);
	CU_ASSERT_EQUAL(header->kind, SL_BATCH_EPOCH_START);
	CU_ASSERT_EQUAL(header->flags, SL_BATCH_FLAG_CHECKPOINT_END);
	CU_ASSERT_EQUAL(header->durable_mark, 40);
	CU_ASSERT_EQUAL(header->run_count, 1);
	CU_ASSERT_EQUAL(header->time_base_ns, NOW);
	sl_fixture_walk_fini(&walk);
	// Events follow it.
	fixture.lane.io = fixture.io;
	CU_ASSERT(sl_fixture_append(&fixture, 1, "a", 1, NOW - 5));
	CU_ASSERT_EQUAL(fixture.lane.time_base_ns, NOW); // never back, across a restart too
	sl_fixture_close(&fixture);
}

static void a_clean_stop_is_the_last_thing_that_a_lane_says(void)
{
	static const enum sl_durability levels[] = {
		SL_DURABILITY_NONE, SL_DURABILITY_WRITTEN, SL_DURABILITY_DURABLE};
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;
	struct sl_err err = {0};

	for (size_t i = 0; i < SL_ARRAY_COUNT(levels); i++) {
		sl_fixture_open(&fixture, &(struct sl_fixture_options){.durability = levels[i]});
		sl_fixture_append(&fixture, 1, "a", 1, NOW);
		sl_lane_seal(&fixture.lane, NOW);
		sl_fixture_settle(&fixture, NOW);
		CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
		sl_fixture_walk_init(&walk, &fixture);
		sl_fixture_walk_next(&walk);
		sl_fixture_walk_next(&walk);
		header = sl_fixture_walk_next(&walk);
		CU_ASSERT_PTR_NOT_NULL_FATAL(header);
		CU_ASSERT_EQUAL(header->kind, SL_BATCH_MARK);
		CU_ASSERT_EQUAL(header->flags, SL_BATCH_FLAG_CLEAN_STOP);
		CU_ASSERT_EQUAL(header->durable_mark, 2); // whatever the class promises
		sl_fixture_walk_fini(&walk);
		sl_fixture_close(&fixture);
	}
}

static void a_lane_whose_last_segment_could_not_be_sealed_states_no_clean_stop(void)
{
	struct sl_fixture fixture;
	struct sl_err err = {0};

	// The flush of the segment before failed: nobody may say that its batches are durable.
	sl_fixture_open(
		&fixture, &(struct sl_fixture_options){.durability = SL_DURABILITY_WRITTEN});
	SL_STORE_RELEASE(fixture.lane.seal_error, -EIO);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lane 7"));
	CU_ASSERT_EQUAL(fixture.lane.next_number, 2);
	sl_fixture_close(&fixture);
}

static void a_lane_that_never_began_is_left_as_it_is(void)
{
	struct sl_fixture fixture;
	struct sl_fixture_walk walk;
	struct sl_err err = {0};

	sl_fixture_init(&fixture, &(struct sl_fixture_options){0});
	// As when there is no memory for its first writes.
	fixture.lane.segment =
		sl_segment_create(fixture.path, 1, fixture.options.segment_bytes, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture.lane.segment);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	sl_fixture_walk_init(&walk, &fixture);
	CU_ASSERT_PTR_NULL(sl_fixture_walk_next(&walk));
	sl_fixture_walk_fini(&walk);
	sl_fixture_close(&fixture);
}

static void a_failed_lane_is_left_as_it_is(void)
{
	struct sl_fixture fixture;
	struct sl_err err = {0};

	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	sl_lane_fail(&fixture.lane, SL_DROP_LANE_FAILED, -EIO);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	CU_ASSERT_EQUAL(fixture.lane.next_number, 2);
	sl_fixture_close(&fixture);
}

static struct sl_segment *make_bad_segment(const char *path, int flags)
{
	struct sl_segment *segment = calloc(1, sizeof(*segment));

	segment->fd = open(path, flags | O_CLOEXEC);
	segment->number = 1;
	segment->file_bytes = 4 * SL_MIB;
	return segment;
}

// At the start and at the end nobody calls again later: no room is an error, not a wait.
static void a_beginning_without_room_is_an_error(void)
{
	const struct sl_lane_chain chain = {.next_number = 1};
	struct sl_fixture fixture;
	struct sl_err err = {0};

	sl_fixture_init(&fixture, &(struct sl_fixture_options){0});
	CU_ASSERT_EQUAL(
		sl_lane_begin(&fixture.lane, make_bad_segment("/dev/full", O_RDWR), &chain, &err),
		-ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "lane 7: cannot write to segment 1: No space left"));
	sl_fixture_close(&fixture);
}

static void a_beginning_that_cannot_write_or_flush_is_an_error(void)
{
	const struct sl_lane_chain chain = {.next_number = 1};
	struct sl_fixture fixture;
	struct sl_err err = {0};

	sl_fixture_init(&fixture, &(struct sl_fixture_options){0});
	CU_ASSERT_EQUAL(
		sl_lane_begin(&fixture.lane, make_bad_segment("/dev/null", O_RDONLY), &chain, &err),
		-EBADF);
	sl_fixture_close(&fixture);
	sl_fixture_init(&fixture, &(struct sl_fixture_options){0});
	// Takes writes, but nothing can be flushed there.
	CU_ASSERT_EQUAL(
		sl_lane_begin(&fixture.lane, make_bad_segment("/dev/null", O_RDWR), &chain, &err),
		-EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "cannot flush segment 1"));
	// The next flush may go well, and would vouch for what this one lost.
	CU_ASSERT(fixture.lane.failed);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	CU_ASSERT_EQUAL(fixture.lane.next_number, 2);
	sl_fixture_close(&fixture);
}

// Its first batches have no time where it was made before lanes began with one.
static void what_a_first_segment_holds_ages_across_a_restart(void)
{
	const struct sl_lane_chain chain = {
		.next_number = 42, .position = 3 * SL_BLOCK_BYTES, .time_last_ns = NOW};
	struct sl_fixture fixture;
	struct sl_segment *segment;
	struct sl_err err = {0};

	sl_fixture_init(&fixture, &(struct sl_fixture_options){.segment_age_s = 60});
	segment = sl_segment_create(
		fixture.path, fixture.next_segment++, fixture.options.segment_bytes, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	segment->event_count = 1;
	CU_ASSERT_EQUAL_FATAL(sl_lane_begin(&fixture.lane, segment, &chain, &err), 0);
	fixture.lane.io = fixture.io;
	sl_fixture_give_spare(&fixture);
	sl_lane_tick(&fixture.lane, NOW + 60 * SL_NS_PER_S);
	CU_ASSERT_EQUAL(fixture.lane.segment->number, 2);
	CU_ASSERT_EQUAL(fixture.shm.segments_aged, 1);
	sl_fixture_close(&fixture);
}

static void complete_with(struct sl_fixture *fixture, int result, uint64_t now_ns)
{
	struct sl_io_request *done;

	CU_ASSERT_EQUAL_FATAL(fixture->io->ops->reap(fixture->io, &done, 1), 1);
	done->result = result;
	sl_lane_complete(&fixture->lane, done, now_ns);
}

// No time goes by at the end of a lane: a pause would last for ever.
static void what_is_to_be_sent_again_later_is_sent_at_the_end(void)
{
	struct sl_fixture fixture;
	struct sl_err err = {0};

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true, .retry_limit = 5});
	sl_fixture_append(&fixture, 1, "a", 1, NOW);
	sl_lane_seal(&fixture.lane, NOW);
	complete_with(&fixture, -EAGAIN, NOW);
	sl_lane_tick(&fixture.lane, NOW);
	complete_with(&fixture, -EINTR, NOW);
	CU_ASSERT(fixture.lane.retry_ns > NOW);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), 0);
	CU_ASSERT_EQUAL(fixture.counters.stored, 1);
	sl_fixture_close(&fixture);
}

// The keeper that would make a segment in the other lane has ended.
static void a_write_that_fails_at_the_end_waits_for_no_other_lane(void)
{
	struct sl_lane target = {0};
	struct sl_fixture fixture;
	struct sl_err err = {0};
	char path[128];
	int fd;

	sl_fixture_open(&fixture, &(struct sl_fixture_options){.sync = true});
	fixture.lane.target = &target;
	SL_STORE_RELEASE(fixture.lane.leaving, SL_LEAVING_GRANTED);
	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, fixture.path, 1ull);
	fd = open(path, O_RDONLY | O_CLOEXEC); // can be flushed, and takes no writes
	CU_ASSERT_FATAL(fd >= 0);
	dup2(fd, fixture.lane.segment->fd);
	CU_ASSERT_EQUAL(sl_lane_end(&fixture.lane, &err), -EBADF);
	CU_ASSERT(fixture.lane.failed);
	close(fd);
	sl_fixture_close(&fixture);
}

// The limit on file sizes cuts the first write short and refuses the rest of it.
static void a_first_write_that_is_cut_short_is_continued(void)
{
	const struct sl_lane_chain chain = {.next_number = 1}; // no time yet
	struct rlimit limit, old_limit;
	struct sl_fixture fixture;
	struct sl_segment *segment;
	struct sl_err err = {0};

	sl_fixture_init(&fixture, &(struct sl_fixture_options){.partition_count = 400});
	segment = sl_segment_create(fixture.path, 1, fixture.options.segment_bytes, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
	limit = old_limit;
	limit.rlim_cur = SL_BLOCK_BYTES;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CU_ASSERT_EQUAL(sl_lane_begin(&fixture.lane, segment, &chain, &err), -EFBIG);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
	signal(SIGXFSZ, SIG_DFL);
	CU_ASSERT_EQUAL(fixture.counters.writes_short, 1);
	sl_fixture_close(&fixture);
}

static const struct sl_test tests[] = {
	SL_TEST(a_lane_has_batches_for_writes_the_open_one_and_a_checkpoint),
	SL_TEST(a_lane_that_goes_on_writes_an_epoch_start_behind_its_last_batch),
	SL_TEST(a_clean_stop_is_the_last_thing_that_a_lane_says),
	SL_TEST(a_lane_whose_last_segment_could_not_be_sealed_states_no_clean_stop),
	SL_TEST(a_lane_that_never_began_is_left_as_it_is),
	SL_TEST(a_failed_lane_is_left_as_it_is),
	SL_TEST(a_beginning_without_room_is_an_error),
	SL_TEST(a_beginning_that_cannot_write_or_flush_is_an_error),
	SL_TEST(what_a_first_segment_holds_ages_across_a_restart),
	SL_TEST(what_is_to_be_sent_again_later_is_sent_at_the_end),
	SL_TEST(a_write_that_fails_at_the_end_waits_for_no_other_lane),
	SL_TEST(a_first_write_that_is_cut_short_is_continued),
};
SL_SUITE(dataplane_store_lane_setup);
