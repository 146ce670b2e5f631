/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/ctl.h"
#include "format/log_format.h"
#include "made_segment.h"
#include "store_maker.h"
#include "suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENT_COUNT_MAX 16

// Two partitions in lane 0: 0:0 to 0:4, then 1:0 and 1:1, then 0:5 to 0:7.
static struct sl_test_store store;

// What one `sluicectl read` did.
struct outcome {
	int code;
	char out[4096], err[4096];
};

static void store_make(void)
{
	sl_test_store_create(&store, 2);
	sl_test_segment_open(&store, 0);
	sl_test_states_write(&store, 0, SL_BATCH_CHECKPOINT, NULL, 0);
	sl_test_events_write(&store, 0, 0, 1, 0, 5);
	sl_test_events_write(&store, 0, 1, 1, 0, 2);
	sl_test_events_write(&store, 0, 0, 1, 5, 3);
	sl_test_store_write_meta(&store);
}

static void file_text(FILE *file, char *text, size_t text_bytes)
{
	rewind(file);
	size_t bytes = fread(text, 1, text_bytes - 1, file);
	text[bytes] = '\0';
	fclose(file);
}

// Runs `sluicectl read ARGUMENT...` with a NULL behind the last argument.
static void read_with(
	struct outcome *outcome, const char *runtime_dir, const char *const *arguments)
{
	char *argv[ARGUMENT_COUNT_MAX + 1] = {"read"};
	struct sl_ctl ctl = {.runtime_dir = runtime_dir, .output = {.stream = tmpfile()}};
	FILE *err_file = tmpfile();
	int argc = 1;

	for (; arguments[argc - 1] != NULL && argc < ARGUMENT_COUNT_MAX; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
	fflush(stderr);
	int stderr_fd = dup(STDERR_FILENO);
	dup2(fileno(err_file), STDERR_FILENO);
	outcome->code = sl_ctl_finish(&ctl, sl_ctl_read.run(&ctl, argc, argv));
	fflush(stderr);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	file_text(ctl.output.stream, outcome->out, sizeof(outcome->out));
	file_text(err_file, outcome->err, sizeof(outcome->err));
}

#define READ(outcome, runtime_dir, ...) \
	read_with(outcome, runtime_dir, (const char *const[]){__VA_ARGS__, NULL})

#define ALL_EVENTS "0:0\n0:1\n0:2\n0:3\n0:4\n1:0\n1:1\n0:5\n0:6\n0:7\n"

static void a_stopped_store_is_read_to_its_end(void)
{
	struct outcome outcome;

	store_make();
	READ(&outcome, "/nonexistent", "plays", "--store", store.path);
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_OK);
	CU_ASSERT_STRING_EQUAL(outcome.out, ALL_EVENTS);
	CU_ASSERT_STRING_EQUAL(outcome.err, "");
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "1", "-f", "raw");
	CU_ASSERT_STRING_EQUAL(outcome.out, "1:01:1");
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "0", "--from", "3",
		"--count", "3");
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:3\n0:4\n0:5\n");
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "--count", "6");
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:0\n0:1\n0:2\n0:3\n0:4\n1:0\n");
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "1", "--from", "1",
		"--json");
	CU_ASSERT_EQUAL(strncmp(outcome.out, "{\"partition\":1,\"offset\":1,", 26), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.out, ",\"value\":\"1:1\"}\n"));
	sl_test_store_destroy(&store);
}

static void the_end_is_told_from_what_lies_beyond(void)
{
	struct outcome outcome;

	store_make();
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "0", "--from", "8");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_OK);
	CU_ASSERT_STRING_EQUAL(outcome.out, "");
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "0", "--from", "9");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "beyond its end"));
	sl_test_store_destroy(&store);
}

static void what_is_not_there_is_named(void)
{
	struct outcome outcome;

	store_make();
	READ(&outcome, "/nonexistent", "likes", "--store", store.path);
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "plays"));
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "2");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "its partitions are 0 to 1"));
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "--from", "1");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_USAGE);
	READ(&outcome, "/nonexistent", "plays", "--store", "/nonexistent");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NOT_FOUND);
	READ(&outcome, "/nonexistent", "plays");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NO_DATAPLANE);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "--store DIR"));
	sl_test_store_destroy(&store);
}

// ---- with the segment of a data plane

struct running {
	struct sl_made_segment made;
	int lock_fd; // of the runtime directory; -1: the data plane has died
	int store_lock_fd;
};

static int store_lock_take(void)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[SL_PATH_BYTES_MAX];

	snprintf(path, sizeof(path), "%s/" SL_STORE_LOCK_NAME, store.path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	CU_ASSERT_EQUAL(fcntl(fd, F_OFD_SETLK, &range), 0);
	return fd;
}

static void running_make(struct running *running, bool is_alive)
{
	struct sl_err err;

	store_make();
	CU_ASSERT_EQUAL_FATAL(sl_made_segment_create(&running->made), 0);
	struct sl_shm *shm = &running->made.shm;
	snprintf(shm->header->store_path, sizeof(shm->header->store_path), "%s", store.path);
	shm->partitions[0].watermark = 3;
	shm->partitions[1].watermark = 2;
	running->lock_fd = is_alive ? sl_runtime_lock(running->made.runtime_dir, &err) : -1;
	running->store_lock_fd = is_alive ? store_lock_take() : -1;
}

static void running_destroy(struct running *running)
{
	char path[128];

	if (running->lock_fd >= 0) {
		close(running->lock_fd);
		close(running->store_lock_fd);
		snprintf(path, sizeof(path), "%s/" SL_STORE_LOCK_NAME, store.path);
		unlink(path);
		snprintf(path, sizeof(path), "%s/" SL_SHM_LOCK_NAME, running->made.runtime_dir);
		unlink(path);
	}
	sl_made_segment_destroy(&running->made);
	sl_test_store_destroy(&store);
}

static void a_running_data_plane_is_read_to_its_watermarks(void)
{
	struct running running;
	struct outcome outcome;

	running_make(&running, true);
	const char *runtime_dir = running.made.runtime_dir;
	READ(&outcome, runtime_dir, "plays");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_OK);
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:0\n0:1\n0:2\n1:0\n1:1\n");
	READ(&outcome, runtime_dir, "plays", "-p", "0");
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:0\n0:1\n0:2\n");
	// The same store by another name of it.
	READ(&outcome, runtime_dir, "plays", "-p", "0", "--store", store.path);
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:0\n0:1\n0:2\n");
	READ(&outcome, runtime_dir, "plays", "-p", "0", "--from", "3");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_OK);
	CU_ASSERT_STRING_EQUAL(outcome.out, "");
	READ(&outcome, runtime_dir, "plays", "-p", "0", "--from", "4");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "its next offset is 3"));
	running_destroy(&running);
}

static void a_data_plane_that_is_starting_is_waited_for_elsewhere(void)
{
	struct running running;
	struct outcome outcome;

	running_make(&running, true);
	running.made.shm.header->state = SL_DATAPLANE_STARTING;
	READ(&outcome, running.made.runtime_dir, "plays");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NO_DATAPLANE);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "still starting"));
	CU_ASSERT_STRING_EQUAL(outcome.out, "");
	running_destroy(&running);
}

static void a_store_that_an_unknown_data_plane_writes_is_refused(void)
{
	struct running running;
	struct outcome outcome;

	running_make(&running, true);
	READ(&outcome, "/nonexistent", "plays", "--store", store.path);
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_NO_DATAPLANE);
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, "--runtime-dir"));
	CU_ASSERT_STRING_EQUAL(outcome.out, "");
	running_destroy(&running);
}

static void a_dead_data_plane_leads_to_its_store(void)
{
	struct running running;
	struct outcome outcome;

	running_make(&running, false);
	READ(&outcome, running.made.runtime_dir, "plays");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_OK);
	CU_ASSERT_STRING_EQUAL(outcome.out, ALL_EVENTS);
	running_destroy(&running);
}

static void damage_is_told_after_everything_that_is_right(void)
{
	struct outcome outcome;

	store_make();
	sl_test_segment_seal(&store, 0);
	// The second batch behind the checkpoint: 1:0 and 1:1.
	sl_test_segment_flip(&store, 0, 1, 2 * SL_BLOCK_BYTES + SL_BATCH_RUNS_OFFSET + 13);
	READ(&outcome, "/nonexistent", "plays", "--store", store.path);
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_CHECK_FAILED);
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:0\n0:1\n0:2\n0:3\n0:4\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(outcome.err, ".seg"));
	sl_test_store_destroy(&store);
}

static void expired_offsets_are_told_and_the_rest_is_read(void)
{
	const struct sl_partition_state states[] = {
		{.partition = 0, .term = 1, .next_offset = 8},
		{.partition = 1, .term = 1, .next_offset = 2},
	};
	struct outcome outcome;

	store_make();
	sl_test_segment_seal(&store, 0);
	sl_test_segment_open(&store, 0);
	sl_test_states_write(&store, 0, SL_BATCH_CHECKPOINT, states, 2);
	sl_test_events_write(&store, 0, 0, 1, 8, 2);
	CU_ASSERT_EQUAL(unlink(sl_test_segment_path(&store, 0, 1)), 0);
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "0", "--from", "3");
	CU_ASSERT_EQUAL(outcome.code, SL_CTL_OK);
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:8\n0:9\n");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(outcome.err, "offsets 3 to 7 have expired; the read began with 8"));
	// Nothing was asked for in particular: nothing is missed.
	READ(&outcome, "/nonexistent", "plays", "--store", store.path, "-p", "0");
	CU_ASSERT_STRING_EQUAL(outcome.out, "0:8\n0:9\n");
	CU_ASSERT_STRING_EQUAL(outcome.err, "");
	sl_test_store_destroy(&store);
}

static const struct sl_test tests[] = {
	SL_TEST(a_stopped_store_is_read_to_its_end),
	SL_TEST(the_end_is_told_from_what_lies_beyond),
	SL_TEST(what_is_not_there_is_named),
	SL_TEST(a_running_data_plane_is_read_to_its_watermarks),
	SL_TEST(a_data_plane_that_is_starting_is_waited_for_elsewhere),
	SL_TEST(a_store_that_an_unknown_data_plane_writes_is_refused),
	SL_TEST(a_dead_data_plane_leads_to_its_store),
	SL_TEST(damage_is_told_after_everything_that_is_right),
	SL_TEST(expired_offsets_are_told_and_the_rest_is_read),
};
SL_SUITE(control_ctl_read);
