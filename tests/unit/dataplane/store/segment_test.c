/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/segment.h"

#include "format/segment_file.h"
#include "scratch.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES (1024u * 1024)
#define SALT_CRC 0x12345678u
#define LANE 4

static char directory[64];

static void make_directory(void)
{
	CU_ASSERT_FATAL(sl_fixture_make_directory(directory));
}

static void remove_directory(void)
{
	CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static const char *name(const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	return path;
}

static void a_newborn_segment_has_its_name_its_length_and_zeros(void)
{
	struct sl_err err = {0};
	struct sl_segment *segment;
	struct stat status;
	char block[SL_BLOCK_BYTES], zeros[SL_BLOCK_BYTES] = {0};
	int fd;

	make_directory();
	segment = sl_segment_create(directory, 0x1f, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_EQUAL(segment->number, 0x1f);
	CU_ASSERT_EQUAL(sl_segment_usable_bytes(segment), FILE_BYTES - SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(stat(name("000000000000001f.seg"), &status), 0);
	CU_ASSERT_EQUAL(status.st_size, FILE_BYTES);
	CU_ASSERT(status.st_blocks * 512 >= FILE_BYTES);
	CU_ASSERT_NOT_EQUAL(access(name("000000000000001f.tmp"), F_OK), 0);
	CU_ASSERT(fcntl(segment->fd, F_GETFL) & O_DIRECT);
	fd = open(name("000000000000001f.seg"), O_RDONLY);
	CU_ASSERT_EQUAL(pread(fd, block, sizeof(block), FILE_BYTES / 2), sizeof(block));
	CU_ASSERT_EQUAL(memcmp(block, zeros, sizeof(block)), 0);
	close(fd);
	sl_segment_close(segment);
	CU_ASSERT_EQUAL(sl_segment_remove(directory, 0x1f, &err), 0);
	CU_ASSERT_EQUAL(sl_segment_remove(directory, 0x1f, &err), 0);
	remove_directory();
}

static void a_birth_that_fails_leaves_nothing_behind(void)
{
	struct sl_err err = {0};
	struct sl_segment *segment;

	make_directory();
	// More than any disk has room for.
	CU_ASSERT_PTR_NULL(sl_segment_create(directory, 1, 1ull << 60, &err));
	CU_ASSERT_EQUAL(errno, ENOSPC);
	CU_ASSERT_EQUAL(err.code, -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no room"));
	// A number that is in use is never taken away from its owner.
	segment = sl_segment_create(directory, 2, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_PTR_NULL(sl_segment_create(directory, 2, FILE_BYTES, &err));
	CU_ASSERT_EQUAL(errno, EEXIST);
	sl_segment_close(segment);
	sl_segment_remove(directory, 2, &err);
	remove_directory(); // fails when something is left
}

static void *close_soon(void *segment)
{
	sl_segment_close(segment);
	return NULL;
}

static bool is_writer_locked(int fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_start = (off_t)SL_SEGMENT_LOCK_WRITER, .l_len = 1};

	CU_ASSERT_EQUAL(fcntl(fd, F_OFD_GETLK, &lock), 0);
	return lock.l_type != F_UNLCK;
}

static void opening_waits_until_the_previous_writer_is_gone(void)
{
	struct sl_err err = {0};
	struct sl_segment *first, *second;
	pthread_t thread;
	int fd;

	make_directory();
	first = sl_segment_create(directory, 1, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	fd = open(name("0000000000000001.seg"), O_RDWR);
	CU_ASSERT(is_writer_locked(fd));
	// Ends whichever comes first, the close or the wait: without the lock it would, too, so the
	// lock itself is asked for on both sides.
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, close_soon, first), 0);
	second = sl_segment_open(directory, 1, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(second);
	CU_ASSERT(is_writer_locked(fd));
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(second->file_bytes, FILE_BYTES);
	sl_segment_close(second);
	CU_ASSERT_FALSE(is_writer_locked(fd));
	close(fd);
	CU_ASSERT_PTR_NULL(sl_segment_open(directory, 9, &err));
	CU_ASSERT_EQUAL(errno, ENOENT);
	sl_segment_remove(directory, 1, &err);
	remove_directory();
}

static void a_seal_is_found_by_the_list_and_by_readers(void)
{
	struct sl_err err = {0};
	struct sl_segment *segment, *other;
	struct sl_segment_entry *entries;
	struct sl_segment_file *file;
	uint32_t count;

	make_directory();
	other = sl_segment_create(directory, 3, FILE_BYTES, &err);
	segment = sl_segment_create(directory, 2, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	segment->first_number = 10;
	segment->last_number = 12;
	segment->end_position = 3 * SL_BLOCK_BYTES;
	segment->event_count = 99;
	segment->time_last_ns = 123;
	segment->last_body_crc = 0xabcdef;
	CU_ASSERT_EQUAL(sl_segment_seal(segment, LANE, 7, SALT_CRC, &err), 0);
	close(open(name("0000000000000009.tmp"), O_CREAT | O_WRONLY, 0600));
	close(open(name("notes.txt"), O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_list(directory, LANE, SALT_CRC, true, &entries, &count, &err), 0);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_EQUAL(entries[0].number, 2);
	CU_ASSERT(entries[0].sealed);
	CU_ASSERT_EQUAL(entries[0].event_count, 99);
	CU_ASSERT_EQUAL(entries[0].time_last_ns, 123);
	CU_ASSERT_EQUAL(entries[0].file_bytes, FILE_BYTES);
	CU_ASSERT_FALSE(entries[1].sealed);
	free(entries);
	CU_ASSERT_NOT_EQUAL(access(name("0000000000000009.tmp"), F_OK), 0);
	CU_ASSERT_EQUAL_FATAL(sl_segment_file_open(&file, directory, LANE, 2, SALT_CRC, &err), 0);
	CU_ASSERT(file->is_sealed);
	CU_ASSERT_EQUAL(file->footer.last_body_crc, 0xabcdef);
	CU_ASSERT_EQUAL(file->footer.epoch, 7);
	sl_segment_file_close(file);
	// The footer of another lane is no footer, nor one under another salt.
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_file_open(&file, directory, LANE + 1, 2, SALT_CRC, &err), 0);
	CU_ASSERT_FALSE(file->is_sealed);
	sl_segment_file_close(file);
	CU_ASSERT_EQUAL_FATAL(
		sl_segment_file_open(&file, directory, LANE, 2, SALT_CRC + 1, &err), 0);
	CU_ASSERT_FALSE(file->is_sealed);
	sl_segment_file_close(file);
	sl_segment_close(segment);
	sl_segment_close(other);
	sl_segment_remove(directory, 2, &err);
	sl_segment_remove(directory, 3, &err);
	unlink(name("notes.txt"));
	remove_directory();
}

static void a_reader_keeps_a_removed_segment_readable(void)
{
	struct sl_err err = {0};
	struct sl_segment *segment;
	struct sl_segment_file *file;

	make_directory();
	segment = sl_segment_create(directory, 1, FILE_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	CU_ASSERT_EQUAL_FATAL(sl_segment_file_open(&file, directory, LANE, 1, SALT_CRC, &err), 0);
	CU_ASSERT_EQUAL(sl_segment_remove(directory, 1, &err), 0);
	CU_ASSERT_EQUAL(sl_segment_file_read_footer(file, &err), 0);
	sl_segment_file_close(file);
	CU_ASSERT_EQUAL(sl_segment_file_open(&file, directory, LANE, 1, SALT_CRC, &err), -ENOENT);
	sl_segment_close(segment);
	remove_directory();
}

// Closes it and opens it again, as a next start does.
static uint64_t written_bytes_at_open(struct sl_segment *segment)
{
	struct sl_err err = {0};
	uint64_t bytes;

	sl_segment_close(segment);
	segment = sl_segment_open(directory, 1, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
	bytes = segment->formatted_bytes;
	sl_segment_close(segment);
	return bytes;
}

static void an_open_knows_how_far_the_blocks_were_written(void)
{
	void *zeros = aligned_alloc(SL_BLOCK_BYTES, FILE_BYTES / 4);
	struct sl_err err = {0};
	struct sl_segment *segment;

	make_directory();
	memset(zeros, 0, FILE_BYTES / 4);
	for (uint64_t bytes = 0; bytes <= FILE_BYTES; bytes += FILE_BYTES / 4) {
		segment = sl_segment_create(directory, 1, FILE_BYTES, &err);
		CU_ASSERT_PTR_NOT_NULL_FATAL(segment);
		while (segment->formatted_bytes < bytes)
			CU_ASSERT_EQUAL_FATAL(
				sl_segment_format_step(segment, zeros, FILE_BYTES / 4, &err), 0);
		CU_ASSERT_EQUAL(written_bytes_at_open(segment), bytes);
		CU_ASSERT_EQUAL(sl_segment_remove(directory, 1, &err), 0);
	}
	// What lies behind a gap does not count: a footer, or a trimmed end.
	segment = sl_segment_create(directory, 1, FILE_BYTES, &err);
	CU_ASSERT_EQUAL(pwrite(segment->fd, zeros, SL_BLOCK_BYTES, FILE_BYTES / 2),
		(ssize_t)SL_BLOCK_BYTES);
	CU_ASSERT_EQUAL(written_bytes_at_open(segment), 0);
	CU_ASSERT_EQUAL(sl_segment_remove(directory, 1, &err), 0);
	free(zeros);
	remove_directory();
}

static const struct sl_test tests[] = {
	SL_TEST(a_newborn_segment_has_its_name_its_length_and_zeros),
	SL_TEST(a_birth_that_fails_leaves_nothing_behind),
	SL_TEST(opening_waits_until_the_previous_writer_is_gone),
	SL_TEST(a_seal_is_found_by_the_list_and_by_readers),
	SL_TEST(a_reader_keeps_a_removed_segment_readable),
	SL_TEST(an_open_knows_how_far_the_blocks_were_written),
};
SL_SUITE(dataplane_store_segment);
