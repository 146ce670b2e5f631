/* SPDX-License-Identifier: BSD-3-Clause */
// What recovery writes again. Each batch holds a block of zeros, which is punched out: it reads as
// before, and is there once more only where somebody has written it.
#include "recovery_fixture.h"

#include <sys/stat.h>

#define BATCH_COUNT 60
#define HOLE_POSITION SL_BLOCK_BYTES // within a batch

static struct place {
	uint64_t segment, position;
} places[BATCH_COUNT + 1]; // by number of batch; segment 0: without a hole

static uint64_t next_offset;

static void write_events(void)
{
	static const char zeros[3 * SL_BLOCK_BYTES];
	struct place *place = &places[made.lanes[0].number];

	CU_ASSERT_FATAL(made.lanes[0].number <= BATCH_COUNT);
	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	sl_test_batch_event(&made.batch, 0, 1, next_offset++, zeros, sizeof(zeros));
	place->segment = made.lanes[0].segment;
	place->position = sl_test_batch_write(&made, 0) + HOLE_POSITION;
}

static void begin(void)
{
	memset(places, 0, sizeof(places));
	next_offset = 0;
	sl_test_store_create(&made, 4);
	write_head(0, 0);
}

static int open_segment(uint64_t segment)
{
	int fd = open(sl_test_segment_path(&made, 0, segment), O_RDWR);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static bool is_hole(const struct place *place)
{
	int fd = open_segment(place->segment);
	off_t hole = lseek(fd, (off_t)place->position, SEEK_HOLE);

	close(fd);
	return hole == (off_t)place->position;
}

static void punch(void)
{
	for (uint32_t i = 0; i <= BATCH_COUNT; i++) {
		int fd;

		if (places[i].segment == 0)
			continue;
		fd = open_segment(places[i].segment);
		CU_ASSERT_EQUAL_FATAL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					      (off_t)places[i].position, SL_BLOCK_BYTES),
			0);
		close(fd);
		CU_ASSERT(is_hole(&places[i]));
	}
}

// Those above the mark, and no others.
static void expect_written_above(uint64_t mark)
{
	for (uint32_t i = 0; i <= BATCH_COUNT; i++) {
		if (places[i].segment != 0)
			CU_ASSERT_EQUAL(is_hole(&places[i]), i <= mark);
	}
}

static void what_no_mark_vouches_for_is_written_again(void)
{
	begin();
	for (uint32_t i = 0; i < 4; i++)
		write_events(); // 2 to 5
	made.lanes[0].durable_mark = 3;
	write_events();
	punch();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	expect_written_above(3);
	CU_ASSERT_EQUAL(recovery.chain.next_number, 7);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 5);
	end_test();
}

static void without_a_mark_all_is_written_again_and_nothing_else_changes(void)
{
	uint32_t sum;

	begin();
	for (uint32_t i = 0; i < 3; i++)
		write_events();
	sl_test_segment_poke(&made, 0, 1, made.lanes[0].position, "torn", 4);
	sum = sum_of(1);
	punch();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	expect_written_above(0);
	CU_ASSERT_EQUAL(sum_of(1), sum);
	end_test();
}

static void after_a_clean_stop_its_mark_alone_is_written_again(void)
{
	begin();
	for (uint32_t i = 0; i < 5; i++)
		write_events();
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_batch_init(&made.batch, SL_BATCH_MARK);
	sl_test_batch_write(&made, 0);
	punch();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	expect_written_above(6);
	end_test();
}

// Marks as a writer with some batches under way leaves them, over two segments without a footer.
static void write_with_lag(uint32_t seed)
{
	uint64_t random = seed, mark = 0;

	begin();
	while (made.lanes[0].number < BATCH_COUNT - 2) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		if ((random >> 33) % 8 < seed % 8)
			mark = SL_MAX(mark,
				made.lanes[0].number - 1 -
					(random >> 40) % 20 % made.lanes[0].number);
		made.lanes[0].durable_mark = mark;
		if (made.lanes[0].number == 20 + seed % 30)
			write_head(next_offset, 0);
		write_events();
	}
	punch();
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, next_offset);
	expect_written_above(mark);
	end_test();
}

static void however_far_the_mark_lags(void)
{
	for (uint32_t seed = 0; seed < 16; seed++)
		write_with_lag(seed);
}

static void the_last_footer_is_written_again(void)
{
	static const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct stat status[3];

	begin();
	write_events();
	sl_test_segment_seal(&made, 0);
	write_head(1, 0);
	write_events();
	sl_test_segment_seal(&made, 0);
	write_head(2, 0);
	punch();
	for (uint64_t i = 1; i <= 2; i++)
		CU_ASSERT_EQUAL_FATAL(
			utimensat(AT_FDCWD, sl_test_segment_path(&made, 0, i), long_ago, 0), 0);
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	for (uint64_t i = 1; i <= 2; i++)
		CU_ASSERT_EQUAL_FATAL(stat(sl_test_segment_path(&made, 0, i), &status[i]), 0);
	CU_ASSERT_EQUAL(status[1].st_mtim.tv_sec, 1);
	CU_ASSERT_NOT_EQUAL(status[2].st_mtim.tv_sec, 1);
	expect_written_above(BATCH_COUNT); // of sealed segments nothing but the footer
	CU_ASSERT_EQUAL_FATAL(recover(), 0);
	CU_ASSERT_EQUAL(recovery.segment->number, 3);
	CU_ASSERT_EQUAL(find_state(0)->next_offset, 2);
	end_test();
}

static void a_lane_that_is_corrupt_is_not_written(void)
{
	begin();
	for (uint32_t i = 0; i < 3; i++)
		write_events();
	made.lanes[0].durable_mark = 4;
	write_events();
	punch();
	sl_test_segment_flip(&made, 0, 1, places[4].position);
	expect_corrupt("stable storage");
	CU_ASSERT(is_hole(&places[2]));
	CU_ASSERT(is_hole(&places[5]));
	end_test();
}

static const struct sl_test tests[] = {
	SL_TEST(what_no_mark_vouches_for_is_written_again),
	SL_TEST(without_a_mark_all_is_written_again_and_nothing_else_changes),
	SL_TEST(after_a_clean_stop_its_mark_alone_is_written_again),
	SL_TEST(however_far_the_mark_lags),
	SL_TEST(the_last_footer_is_written_again),
	SL_TEST(a_lane_that_is_corrupt_is_not_written),
};
SL_SUITE(dataplane_store_recovery_rewrite);
