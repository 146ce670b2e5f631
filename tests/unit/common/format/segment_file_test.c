/* SPDX-License-Identifier: BSD-3-Clause */
// A segment read by a reader ahead gives what it gives by the window, and says what it cannot read.
#include "format/segment_file.h"
#include "format/segment_list.h"
#include "store_maker.h"
#include "suite.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BATCH_COUNT 600u // some megabytes: many parts of a reader
#define BATCH_EVENTS 300u

static struct sl_test_store store;
static uint64_t positions[BATCH_COUNT];
static struct sl_read_ahead *reader;
static struct sl_segment_file *file;

static void make_segment(void)
{
	sl_test_store_create(&store, 1);
	sl_test_segment_open(&store, 0);
	for (unsigned i = 0; i < BATCH_COUNT; i++)
		positions[i] = sl_test_events_write(
			&store, 0, 0, 1, (uint64_t)i * BATCH_EVENTS, BATCH_EVENTS);
	CU_ASSERT_EQUAL_FATAL(sl_read_ahead_create(&reader, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_file_open(&file, store.lanes[0].path, 0, 1, store.salt_crc, NULL), 0);
	sl_segment_file_read_ahead(file, reader);
}

static void remove_segment(void)
{
	sl_segment_file_close(file);
	sl_read_ahead_destroy(reader);
	sl_test_store_destroy(&store);
}

// The number of the batch at a position, 0 when none is whole there.
static uint64_t number_at(uint64_t position)
{
	const struct sl_batch_header *batch;
	enum sl_batch_verdict verdict;

	CU_ASSERT_EQUAL_FATAL(
		sl_segment_file_batch(file, position, false, &batch, &verdict, NULL), 0);
	return verdict == SL_BATCH_OK ? batch->number : 0;
}

static void all_batches_come_in_turn(void)
{
	make_segment();
	for (unsigned i = 0; i < BATCH_COUNT; i++)
		CU_ASSERT_EQUAL(number_at(positions[i]), i + 1);
	CU_ASSERT_EQUAL(number_at(store.lanes[0].position), 0);
	remove_segment();
}

static void going_back_reads_again(void)
{
	make_segment();
	CU_ASSERT_EQUAL(number_at(positions[BATCH_COUNT - 1]), BATCH_COUNT);
	CU_ASSERT_EQUAL(number_at(positions[0]), 1);
	CU_ASSERT_EQUAL(number_at(positions[BATCH_COUNT / 2]), BATCH_COUNT / 2 + 1);
	remove_segment();
}

static void what_was_forgotten_is_read_as_it_is_now(void)
{
	make_segment();
	CU_ASSERT_EQUAL(number_at(positions[1]), 2);
	sl_test_segment_flip(&store, 0, 1, positions[2] + SL_BATCH_HEADER_BYTES);
	sl_segment_file_forget(file);
	CU_ASSERT_EQUAL(number_at(positions[2]), 0);
	CU_ASSERT_EQUAL(number_at(positions[3]), 4);
	remove_segment();
}

static void what_cannot_be_read_is_an_error_where_it_is_asked_for(void)
{
	const struct sl_batch_header *batch;
	enum sl_batch_verdict verdict;
	struct sl_err err;

	make_segment();
	CU_ASSERT_EQUAL(truncate(file->path, (off_t)positions[10]), 0);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(number_at(positions[i]), i + 1);
	CU_ASSERT_EQUAL(
		sl_segment_file_batch(file, positions[10], false, &batch, &verdict, &err), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, file->path));
	remove_segment();
}

static const struct sl_test tests[] = {
	SL_TEST(all_batches_come_in_turn),
	SL_TEST(going_back_reads_again),
	SL_TEST(what_was_forgotten_is_read_as_it_is_now),
	SL_TEST(what_cannot_be_read_is_an_error_where_it_is_asked_for),
};
SL_SUITE(common_format_segment_file);
