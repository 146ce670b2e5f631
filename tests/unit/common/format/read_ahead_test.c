/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/log_format.h"
#include "format/read_ahead.h"
#include "scratch.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES (40ull * SL_MIB) // more than what is kept at a time, twice

static struct sl_read_ahead *reader;
static int fd;

// Each block begins with its own position.
static void make_file(uint64_t bytes)
{
	char directory[64];

	CU_ASSERT_EQUAL_FATAL(sl_read_ahead_create(&reader, NULL), 0);
	CU_ASSERT_FATAL(sl_fixture_make_directory(directory));
	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	sl_fixture_remove_directory(directory);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)bytes), 0);
	for (uint64_t position = 0; position + sizeof(position) <= bytes;
		position += SL_BLOCK_BYTES)
		CU_ASSERT_EQUAL(
			pwrite(fd, &position, sizeof(position), (off_t)position), sizeof(position));
}

static void remove_file(void)
{
	sl_read_ahead_destroy(reader);
	close(fd);
}

static bool holds(const char *data, uint64_t position, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += SL_BLOCK_BYTES) {
		uint64_t found;

		memcpy(&found, data + at, sizeof(found));
		if (found != position + at)
			return false;
	}
	return true;
}

static void spans_of_all_sizes_come_whole(void)
{
	static const size_t sizes[] = {SL_BLOCK_BYTES, SL_READ_AHEAD_SPAN_BYTES_MAX,
		3 * SL_BLOCK_BYTES, 1024 * 1024 + SL_BLOCK_BYTES, 513 * SL_BLOCK_BYTES};
	uint64_t position = 0;

	make_file(FILE_BYTES);
	sl_read_ahead_begin(reader, fd, 0, FILE_BYTES);
	for (size_t i = 0; position < FILE_BYTES; i++) {
		size_t bytes = sizes[i % SL_ARRAY_COUNT(sizes)];

		bytes = (size_t)SL_MIN((uint64_t)bytes, FILE_BYTES - position);
		CU_ASSERT(holds(sl_read_ahead_get(reader, position, SL_BLOCK_BYTES), position,
			SL_BLOCK_BYTES));
		CU_ASSERT(holds(sl_read_ahead_get(reader, position, bytes), position, bytes));
		position += bytes;
	}
	remove_file();
}

static void what_is_skipped_is_not_waited_for(void)
{
	make_file(FILE_BYTES);
	for (uint64_t step = 3 * SL_MIB; step < 30 * SL_MIB; step += 5 * SL_MIB) {
		sl_read_ahead_begin(reader, fd, 0, FILE_BYTES);
		for (uint64_t position = 0; position < FILE_BYTES - SL_MIB; position += step)
			CU_ASSERT(holds(
				sl_read_ahead_get(reader, position, SL_MIB), position, SL_MIB));
	}
	remove_file();
}

static void what_is_missing_is_zero_and_said(void)
{
	static const char zeros[SL_BLOCK_BYTES];
	const uint64_t end = 2 * SL_MIB + 3 * SL_BLOCK_BYTES;
	int error;

	make_file(end);
	sl_read_ahead_begin(reader, fd, SL_MIB, 4 * SL_MIB);
	CU_ASSERT(holds(sl_read_ahead_get(reader, SL_MIB, SL_MIB), SL_MIB, SL_MIB));
	CU_ASSERT(holds(sl_read_ahead_get(reader, end - SL_BLOCK_BYTES, SL_BLOCK_BYTES),
		end - SL_BLOCK_BYTES, SL_BLOCK_BYTES));
	CU_ASSERT_EQUAL(
		memcmp(sl_read_ahead_get(reader, end, SL_BLOCK_BYTES), zeros, sizeof(zeros)), 0);
	sl_read_ahead_stop(reader);
	CU_ASSERT_EQUAL(sl_read_ahead_unreadable(reader, &error), end);
	CU_ASSERT_EQUAL(error, -EIO);
	remove_file();
}

static const struct sl_test tests[] = {
	SL_TEST(spans_of_all_sizes_come_whole),
	SL_TEST(what_is_skipped_is_not_waited_for),
	SL_TEST(what_is_missing_is_zero_and_said),
};
SL_SUITE(common_format_read_ahead);
