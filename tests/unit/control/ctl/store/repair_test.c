/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/format/reader_fixture.h"
#include "control/ctl/store/command.h"
#include "format/segment_index_build.h"
#include "format/segment_list.h"
#include "format/store_judge.h"
#include "store/recovery.h"

#include <sys/stat.h>

#define ALL_EVENTS 41u // 0 to 34 of partition 0, 0 to 5 of partition 1

// Three segments, and a batch behind them that says they are durable.
static void make_marked_store(void)
{
	make_three_segments();
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
}

static bool is_sound(void)
{
	const struct sl_store_judge_config config = {.path = made.path};
	struct sl_judgement judgement;
	struct sl_err err = {0};
	bool sound;

	CU_ASSERT_EQUAL_FATAL(sl_store_judge(&config, &judgement, &err), 0);
	sound = judgement.counts[SL_FINDING_ROT] + judgement.counts[SL_FINDING_LOSS] == 0;
	for (size_t i = 0; !sound && i < judgement.count; i++)
		printf("     %s: %s\n", judgement.findings[i].path, judgement.findings[i].what);
	sl_judgement_free(&judgement);
	return sound;
}

// Everything that is left comes back right, and what is not there is said to be lost.
struct account {
	uint64_t next[2], event_count, lost_count, wrong_count;
};

static int take_event(void *context, const struct sl_store_event *event)
{
	struct account *account = context;
	char expected[64];
	int bytes = snprintf(expected, sizeof(expected), "%u:%llu", (unsigned)event->partition,
		(unsigned long long)event->offset);

	account->wrong_count += event->offset != account->next[event->partition] ||
		event->value_bytes != (uint32_t)bytes ||
		memcmp(event->value, expected, (size_t)bytes) != 0;
	account->next[event->partition] = event->offset + 1;
	account->event_count++;
	return 0;
}

static void take_lost(void *context, const struct sl_lost_offsets *lost)
{
	struct account *account = context;

	account->wrong_count += lost->first_offset != account->next[lost->partition];
	account->next[lost->partition] = lost->first_offset + lost->count;
	account->lost_count += lost->count;
}

static struct account read_all(void)
{
	struct account account = {0};
	const struct sl_store_visitor visitor = {
		.context = &account, .on_event = take_event, .on_lost = take_lost};
	struct sl_store_report report;
	struct sl_store_reader *store;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	for (uint16_t partition = 0; partition < 2; partition++) {
		report = (struct sl_store_report){0};
		CU_ASSERT_EQUAL(
			sl_store_read_partition(store, partition, 0, &visitor, &report, &err), 0);
	}
	sl_store_reader_close(store);
	return account;
}

// The appliance starts on it, and gives no offset twice.
static void expect_recovery(uint64_t next0_min, uint64_t next1_min)
{
	struct sl_lane_recovery recovery;
	struct sl_err err = {0};
	uint64_t next[2] = {0};

	if (sl_lane_recover(&recovery, made.lanes[0].path, 0, 0, made.salt_crc, &err) != 0)
		CU_FAIL_FATAL(err.text);
	for (uint32_t i = 0; i < recovery.state_count; i++)
		if (recovery.states[i].partition < 2)
			next[recovery.states[i].partition] = recovery.states[i].next_offset;
	CU_ASSERT(next[0] >= next0_min);
	CU_ASSERT(next[1] >= next1_min);
	sl_lane_recovery_free(&recovery);
}

static bool exists(const char *suffix, uint64_t segment)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", sl_test_segment_path(&made, 0, segment), suffix);
	return access(path, F_OK) == 0;
}

static void a_sound_store_is_left_as_it_is(void)
{
	make_marked_store();
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT_EQUAL(read_all().event_count, ALL_EVENTS);
	CU_ASSERT(!exists(".damaged", 3));
	sl_test_store_destroy(&made);
}

static void a_loss_is_refused_and_named_until_it_is_accepted(void)
{
	const struct outcome *outcome;
	char before, after;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 200); // 10 to 16 of partition 0
	sl_test_segment_peek(&made, 0, 2, SL_BLOCK_BYTES + 200, &before, 1);
	outcome = RUN(sl_ctl_store_repair, made.path);
	CU_ASSERT_EQUAL(outcome->code, SL_CTL_CHECK_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->out, "7 events: plays/0 offsets 10 to 16"));
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->err, "--accept-loss"));
	sl_test_segment_peek(&made, 0, 2, SL_BLOCK_BYTES + 200, &after, 1);
	CU_ASSERT_EQUAL(before, after);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path, "--accept-loss", "--dry-run")->code,
		SL_CTL_CHECK_FAILED);
	CU_ASSERT(!exists(".damaged", 2));
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path, "--accept-loss")->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT(exists(".damaged", 2));
	CU_ASSERT(!exists(".damaged", 1));
	sl_test_store_destroy(&made);
}

static void a_fenced_store_reads_on_behind_the_loss(void)
{
	struct account account;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 200);
	CU_ASSERT_EQUAL(
		RUN(sl_ctl_store_repair, made.path, "--accept-loss", "--no-originals")->code,
		SL_CTL_OK);
	CU_ASSERT(!exists(".damaged", 2));
	account = read_all();
	CU_ASSERT_EQUAL(account.wrong_count, 0);
	CU_ASSERT_EQUAL(account.event_count, ALL_EVENTS - 7);
	CU_ASSERT_EQUAL(account.lost_count, 7);
	expect_recovery(35, 6);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(RUN(sl_ctl_read, "plays", "--store", made.path, "-p", "0")->err,
			"offsets 10 to 16 are lost"));
	sl_test_store_destroy(&made);
}

// Whatever one flipped bit, or two batches at their ends, do: mended, sound, dense, and startable.
static void expect_mended(const char *what, uint64_t number)
{
	struct account account;
	int code = RUN(sl_ctl_store_repair, made.path, "--accept-loss", "--no-originals")->code;

	account = read_all();
	if (code != SL_CTL_OK || !is_sound() || account.wrong_count > 0 ||
		account.event_count + account.lost_count < ALL_EVENTS)
		printf("%s %llu: code %d, %llu events, %llu lost, %llu wrong\n", what,
			(unsigned long long)number, code, (unsigned long long)account.event_count,
			(unsigned long long)account.lost_count,
			(unsigned long long)account.wrong_count);
	CU_ASSERT_EQUAL(code, SL_CTL_OK);
	CU_ASSERT(account.event_count + account.lost_count >= ALL_EVENTS);
	CU_ASSERT_EQUAL(account.wrong_count, 0);
	expect_recovery(35, 6);
}

static void a_flip_in_any_batch_is_mended(void)
{
	static const unsigned bytes[] = {2, 200}; // header and body

	for (unsigned segment = 1; segment <= 3; segment++)
		for (unsigned batch = 0; batch < 4; batch++)
			for (size_t i = 0; i < (batch == 1 ? 2 : 1); i++) {
				make_marked_store();
				sl_test_segment_flip(
					&made, 0, segment, batch * SL_BLOCK_BYTES + bytes[i]);
				expect_mended("segment, batch", segment * 10 + batch);
				sl_test_store_destroy(&made);
			}
}

static void several_holes_are_mended(void)
{
	make_marked_store();
	for (unsigned batch = 1; batch < 4; batch++)
		sl_test_segment_flip(&made, 0, batch, batch * SL_BLOCK_BYTES + 30);
	sl_test_segment_flip(&made, 0, 1, 3 * SL_BLOCK_BYTES + 30);
	expect_mended("several", 0);
	sl_test_store_destroy(&made);
}

static void a_missing_segment_is_made_anew(void)
{
	make_marked_store();
	CU_ASSERT_EQUAL(unlink(sl_test_segment_path(&made, 0, 2)), 0);
	expect_mended("missing", 2);
	CU_ASSERT(exists("", 2));
	sl_test_store_destroy(&made);
}

static void a_truncated_segment_keeps_what_is_left(void)
{
	struct account account;

	make_marked_store();
	CU_ASSERT_EQUAL(truncate(sl_test_segment_path(&made, 0, 2), 2 * SL_BLOCK_BYTES + 100), 0);
	expect_mended("truncated", 2);
	account = read_all();
	CU_ASSERT_EQUAL(account.event_count, ALL_EVENTS - 5);
	sl_test_store_destroy(&made);
}

// Only the mark of a batch that is itself gone says that the one before it was there.
static void a_lost_end_skips_what_may_have_been_there(void)
{
	struct account account;

	make_marked_store();
	sl_test_segment_flip(&made, 0, 3, 3 * SL_BLOCK_BYTES + 30); // 27 to 29
	sl_test_segment_flip(&made, 0, 3, 4 * SL_BLOCK_BYTES + 200); // 30 to 34
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path, "--accept-loss")->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	account = read_all();
	CU_ASSERT_EQUAL(account.wrong_count, 0);
	CU_ASSERT_EQUAL(account.event_count, ALL_EVENTS - 8);
	expect_recovery(35, 6);
	sl_test_store_destroy(&made);
}

static void a_footer_is_written_anew_without_a_loss(void)
{
	make_marked_store();
	sl_test_segment_flip(&made, 0, 2, SL_TEST_SEGMENT_BYTES - SL_BLOCK_BYTES + 60);
	CU_ASSERT(!is_sound());
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT_EQUAL(read_all().event_count, ALL_EVENTS);
	expect_recovery(35, 6);
	sl_test_store_destroy(&made);
}

// Behind the end of a sealed segment there may be whole batches that were written again elsewhere.
static void a_new_footer_ends_where_the_next_segment_takes_over(void)
{
	const struct sl_partition_state states[] = {state(0, 1, 0, 30), state(1, 1, 0, 6)};
	struct sl_test_lane before;

	make_three_segments();
	before = made.lanes[0];
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
	made.lanes[0].number = before.number;
	made.lanes[0].prev_body_crc = before.prev_body_crc;
	made.lanes[0].position = before.position;
	made.lanes[0].event_count = before.event_count;
	sl_test_segment_seal(&made, 0);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 30, 5);
	CU_ASSERT(is_sound());
	sl_test_segment_flip(&made, 0, 3, SL_TEST_SEGMENT_BYTES - SL_BLOCK_BYTES + 60);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT_EQUAL(read_all().event_count, ALL_EVENTS);
	sl_test_store_destroy(&made);
}

static void a_checkpoint_is_made_anew_without_a_loss(void)
{
	make_marked_store();
	sl_test_segment_flip(&made, 0, 3, 140);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT_EQUAL(read_all().event_count, ALL_EVENTS);
	expect_recovery(35, 6);
	sl_test_store_destroy(&made);
}

// The segment in front of it knows where the partitions are.
static void half_a_checkpoint_that_ends_the_log_is_put_aside(void)
{
	const struct sl_partition_state half = state(0, 1, 0, 35);

	make_marked_store();
	sl_test_segment_seal(&made, 0);
	sl_test_segment_open(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_CHECKPOINT);
	sl_test_batch_run(&made.batch, SL_RUN_PARTITION_STATE, 0, 0, &half, sizeof(half));
	sl_test_batch_write(&made, 0);
	sl_test_segment_seal(&made, 0);
	CU_ASSERT(!is_sound());
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT(exists(".damaged", 4));
	CU_ASSERT(!exists("", 4));
	CU_ASSERT_EQUAL(read_all().event_count, ALL_EVENTS);
	expect_recovery(35, 6);
	sl_test_store_destroy(&made);
}

static void a_lost_lane_meta_gets_an_epoch_above_all(void)
{
	struct sl_lane_meta meta;
	char path[256];

	make_marked_store();
	snprintf(path, sizeof(path), "%s/" SL_LANE_META_NAME, made.lanes[0].path);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT_EQUAL(sl_lane_meta_read(&meta, made.lanes[0].path, NULL), 0);
	CU_ASSERT(meta.epoch > 1);
	CU_ASSERT(is_sound());
	expect_recovery(35, 6);
	sl_test_store_destroy(&made);
}

static void a_slot_of_store_meta_is_written_anew(void)
{
	enum sl_meta_slot_state slots[2];
	char path[256];
	int fd;

	make_marked_store();
	sl_test_store_write_meta(&made);
	snprintf(path, sizeof(path), "%s/" SL_STORE_META_NAME, made.path);
	fd = open(path, O_RDWR);
	CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 70), 1);
	close(fd);
	CU_ASSERT_EQUAL(sl_store_meta_slots(slots, made.path, NULL), 0);
	CU_ASSERT_EQUAL(slots[0], SL_META_SLOT_DAMAGED);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT_EQUAL(sl_store_meta_slots(slots, made.path, NULL), 0);
	CU_ASSERT_EQUAL(slots[0], SL_META_SLOT_VALID);
	CU_ASSERT_EQUAL(slots[1], SL_META_SLOT_VALID);
	sl_test_store_destroy(&made);
}

static void make_index(uint64_t segment)
{
	struct sl_index_builder *builder;

	CU_ASSERT_EQUAL_FATAL(sl_index_builder_create(&builder, made.lanes[0].path, 0, segment,
				      made.salt_crc, NULL),
		0);
	CU_ASSERT_EQUAL(sl_index_builder_step(builder, UINT32_MAX, NULL), 0);
	CU_ASSERT_EQUAL(sl_index_builder_write(builder, NULL), 0);
	sl_index_builder_destroy(builder);
}

static void an_index_is_made_anew_with_its_segment(void)
{
	char path[SL_PATH_BYTES_MAX];
	int fd;

	make_marked_store();
	make_index(1);
	make_index(2);
	CU_ASSERT(is_sound());
	CU_ASSERT_EQUAL(sl_segment_index_path(path, made.lanes[0].path, 1, NULL), 0);
	fd = open(path, O_RDWR);
	CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 100), 1);
	close(fd);
	CU_ASSERT(!is_sound());
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	// Fences are read, whatever the index says of the partitions.
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 200);
	expect_mended("with an index", 2);
	CU_ASSERT_EQUAL(sl_segment_index_path(path, made.lanes[0].path, 2, NULL), 0);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	CU_ASSERT_EQUAL(read_all().lost_count, 7);
	sl_test_store_destroy(&made);
}

// Cut off between the steps: what a killed repair leaves is mended by the next.
static void a_repair_that_was_killed_is_run_again(void)
{
	char temp[512], aside[600], path[512];

	make_marked_store();
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 200);
	snprintf(path, sizeof(path), "%s", sl_test_segment_path(&made, 0, 2));
	snprintf(temp, sizeof(temp), "%s/%016x.tmp", made.lanes[0].path, 2);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	close(open(temp, O_CREAT | O_WRONLY, 0640)); // half a copy
	CU_ASSERT_EQUAL(link(path, aside), 0); // the original is kept, and still in its place
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path, "--accept-loss")->code, SL_CTL_OK);
	CU_ASSERT(is_sound());
	CU_ASSERT(access(temp, F_OK) != 0);
	CU_ASSERT(!exists(".damaged.1", 2));
	CU_ASSERT_EQUAL(read_all().event_count, ALL_EVENTS - 7);
	sl_test_store_destroy(&made);
}

static void a_store_in_use_is_refused(void)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[256];
	int fd;

	make_marked_store();
	snprintf(path, sizeof(path), "%s/" SL_STORE_LOCK_NAME, made.path);
	fd = open(path, O_RDWR | O_CREAT, 0640);
	CU_ASSERT_EQUAL(fcntl(fd, F_OFD_SETLK, &range), 0);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, made.path)->code, SL_CTL_FAILED);
	close(fd);
	CU_ASSERT_EQUAL(RUN(sl_ctl_store_repair, "/nonexistent")->code, SL_CTL_NOT_FOUND);
	sl_test_store_destroy(&made);
}

// Every other batch of six segments has a damaged header: more holes than are listed.
static void make_more_holes_than_are_listed(void)
{
	uint64_t offset = 0;

	sl_test_store_create(&made, 4);
	for (unsigned segment = 1; segment <= 6; segment++) {
		const struct sl_partition_state states[] = {state(0, 1, 0, offset)};

		if (segment > 1)
			sl_test_segment_seal(&made, 0);
		made.lanes[0].durable_mark = made.lanes[0].number - 1;
		sl_test_segment_open(&made, 0);
		sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 1);
		while (made.lanes[0].position < SL_TEST_SEGMENT_BYTES - 4 * SL_BLOCK_BYTES)
			sl_test_events_write(&made, 0, 0, 1, offset++, 1);
	}
	for (unsigned segment = 1; segment <= 6; segment++)
		for (uint64_t position = 2 * SL_BLOCK_BYTES;
			position < SL_TEST_SEGMENT_BYTES - 8 * SL_BLOCK_BYTES;
			position += 2 * SL_BLOCK_BYTES)
			sl_test_segment_flip(&made, 0, segment, position + 30);
}

// It would end a segment at the first hole that is not on the list.
static void what_is_damaged_beyond_the_list_is_left_alone(void)
{
	const uint64_t good_position = SL_TEST_SEGMENT_BYTES - 9 * SL_BLOCK_BYTES;
	char before[SL_BATCH_HEADER_BYTES], after[SL_BATCH_HEADER_BYTES];
	const struct outcome *outcome;

	make_more_holes_than_are_listed();
	sl_test_segment_peek(&made, 0, 5, good_position, before, sizeof(before));
	outcome = RUN(sl_ctl_store_repair, made.path, "--accept-loss", "--no-originals");
	CU_ASSERT_EQUAL(outcome->code, SL_CTL_CHECK_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome->err, "nothing was changed"));
	sl_test_segment_peek(&made, 0, 5, good_position, after, sizeof(after));
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
	sl_test_store_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(a_sound_store_is_left_as_it_is),
	SL_TEST(a_loss_is_refused_and_named_until_it_is_accepted),
	SL_TEST(a_fenced_store_reads_on_behind_the_loss),
	SL_TEST(a_flip_in_any_batch_is_mended),
	SL_TEST(several_holes_are_mended),
	SL_TEST(a_missing_segment_is_made_anew),
	SL_TEST(a_truncated_segment_keeps_what_is_left),
	SL_TEST(a_lost_end_skips_what_may_have_been_there),
	SL_TEST(a_footer_is_written_anew_without_a_loss),
	SL_TEST(a_new_footer_ends_where_the_next_segment_takes_over),
	SL_TEST(a_checkpoint_is_made_anew_without_a_loss),
	SL_TEST(half_a_checkpoint_that_ends_the_log_is_put_aside),
	SL_TEST(a_lost_lane_meta_gets_an_epoch_above_all),
	SL_TEST(a_slot_of_store_meta_is_written_anew),
	SL_TEST(an_index_is_made_anew_with_its_segment),
	SL_TEST(a_repair_that_was_killed_is_run_again),
	SL_TEST(what_is_damaged_beyond_the_list_is_left_alone),
	SL_TEST(a_store_in_use_is_refused),
};
SL_SUITE(control_ctl_store_repair);
