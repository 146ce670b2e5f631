/* SPDX-License-Identifier: BSD-3-Clause */
#include "shm.h"

#include "err.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(word) #word
#define VERSION_TEXT(number) TEXT(number)

static const struct sl_shm_counts counts = {
	.port_count = 2,
	.lcore_count = 3,
	.ring_count = 5,
	.lane_count = 4,
	.stream_count = 1,
	.partition_count = 33,
};

static char dir[64];
static char path[96];

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void dir_make(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sl-shm-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static void dir_remove(void)
{
	unlink(in_dir("lock"));
	unlink(in_dir("shm"));
	unlink(in_dir("shm.new"));
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void poke(off_t offset, const void *bytes, size_t count)
{
	int fd = open(in_dir("shm"), O_RDWR);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pwrite(fd, bytes, count, offset), (ssize_t)count);
	close(fd);
}

static void what_the_writer_writes_a_reader_sees(void)
{
	struct sl_shm writer, reader;
	struct sl_err err = {0};
	struct stat status;

	dir_make();
	CU_ASSERT_EQUAL_FATAL(sl_shm_create(&writer, dir, &counts, &err), 0);
	CU_ASSERT_EQUAL(stat(in_dir("shm"), &status), 0);
	CU_ASSERT_EQUAL(status.st_mode & 0777 & ~0640, 0);
	writer.partitions[32].watermark = 7;
	writer.lanes[3].batch_number = 8;
	writer.lcores[2].rx.frames = 9;
	writer.rings[4].enqueued = 10;
	strcpy(writer.ports[1].device, "pcap:x");
	strcpy(writer.streams[0].name, "plays");
	SL_STORE(writer.header->state, SL_DATAPLANE_RUNNING);

	CU_ASSERT_EQUAL_FATAL(sl_shm_open(&reader, dir, &err), 0);
	CU_ASSERT_EQUAL(reader.header->pid, (uint32_t)getpid());
	CU_ASSERT_EQUAL(reader.header->state, SL_DATAPLANE_RUNNING);
	CU_ASSERT_STRING_EQUAL(reader.header->program_version, SL_VERSION);
	CU_ASSERT_EQUAL(reader.header->partition_count, 33);
	CU_ASSERT_EQUAL(reader.partitions[32].watermark, 7);
	CU_ASSERT_EQUAL(reader.lanes[3].batch_number, 8);
	CU_ASSERT_EQUAL(reader.lcores[2].rx.frames, 9);
	CU_ASSERT_EQUAL(reader.rings[4].enqueued, 10);
	CU_ASSERT_STRING_EQUAL(reader.ports[1].device, "pcap:x");
	CU_ASSERT_STRING_EQUAL(reader.streams[0].name, "plays");
	CU_ASSERT_EQUAL((uintptr_t)reader.lcores % SL_CACHE_LINE, 0);

	sl_shm_close(&reader);
	sl_shm_close(&reader); // zeroed: legal
	sl_shm_close(&writer);
	sl_shm_remove(dir);
	CU_ASSERT_EQUAL(sl_shm_open(&reader, dir, &err), -ENOENT);
	dir_remove();
}

static void create_replaces_a_dead_segment_and_its_reader_keeps_the_old_one(void)
{
	struct sl_shm old, reader, new;
	struct sl_err err = {0};

	dir_make();
	CU_ASSERT_EQUAL_FATAL(sl_shm_create(&old, dir, &counts, &err), 0);
	old.partitions[0].next_offset = 5;
	CU_ASSERT_EQUAL_FATAL(sl_shm_open(&reader, dir, &err), 0);
	CU_ASSERT_EQUAL_FATAL(sl_shm_create(&new, dir, &counts, &err), 0);
	CU_ASSERT_EQUAL(new.partitions[0].next_offset, 0);
	CU_ASSERT_EQUAL(reader.partitions[0].next_offset, 5);
	sl_shm_close(&old);
	sl_shm_close(&reader);
	sl_shm_close(&new);
	dir_remove();
}

static void open_says_that_no_data_plane_is_running(void)
{
	struct sl_shm shm;
	struct sl_err err = {0};
	char expected[256];

	dir_make();
	CU_ASSERT_EQUAL(sl_shm_open(&shm, dir, &err), -ENOENT);
	snprintf(expected, sizeof(expected),
		"no data plane is running in '%s'; start sluice-dataplane or name its runtime_dir",
		dir);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
	dir_remove();
}

static void open_refuses_what_is_damaged_or_of_another_version(void)
{
	static const struct {
		size_t offset;
		uint64_t value;
		size_t bytes;
		const char *text;
	} cases[] = {
		{offsetof(struct sl_shm_header, magic), 1, 8,
			"is no shared memory of a Sluice data plane"},
		{offsetof(struct sl_shm_header, version), 99, 4,
			"has layout version 99, this program reads " VERSION_TEXT(
				SL_SHM_VERSION) "; use the sluicectl that came "
						"with sluice-dataplane " SL_VERSION},
		{offsetof(struct sl_shm_header, total_bytes), 4096, 8, "is cut short or damaged"},
		{offsetof(struct sl_shm_header, lane_offset), 1ull << 40, 8,
			"is cut short or damaged"},
		{offsetof(struct sl_shm_header, lane_offset), 72, 8, "is cut short or damaged"},
		{offsetof(struct sl_shm_header, partition_count), UINT32_MAX, 4,
			"is cut short or damaged"},
	};
	struct sl_shm shm;
	struct sl_err err = {0};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		dir_make();
		CU_ASSERT_EQUAL_FATAL(sl_shm_create(&shm, dir, &counts, &err), 0);
		sl_shm_close(&shm);
		poke((off_t)cases[i].offset, &cases[i].value, cases[i].bytes);
		CU_ASSERT_EQUAL(sl_shm_open(&shm, dir, &err), -EPROTO);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].text));
		CU_ASSERT_PTR_NULL(shm.header);
		dir_remove();
	}
}

static void open_refuses_a_file_shorter_than_its_header(void)
{
	struct sl_shm shm;
	struct sl_err err = {0};

	dir_make();
	CU_ASSERT_EQUAL_FATAL(sl_shm_create(&shm, dir, &counts, &err), 0);
	sl_shm_close(&shm);
	CU_ASSERT_EQUAL(truncate(in_dir("shm"), 100), 0);
	CU_ASSERT_EQUAL(sl_shm_open(&shm, dir, &err), -EPROTO);
	dir_remove();
}

static void lock_creates_the_directory_and_is_exclusive(void)
{
	struct sl_err err = {0};
	char expected[256];

	dir_make();
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	int fd = sl_runtime_lock(dir, &err);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(sl_runtime_lock(dir, &err), -EBUSY);
	snprintf(expected, sizeof(expected),
		"another data plane (pid %ld) is running in '%s'; stop it or name another "
		"runtime_dir",
		(long)getpid(), dir);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
	close(fd);
	fd = sl_runtime_lock(dir, &err);
	CU_ASSERT(fd >= 0);
	close(fd);
	dir_remove();
}

static void lock_errors_name_the_directory_and_the_remedy(void)
{
	struct sl_err err = {0};
	char longest[SL_PATH_BYTES_MAX + 1];

	dir_make();
	CU_ASSERT_EQUAL(sl_runtime_lock(in_dir("absent/run"), &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "its parent directory does not exist"));
	close(open(in_dir("shm"), O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_EQUAL(sl_runtime_lock(in_dir("shm"), &err), -ENOTDIR);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "exists and is no directory"));
	memset(longest, 'a', SL_PATH_BYTES_MAX);
	longest[SL_PATH_BYTES_MAX] = '\0';
	CU_ASSERT_EQUAL(sl_runtime_lock(longest, &err), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(sl_runtime_lock("/proc/absent", &err), -ENOENT);
	CU_ASSERT_EQUAL(mkdir(in_dir("lock"), 0700), 0);
	CU_ASSERT_EQUAL(sl_runtime_lock(dir, &err), -EISDIR);
	CU_ASSERT_EQUAL(rmdir(in_dir("lock")), 0);
	dir_remove();
}

// The writer is a child: it creates the segment under the lock, says so, and ends without cleaning
// up, as after kill -9.
static void segment_is_alive_until_its_writer_dies(void)
{
	struct sl_shm shm;
	struct sl_err err = {0};
	int ready[2], stop[2];
	char byte;

	dir_make();
	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(stop), 0);
	pid_t pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0) {
		close(ready[0]);
		close(stop[1]);
		bool is_made = sl_runtime_lock(dir, NULL) >= 0 &&
			sl_shm_create(&shm, dir, &counts, NULL) == 0;
		if (is_made && write(ready[1], "x", 1) == 1)
			(void)!read(stop[0], &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	close(stop[0]);
	CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
	CU_ASSERT_EQUAL_FATAL(sl_shm_open(&shm, dir, &err), 0);
	CU_ASSERT_TRUE(sl_shm_is_alive(&shm, dir));
	close(stop[1]);
	waitpid(pid, NULL, 0);
	CU_ASSERT_FALSE(sl_shm_is_alive(&shm, dir));
	// A successor has the lock but has not made its own segment yet.
	int fd = sl_runtime_lock(dir, &err);
	CU_ASSERT(fd >= 0);
	CU_ASSERT_FALSE(sl_shm_is_alive(&shm, dir));
	close(fd);
	close(ready[0]);
	sl_shm_close(&shm);
	dir_remove();
}

static void create_names_the_directory_it_cannot_write(void)
{
	struct sl_shm shm;
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_shm_create(&shm, "/proc/absent", &counts, &err), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/proc/absent/shm"));
	CU_ASSERT_PTR_NULL(shm.header);
	dir_make();
	CU_ASSERT_EQUAL(mkdir(in_dir("shm"), 0700), 0);
	CU_ASSERT_EQUAL(sl_shm_create(&shm, dir, &counts, &err), -EISDIR);
	CU_ASSERT_PTR_NULL(shm.header);
	CU_ASSERT_NOT_EQUAL(access(in_dir("shm.new"), F_OK), 0);
	CU_ASSERT_EQUAL(rmdir(in_dir("shm")), 0);
	dir_remove();
}

static const struct sl_test tests[] = {
	SL_TEST(what_the_writer_writes_a_reader_sees),
	SL_TEST(create_replaces_a_dead_segment_and_its_reader_keeps_the_old_one),
	SL_TEST(open_says_that_no_data_plane_is_running),
	SL_TEST(open_refuses_what_is_damaged_or_of_another_version),
	SL_TEST(open_refuses_a_file_shorter_than_its_header),
	SL_TEST(lock_creates_the_directory_and_is_exclusive),
	SL_TEST(lock_errors_name_the_directory_and_the_remedy),
	SL_TEST(segment_is_alive_until_its_writer_dies),
	SL_TEST(create_names_the_directory_it_cannot_write),
};
SL_SUITE(common_shm);
