/* SPDX-License-Identifier: BSD-3-Clause */
#include "reader_fixture.h"

static void a_read_says_where_it_starts_when_the_first_segments_expired(void)
{
	struct sl_store_count counts[4];
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_three_segments();
	unlink(sl_test_segment_path(&made, 0, 1));
	seen.per_partition_next[0] = 10;
	CU_ASSERT_EQUAL(read_stream(&seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.per_partition_next[0], 30);
	seen = (struct seen){0};
	CU_ASSERT_EQUAL(read_partition(0, 4, &seen, &report, &err), 0);
	CU_ASSERT(report.has_first);
	CU_ASSERT_EQUAL(report.first_offset, 10);
	CU_ASSERT_EQUAL(seen.count, 20);
	CU_ASSERT_EQUAL_FATAL(count(counts, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[0].first_offset, 10);
	CU_ASSERT_EQUAL(counts[0].last_offset, 29);
	CU_ASSERT_EQUAL(counts[0].event_count, 20);
	sl_test_store_destroy(&made);
}

// Removes the two oldest segments while the reader is in the first.
static int expire(void *context, const struct sl_store_event *event)
{
	if (event->offset == 0) {
		unlink(sl_test_segment_path(&made, 0, 1));
		unlink(sl_test_segment_path(&made, 0, 2));
	}
	((struct seen *)context)->count++;
	((struct seen *)context)->last = event->offset;
	return 0;
}

static void segments_that_expire_under_a_reader_are_no_error(void)
{
	struct seen seen = {0};
	const struct sl_store_visitor visitor = {.context = &seen, .on_event = expire};
	struct sl_store_report report = {0};
	struct sl_store_reader *store;
	struct sl_err err = {0};

	make_three_segments();
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	CU_ASSERT_EQUAL(sl_store_read_partition(store, 0, 0, &visitor, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, 20); // what was open stays readable
	CU_ASSERT_EQUAL(seen.last, 29);
	CU_ASSERT_EQUAL(report.expired_segment_count, 1);
	sl_store_reader_close(store);
	sl_test_store_destroy(&made);
}

// Partition 0 moves from lane 0 (term 1, offsets 0..9, of which 8 and 9 are void) to lane 1 (term 2
// from 8) and back to lane 0 (term 3 from 12); term 2 is known to lane 1's epoch start only.
static void make_moves(void)
{
	const struct sl_partition_state term1 = state(0, 1, 0, 0);
	const struct sl_partition_state other = state(3, 1, 0, 0);
	const struct sl_partition_state term2 = state(0, 2, 8, 8);
	const struct sl_partition_state term3 = state(0, 3, 12, 12);

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &term1, 1);
	sl_test_events_write(&made, 0, 0, 1, 0, 8);
	sl_test_events_write(&made, 0, 0, 1, 8, 2);
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, &other, 1);
	made.lanes[1].epoch = 2;
	sl_test_states_write(&made, 1, SL_BATCH_EPOCH_START, &term2, 1);
	sl_test_events_write(&made, 1, 0, 2, 8, 4);
	made.lanes[0].epoch = 3;
	sl_test_states_write(&made, 0, SL_BATCH_EPOCH_START, &term3, 1);
	sl_test_events_write(&made, 0, 0, 3, 12, 3);
	made.meta.partitions[3].lane = 1;
	made.meta.partitions[0] =
		(struct sl_store_meta_partition){.term = 3, .term_start = 12, .lane = 0};
	sl_test_store_write_meta(&made);
}

static void a_partition_that_moved_is_read_term_by_term_without_void_runs(void)
{
	struct sl_store_count counts[4];
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_moves();
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, 15);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	CU_ASSERT_EQUAL(seen.last_term, 3);
	seen = (struct seen){0};
	CU_ASSERT_EQUAL(read_partition(0, 9, &seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.first, 9);
	CU_ASSERT_EQUAL(seen.count, 6);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	CU_ASSERT_EQUAL_FATAL(count(counts, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[0].event_count, 15);
	CU_ASSERT_EQUAL(counts[0].first_offset, 0);
	CU_ASSERT_EQUAL(counts[0].last_offset, 14);
	CU_ASSERT_EQUAL(counts[0].double_count, 0);
	CU_ASSERT_EQUAL(counts[1].event_count, 0);
	CU_ASSERT_EQUAL(report.void_event_count, 2);
	sl_test_store_destroy(&made);
}

// Partition 0 has offsets 0..3 as term 1 in lane 0 and goes on as term 2 in lane 1, whose first
// segment expires: what is left there begins at offset 6.
static void make_expired_move(uint64_t term_start)
{
	const struct sl_partition_state term1 = state(0, 1, 0, 0);
	const struct sl_partition_state other = state(3, 1, 0, 0);
	const struct sl_partition_state term2 = state(0, 2, term_start, 6);

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &term1, 1);
	sl_test_events_write(&made, 0, 0, 1, 0, 4);
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, &other, 1);
	sl_test_segment_seal(&made, 1);
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, &term2, 1);
	sl_test_events_write(&made, 1, 0, 2, 6, 2);
	made.meta.partitions[3].lane = 1;
	made.meta.partitions[0] =
		(struct sl_store_meta_partition){.term = 2, .term_start = term_start, .lane = 1};
	sl_test_store_write_meta(&made);
	unlink(sl_test_segment_path(&made, 1, 1));
}

// By partition, by stream and counted: the same suffix.
static void expect_suffix(uint64_t first, uint64_t next)
{
	struct sl_store_report report;
	struct sl_store_reader *store;
	struct sl_err err = {0};
	struct seen seen = {0};
	struct sl_store_count counts[4];

	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, next - first);
	CU_ASSERT_EQUAL(report.event_count, next - first);
	if (next > first) {
		CU_ASSERT_EQUAL(report.first_offset, first);
		CU_ASSERT_EQUAL(report.next_offset, next);
	}
	seen = (struct seen){0};
	CU_ASSERT_EQUAL(read_stream(&seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, next - first);
	report = (struct sl_store_report){0};
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	CU_ASSERT_EQUAL(sl_store_count(store, counts, NULL, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[0].event_count, next - first);
	if (next > first) {
		CU_ASSERT_EQUAL(counts[0].first_offset, first);
		CU_ASSERT_EQUAL(counts[0].last_offset, next - 1);
	}
	sl_store_reader_close(store);
}

static void what_is_older_than_an_expired_beginning_of_a_term_has_expired(void)
{
	make_expired_move(4);
	expect_suffix(6, 8);
	sl_test_store_destroy(&made);
}

// The segment that alone held the partition's second term is gone; segment says which of lane 1.
static void make_expired_middle(uint64_t term3_start)
{
	const struct sl_partition_state term1 = state(0, 1, 0, 0);
	const struct sl_partition_state term3 = state(0, 3, term3_start, term3_start);

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &term1, 1);
	sl_test_events_write(&made, 0, 0, 1, 0, 4);
	made.lanes[0].epoch = 2;
	sl_test_states_write(&made, 0, SL_BATCH_EPOCH_START, &term3, 1);
	sl_test_events_write(&made, 0, 0, 3, 9, 3);
	made.meta.partitions[0] =
		(struct sl_store_meta_partition){.term = 3, .term_start = term3_start, .lane = 0};
	sl_test_store_write_meta(&made);
}

static void what_is_older_than_an_expired_term_has_expired(void)
{
	const struct sl_partition_state term2 = state(0, 2, 4, 9);
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_expired_middle(9);
	expect_suffix(9, 12);
	sl_test_store_destroy(&made);
	// So when the checkpoint of a later segment still names the term.
	make_expired_middle(9);
	sl_test_segment_open(&made, 1);
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, &term2, 1);
	unlink(sl_test_segment_path(&made, 1, 1));
	expect_suffix(9, 12);
	sl_test_store_destroy(&made);
	// The term began before what is left of it: that is missing.
	make_expired_middle(7);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), -EBADMSG);
	sl_test_store_destroy(&made);
}

// Two terms in lane 0 with one in between that had no events: term 1 goes on behind the last
// checkpoint that names it, and another lane has lost segments.
static void what_follows_the_last_head_that_names_a_term_has_not_expired(void)
{
	const struct sl_partition_state term1 = state(0, 1, 0, 0);
	const struct sl_partition_state later1 = state(0, 1, 0, 4);
	const struct sl_partition_state other = state(3, 1, 0, 0);
	const struct sl_partition_state term3 = state(0, 3, 9, 9);

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &term1, 1);
	sl_test_events_write(&made, 0, 0, 1, 0, 4);
	sl_test_segment_seal(&made, 0);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &later1, 1);
	sl_test_events_write(&made, 0, 0, 1, 4, 5);
	sl_test_segment_seal(&made, 0);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &term3, 1);
	sl_test_events_write(&made, 0, 0, 3, 9, 3);
	sl_test_segment_open(&made, 1);
	sl_test_segment_open(&made, 1);
	sl_test_states_write(&made, 1, SL_BATCH_CHECKPOINT, &other, 1);
	unlink(sl_test_segment_path(&made, 1, 1));
	made.meta.partitions[3].lane = 1;
	made.meta.partitions[0] =
		(struct sl_store_meta_partition){.term = 3, .term_start = 9, .lane = 0};
	sl_test_store_write_meta(&made);
	expect_suffix(0, 12);
	sl_test_store_destroy(&made);
}

static uint64_t limit_9(void *context SL_UNUSED, uint16_t partition SL_UNUSED)
{
	return 9;
}

static void what_expired_in_front_of_a_term_without_events_is_not_missing(void)
{
	struct seen seen = {0};
	const struct sl_store_visitor visitor = {
		.context = &seen, .on_event = see, .limit = limit_9};
	const struct sl_partition_state term1 = state(0, 1, 0, 0);
	const struct sl_partition_state term3 = state(0, 3, 9, 9);

	for (uint32_t newest = 2; newest <= 3; newest++) {
		struct sl_store_report report = {0};
		struct sl_store_reader *store;
		struct sl_err err = {0};

		sl_test_store_create(&made, 4);
		sl_test_segment_open(&made, 0);
		sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &term1, 1);
		sl_test_events_write(&made, 0, 0, 1, 0, 4);
		if (newest == 3)
			sl_test_states_write(&made, 0, SL_BATCH_EPOCH_START, &term3, 1);
		// With nothing between it and term 1, the newest term has lost what it follows.
		made.meta.partitions[0] = (struct sl_store_meta_partition){
			.term = newest, .term_start = 9, .lane = 0};
		sl_test_store_write_meta(&made);
		CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
		CU_ASSERT_EQUAL(sl_store_read_partition(store, 0, 0, &visitor, &report, &err),
			newest == 3 ? 0 : -EBADMSG);
		CU_ASSERT_EQUAL(report.next_offset, newest == 3 ? 0 : 4);
		sl_store_reader_close(store);
		sl_test_store_destroy(&made);
	}
}

static void offsets_missing_between_two_terms_are_damage(void)
{
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_expired_move(6);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "offset 4 is due"));
	CU_ASSERT_EQUAL(seen.count, 4);
	sl_test_store_destroy(&made);
}

static void a_stream_read_leaves_void_runs_out(void)
{
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_moves();
	CU_ASSERT_EQUAL(read_stream(&seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, 15);
	CU_ASSERT_EQUAL(report.void_event_count, 2);
	sl_test_store_destroy(&made);
}

static void two_lanes_with_the_same_term_are_damage_and_said_so(void)
{
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_moves();
	sl_test_segment_open(&made, 2);
	sl_test_events_write(&made, 2, 0, 2, 8, 4);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lanes 1 and 2 both hold term 2"));
	sl_test_store_destroy(&made);
}

static void an_offset_that_is_missing_or_doubled_is_damage(void)
{
	struct sl_store_count counts[4];
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 0, 4);
	sl_test_events_write(&made, 0, 0, 1, 5, 4);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "offset 4 is due"));
	CU_ASSERT_EQUAL_FATAL(count(counts, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[0].event_count, 8);
	CU_ASSERT_EQUAL(counts[0].last_offset, 8); // one less than the identity demands
	sl_test_store_destroy(&made);

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 0, 4);
	sl_test_events_write(&made, 0, 0, 1, 2, 4);
	seen = (struct seen){0};
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), -EBADMSG);
	CU_ASSERT_EQUAL_FATAL(count(counts, &report, &err), 0);
	CU_ASSERT_EQUAL(counts[0].double_count, 2);
	sl_test_store_destroy(&made);
}

static void an_unknown_kind_is_skipped_and_counted(void)
{
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_three_segments();
	sl_test_batch_init(&made.batch, (enum sl_batch_kind)99);
	sl_test_batch_write(&made, 0);
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_run(&made.batch, 77, 0, 0, "later", 5);
	sl_test_batch_event(&made.batch, 0, 1, 30, "0:30", 4);
	sl_test_batch_write(&made, 0);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, 31);
	CU_ASSERT_EQUAL(report.unknown_batch_count, 1);
	CU_ASSERT_EQUAL(report.unknown_run_count, 1);
	sl_test_store_destroy(&made);
}

static void a_batch_of_a_newer_version_is_refused_by_name(void)
{
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};
	uint64_t position;

	make_three_segments();
	position = sl_test_events_write(&made, 0, 0, 1, 30, 1);
	made.batch.header.version = 9;
	sl_batch_header_seal(&made.batch.header, made.salt_crc);
	sl_test_segment_poke(&made, 0, 3, position, made.batch.bytes, SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "version"));
	sl_test_store_destroy(&made);
}

static void what_the_writer_adds_is_there_for_the_same_reader(void)
{
	struct seen seen = {0};
	const struct sl_store_visitor visitor = {.context = &seen, .on_event = see};
	struct sl_store_report report = {0};
	const struct sl_partition_state states[] = {state(0, 1, 0, 32)};
	struct sl_store_reader *store;
	struct sl_err err = {0};

	make_three_segments();
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	CU_ASSERT_EQUAL(sl_store_read_partition(store, 0, 0, &visitor, &report, &err), 0);
	CU_ASSERT_EQUAL(report.next_offset, 30);
	// The segment goes on, then an unsealed one follows, as while a footer is under way.
	sl_test_events_write(&made, 0, 0, 1, 30, 2);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 1);
	sl_test_events_write(&made, 0, 0, 1, 32, 2);
	report = (struct sl_store_report){0};
	CU_ASSERT_EQUAL(sl_store_read_partition(store, 0, 30, &visitor, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.per_partition_next[0], 34);
	CU_ASSERT_EQUAL(seen.wrong_count, 0);
	sl_store_reader_close(store);
	sl_test_store_destroy(&made);
}

static void a_segment_that_is_born_and_empty_ends_the_log(void)
{
	struct sl_store_report report;
	struct sl_err err = {0};
	struct seen seen = {0};

	make_three_segments();
	sl_test_segment_seal(&made, 0);
	sl_test_segment_open(&made, 0);
	CU_ASSERT_EQUAL(read_partition(0, 0, &seen, &report, &err), 0);
	CU_ASSERT_EQUAL(seen.count, 30);
	CU_ASSERT_EQUAL(report.torn_tail_count, 0);
	sl_test_store_destroy(&made);
}

static void names_that_do_not_exist_are_said_with_those_that_do(void)
{
	struct sl_store_reader *store;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_store_reader_open(&store, "no-such-store", &err), -ENOENT);
	CU_ASSERT_PTR_NULL(store);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no-such-store"));
	make_three_segments();
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	CU_ASSERT_EQUAL(sl_store_find_stream(store, "plays", &err), 0);
	CU_ASSERT_EQUAL(sl_store_find_stream(store, "stops", &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "plays"));
	sl_store_reader_close(store);
	sl_test_store_destroy(&made);
}

static void a_store_is_live_while_its_lock_is_held(void)
{
	struct flock lock = {.l_type = F_WRLCK};
	char path[128];
	int fd;

	make_three_segments();
	CU_ASSERT_FALSE(sl_store_path_is_live(made.path));
	snprintf(path, sizeof(path), "%s/" SL_STORE_LOCK_NAME, made.path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CU_ASSERT_FALSE(sl_store_path_is_live(made.path));
	CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_OFD_SETLK, &lock), 0);
	CU_ASSERT(sl_store_path_is_live(made.path));
	close(fd);
	CU_ASSERT_FALSE(sl_store_path_is_live(made.path));
	sl_test_store_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(a_read_says_where_it_starts_when_the_first_segments_expired),
	SL_TEST(segments_that_expire_under_a_reader_are_no_error),
	SL_TEST(a_partition_that_moved_is_read_term_by_term_without_void_runs),
	SL_TEST(what_is_older_than_an_expired_beginning_of_a_term_has_expired),
	SL_TEST(what_is_older_than_an_expired_term_has_expired),
	SL_TEST(what_follows_the_last_head_that_names_a_term_has_not_expired),
	SL_TEST(what_expired_in_front_of_a_term_without_events_is_not_missing),
	SL_TEST(offsets_missing_between_two_terms_are_damage),
	SL_TEST(a_stream_read_leaves_void_runs_out),
	SL_TEST(two_lanes_with_the_same_term_are_damage_and_said_so),
	SL_TEST(an_offset_that_is_missing_or_doubled_is_damage),
	SL_TEST(an_unknown_kind_is_skipped_and_counted),
	SL_TEST(a_batch_of_a_newer_version_is_refused_by_name),
	SL_TEST(what_the_writer_adds_is_there_for_the_same_reader),
	SL_TEST(a_segment_that_is_born_and_empty_ends_the_log),
	SL_TEST(names_that_do_not_exist_are_said_with_those_that_do),
	SL_TEST(a_store_is_live_while_its_lock_is_held),
};
SL_SUITE(common_format_store_reader_terms);
