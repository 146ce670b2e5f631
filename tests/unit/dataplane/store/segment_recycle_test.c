/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/segment_file.h"
#include "lane_fixture.h"
#include "store/segment.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES (512 * 1024)

static char path[64];

static struct sl_segment *make_sealed(uint64_t number, const char *content)
{
	struct sl_err err = {0};
	struct sl_segment *segment = sl_segment_create(path, number, FILE_BYTES, &err);
	char *block = aligned_alloc(SL_BLOCK_BYTES, SL_BLOCK_BYTES);

	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	memset(block, 0, SL_BLOCK_BYTES);
	snprintf(block, SL_BLOCK_BYTES, "%s", content);
	CU_ASSERT_EQUAL(pwrite(segment->fd, block, SL_BLOCK_BYTES, 0), SL_BLOCK_BYTES);
	free(block);
	segment->first_number = segment->last_number = 1;
	segment->end_position = SL_BLOCK_BYTES;
	CU_ASSERT_EQUAL(sl_segment_seal(segment, SL_FIXTURE_LANE, 1, SL_FIXTURE_SALT_CRC, &err), 0);
	return segment;
}

static bool exists(uint64_t number, const char *format)
{
	char name[128];
	struct stat status;
	int bytes = snprintf(name, sizeof(name), "%s/", path);

	snprintf(name + bytes, sizeof(name) - (size_t)bytes, format, (unsigned long long)number);
	return stat(name, &status) == 0;
}

static void a_recycled_segment_has_a_new_number_old_blocks_and_no_valid_footer(void)
{
	struct sl_segment_entry *entries;
	struct sl_segment *segment;
	struct sl_err err = {0};
	char block[SL_BLOCK_BYTES] __attribute__((aligned(4096)));
	uint32_t count;

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	sl_segment_close(make_sealed(1, "of an earlier life"));
	segment = sl_segment_recycle(path, 1, path, 5, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_EQUAL(segment->number, 5);
	CU_ASSERT_EQUAL(segment->formatted_bytes, FILE_BYTES);
	CU_ASSERT_EQUAL(segment->first_number, 0);
	CU_ASSERT_FALSE(exists(1, SL_SEGMENT_NAME_FORMAT));
	CU_ASSERT_FALSE(exists(5, SL_SEGMENT_TEMP_FORMAT));
	CU_ASSERT_EQUAL(pread(segment->fd, block, sizeof(block), 0), sizeof(block));
	CU_ASSERT_STRING_EQUAL(block, "of an earlier life");
	CU_ASSERT_EQUAL_FATAL(sl_segment_list(path, SL_FIXTURE_LANE, SL_FIXTURE_SALT_CRC, false,
				      &entries, &count, &err),
		0);
	CU_ASSERT_EQUAL_FATAL(count, 1);
	CU_ASSERT_EQUAL(entries[0].number, 5);
	CU_ASSERT_FALSE(entries[0].sealed); // the old footer is that of number 1
	free(entries);
	sl_segment_close(segment);
	sl_fixture_remove_directory(path);
}

static void a_segment_that_a_reader_holds_is_not_recycled(void)
{
	struct sl_segment_file *reader;
	struct sl_segment *segment;
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	sl_segment_close(make_sealed(1, "read me"));
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_file_open(&reader, path, SL_FIXTURE_LANE, 1, SL_FIXTURE_SALT_CRC, &err),
		0);
	errno = 0;
	CU_ASSERT_PTR_NULL(sl_segment_recycle(path, 1, path, 5, FILE_BYTES, &err));
	CU_ASSERT_EQUAL(errno, EBUSY);
	CU_ASSERT(exists(1, SL_SEGMENT_NAME_FORMAT));
	sl_segment_file_close(reader);
	segment = sl_segment_recycle(path, 1, path, 5, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL(segment);
	// Its own readers are let in again.
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_file_open(&reader, path, SL_FIXTURE_LANE, 5, SL_FIXTURE_SALT_CRC, &err),
		0);
	CU_ASSERT_FALSE(reader->is_sealed);
	sl_segment_file_close(reader);
	sl_segment_close(segment);
	sl_fixture_remove_directory(path);
}

static void a_segment_of_another_length_stays_as_it_is(void)
{
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	sl_segment_close(make_sealed(1, "long"));
	errno = 0;
	CU_ASSERT_PTR_NULL(sl_segment_recycle(path, 1, path, 5, 2 * FILE_BYTES, &err));
	CU_ASSERT_EQUAL(errno, ESTALE);
	CU_ASSERT(exists(1, SL_SEGMENT_NAME_FORMAT));
	sl_fixture_remove_directory(path);
}

static void a_number_that_is_taken_is_never_overwritten(void)
{
	struct sl_segment *other;
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	sl_segment_close(make_sealed(1, "first"));
	other = make_sealed(5, "taken");
	errno = 0;
	CU_ASSERT_PTR_NULL(sl_segment_recycle(path, 1, path, 5, FILE_BYTES, &err));
	CU_ASSERT_EQUAL(errno, EEXIST);
	CU_ASSERT(exists(5, SL_SEGMENT_NAME_FORMAT));
	CU_ASSERT(exists(1, SL_SEGMENT_NAME_FORMAT)); // as it was: it expires when it is due
	sl_segment_close(other);
	sl_fixture_remove_directory(path);
}

// The directory cannot be opened to be flushed: the limit leaves one descriptor, for the segment.
static struct sl_segment *recycle_without_directory(uint64_t number, struct sl_err *err)
{
	int next_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit limit, low;
	struct sl_segment *segment;

	close(next_fd);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)next_fd + 1;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	segment = sl_segment_recycle(path, 1, path, number, FILE_BYTES, err);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return segment;
}

static void a_directory_that_cannot_be_flushed_leaves_the_number_free(void)
{
	struct sl_segment *segment;
	struct sl_err err = {0};

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	sl_segment_close(make_sealed(1, "renamed"));
	CU_ASSERT_PTR_NULL(recycle_without_directory(5, &err));
	CU_ASSERT_EQUAL(err.code, -EMFILE);
	CU_ASSERT_FALSE(exists(1, SL_SEGMENT_NAME_FORMAT));
	CU_ASSERT_FALSE(exists(5, SL_SEGMENT_NAME_FORMAT));
	CU_ASSERT_FALSE(exists(5, SL_SEGMENT_TEMP_FORMAT));
	segment = sl_segment_create(path, 5, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL(segment);
	sl_segment_close(segment);
	sl_fixture_remove_directory(path);
}

static void formatting_writes_every_block_once_and_stops_at_the_end(void)
{
	const uint64_t step_bytes = 200 * 1024;
	void *zeros = aligned_alloc(SL_BLOCK_BYTES, step_bytes);
	struct sl_segment *segment;
	struct sl_err err = {0};
	int steps = 0;

	CU_ASSERT_FATAL(sl_fixture_make_directory(path));
	CU_ASSERT_PTR_NOT_NULL_FATAL(zeros);
	memset(zeros, 0, step_bytes);
	segment = sl_segment_create(path, 1, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_EQUAL(segment->formatted_bytes, 0);
	while (segment->formatted_bytes < FILE_BYTES && steps < 10) {
		CU_ASSERT_EQUAL(sl_segment_format_step(segment, zeros, step_bytes, &err), 0);
		steps++;
	}
	CU_ASSERT_EQUAL(steps, 3);
	CU_ASSERT_EQUAL(segment->formatted_bytes, FILE_BYTES);
	CU_ASSERT_EQUAL(lseek(segment->fd, 0, SEEK_END), FILE_BYTES);
	close(segment->fd);
	segment->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	segment->formatted_bytes = 0;
	CU_ASSERT_EQUAL(sl_segment_format_step(segment, zeros, step_bytes, &err), -EBADF);
	sl_segment_close(segment);
	free(zeros);
	sl_fixture_remove_directory(path);
}

static const struct sl_test tests[] = {
	SL_TEST(a_recycled_segment_has_a_new_number_old_blocks_and_no_valid_footer),
	SL_TEST(a_segment_that_a_reader_holds_is_not_recycled),
	SL_TEST(a_segment_of_another_length_stays_as_it_is),
	SL_TEST(a_number_that_is_taken_is_never_overwritten),
	SL_TEST(a_directory_that_cannot_be_flushed_leaves_the_number_free),
	SL_TEST(formatting_writes_every_block_once_and_stops_at_the_end),
};
SL_SUITE(dataplane_store_segment_recycle);
