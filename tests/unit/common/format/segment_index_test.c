/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/segment_index.h"

#include "format/index_set.h"
#include "format/segment_index_build.h"
#include "format/segment_list.h"
#include "reader_fixture.h"

#include <sys/stat.h>

#define SEGMENT_COUNT 3u
#define BATCH_COUNT 80u // of events in each segment

// Partition 0 is in every batch, 1 in every tenth, 2 in the first segment only, 3 in none.
static void make_store(void)
{
	uint64_t next[3] = {0};

	sl_test_store_create(&made, 4);
	for (unsigned segment = 0; segment < SEGMENT_COUNT; segment++) {
		const struct sl_partition_state states[] = {
			state(0, 1, 0, next[0]), state(1, 1, 0, next[1]), state(2, 1, 0, next[2])};

		if (segment > 0)
			sl_test_segment_seal(&made, 0);
		sl_test_segment_open(&made, 0);
		sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 3);
		for (unsigned i = 0; i < BATCH_COUNT; i++) {
			sl_test_events_write(&made, 0, 0, 1, next[0]++, 1);
			if (i % 10 == 0)
				sl_test_events_write(&made, 0, 1, 1, next[1]++, 1);
			if (segment == 0 && i % 20 == 0) {
				sl_test_events_write(&made, 0, 2, 1, next[2], 3);
				next[2] += 3;
			}
		}
	}
}

static int build(uint64_t segment, struct sl_err *err)
{
	struct sl_index_builder *builder;
	int result = sl_index_builder_create(
		&builder, made.lanes[0].path, 0, segment, made.salt_crc, err);

	while (result == 0 && (result = sl_index_builder_step(builder, 7, err)) > 0)
		result = 0;
	if (result == 0)
		result = sl_index_builder_write(builder, err);
	if (builder != NULL)
		sl_index_builder_destroy(builder);
	return result;
}

static const char *index_path(uint64_t segment)
{
	static char path[SL_PATH_BYTES_MAX];

	CU_ASSERT_EQUAL(sl_segment_index_path(path, made.lanes[0].path, segment, NULL), 0);
	return path;
}

// What a read of each partition gives, from some offsets on, and of the stream.
struct outcome {
	struct seen seen;
	uint64_t next_offset, first_offset, event_count;
	int result;
};

#define READ_COUNT 13

static uint64_t read_everything(struct outcome *outcomes)
{
	static const uint64_t froms[] = {0, 5, 170};
	struct sl_store_report report;
	uint64_t skipped_count = 0;
	struct sl_err err;

	memset(outcomes, 0, READ_COUNT * sizeof(*outcomes));
	for (unsigned i = 0; i < READ_COUNT; i++) {
		struct outcome *outcome = &outcomes[i];

		outcome->result = i == READ_COUNT - 1
			? read_stream(&outcome->seen, &report, &err)
			: read_partition(
				  (uint16_t)(i % 4), froms[i / 4], &outcome->seen, &report, &err);
		outcome->next_offset = report.next_offset;
		outcome->first_offset = report.first_offset;
		outcome->event_count = report.event_count;
		skipped_count += report.skipped_batch_count;
	}
	return skipped_count;
}

static void reads_are_the_same_with_an_index_and_look_at_less(void)
{
	struct outcome without[READ_COUNT], with[READ_COUNT];
	struct sl_err err = {0};

	make_store();
	CU_ASSERT_EQUAL(read_everything(without), 0);
	CU_ASSERT_EQUAL(without[0].seen.count, SEGMENT_COUNT * BATCH_COUNT);
	CU_ASSERT_EQUAL(without[2].seen.count, 12);
	for (uint64_t segment = 1; segment < SEGMENT_COUNT; segment++)
		CU_ASSERT_EQUAL_FATAL(build(segment, &err), 0);
	CU_ASSERT(read_everything(with) > 4 * BATCH_COUNT);
	CU_ASSERT_EQUAL(memcmp(with, without, sizeof(with)), 0);
	sl_test_store_destroy(&made);
}

static void a_bad_index_is_as_good_as_none(void)
{
	struct outcome without[READ_COUNT], with[READ_COUNT];
	struct sl_err err = {0};
	uint64_t index_bytes;
	struct stat status;

	make_store();
	read_everything(without);
	CU_ASSERT_EQUAL_FATAL(build(1, &err), 0);
	CU_ASSERT_EQUAL_FATAL(stat(index_path(1), &status), 0);
	index_bytes = (uint64_t)status.st_size;
	for (uint64_t position = 0; position < index_bytes; position += 331) {
		int fd = open(index_path(1), O_RDWR);
		char byte;

		CU_ASSERT_EQUAL_FATAL(pread(fd, &byte, 1, (off_t)position), 1);
		byte ^= 0x10;
		CU_ASSERT_EQUAL_FATAL(pwrite(fd, &byte, 1, (off_t)position), 1);
		CU_ASSERT_EQUAL(read_everything(with), 0);
		CU_ASSERT_EQUAL(memcmp(with, without, sizeof(with)), 0);
		byte ^= 0x10;
		CU_ASSERT_EQUAL_FATAL(pwrite(fd, &byte, 1, (off_t)position), 1);
		close(fd);
	}
	CU_ASSERT(read_everything(with) > 0);
	CU_ASSERT_EQUAL(truncate(index_path(1), (off_t)index_bytes - 1), 0);
	CU_ASSERT_EQUAL(read_everything(with), 0);
	CU_ASSERT_EQUAL(memcmp(with, without, sizeof(with)), 0);
	sl_test_store_destroy(&made);
}

static void an_index_of_another_segment_is_never_believed(void)
{
	struct outcome without[READ_COUNT], with[READ_COUNT];
	char other[SL_PATH_BYTES_MAX];
	struct sl_err err = {0};

	make_store();
	read_everything(without);
	CU_ASSERT_EQUAL_FATAL(build(1, &err), 0);
	snprintf(other, sizeof(other), "%s", index_path(1));
	CU_ASSERT_EQUAL_FATAL(rename(other, index_path(2)), 0);
	CU_ASSERT_EQUAL(read_everything(with), 0);
	CU_ASSERT_EQUAL(memcmp(with, without, sizeof(with)), 0);
	sl_test_store_destroy(&made);
}

static void damage_that_a_reader_meets_is_damage_with_an_index_too(void)
{
	struct outcome outcomes[READ_COUNT];
	struct sl_err err = {0};

	make_store();
	CU_ASSERT_EQUAL_FATAL(build(1, &err), 0);
	sl_test_segment_flip(&made, 0, 1, 2 * SL_BLOCK_BYTES + 150); // partition 1's first event
	read_everything(outcomes);
	CU_ASSERT_EQUAL(outcomes[1].result, -EBADMSG);
	CU_ASSERT_EQUAL(outcomes[2].result, 0);
	CU_ASSERT_EQUAL(outcomes[2].seen.count, 12);
	sl_test_store_destroy(&made);
}

// Partition 0 goes on all the time; of partition 2 offsets 3 to 5 are lost, as a fence says.
static void make_fenced_store(void)
{
	const struct sl_lost_offsets lost = {
		.first_offset = 3, .count = 3, .term = 1, .partition = 2};
	const struct sl_partition_state first[] = {state(0, 1, 0, 0), state(2, 1, 0, 0)};
	const struct sl_partition_state second[] = {state(0, 1, 0, 2), state(2, 1, 0, 7)};

	sl_test_store_create(&made, 4);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, first, 2);
	sl_test_events_write(&made, 0, 2, 1, 0, 3);
	sl_test_events_write(&made, 0, 0, 1, 0, 1);
	sl_test_batch_init(&made.batch, SL_BATCH_FENCE);
	sl_test_batch_run(&made.batch, SL_RUN_LOST, 0, 0, &lost, sizeof(lost));
	sl_test_batch_write(&made, 0);
	sl_test_events_write(&made, 0, 0, 1, 1, 1);
	sl_test_events_write(&made, 0, 2, 1, 6, 1);
	sl_test_segment_seal(&made, 0);
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, second, 2);
	sl_test_events_write(&made, 0, 2, 1, 7, 1);
}

static void what_a_fence_says_is_said_with_an_index_too(void)
{
	struct sl_err err = {0};

	make_fenced_store();
	for (int has_index = 0; has_index < 2; has_index++) {
		struct sl_store_report report;
		struct seen seen = {0};

		if (has_index)
			CU_ASSERT_EQUAL_FATAL(build(1, &err), 0);
		CU_ASSERT_EQUAL(read_partition(2, 0, &seen, &report, &err), 0);
		CU_ASSERT_EQUAL(seen.count, 5);
		CU_ASSERT_EQUAL(report.lost_event_count, 3);
		CU_ASSERT_EQUAL(report.skipped_batch_count, has_index ? 2 : 0);
	}
	sl_test_store_destroy(&made);
}

static void what_is_not_sealed_or_does_not_go_on_gets_no_index(void)
{
	struct sl_err err = {0};

	make_store();
	CU_ASSERT_EQUAL(build(3, &err), -EAGAIN);
	CU_ASSERT_EQUAL(build(9, &err), -ENOENT);
	// In the table of the first batch of events, which no sum protects here: its first offset.
	sl_test_segment_flip(&made, 0, 2, SL_BLOCK_BYTES + 168);
	CU_ASSERT_EQUAL(build(2, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the segment gets no index"));
	CU_ASSERT_NOT_EQUAL(access(index_path(2), F_OK), 0);
	// A header.
	sl_test_segment_flip(&made, 0, 1, SL_BLOCK_BYTES + 24);
	CU_ASSERT_EQUAL(build(1, &err), -EBADMSG);
	sl_test_store_destroy(&made);
}

static void a_set_is_the_same_as_list_and_as_bitmap(void)
{
	static const struct {
		uint32_t count, step;
	} cases[] = {{1, 1}, {200, 1}, {200, 9}, {200, 31}, {50, 1000}, {7, 100000}};

	for (size_t i = 0; i < SL_ARRAY_COUNT(cases); i++) {
		struct sl_index_set set = {0};
		uint32_t list[200];
		size_t bytes = (size_t)cases[i].count * cases[i].step / 8 + 1;
		uint8_t *bitmap = calloc(1, bytes);
		uint32_t wrong_count = 0, bit_count = 0;

		for (uint32_t j = 0; j < cases[i].count; j++)
			CU_ASSERT_FATAL(sl_index_set_add(&set, j * cases[i].step));
		CU_ASSERT_EQUAL(set.count, cases[i].count);
		sl_index_set_list(&set, (char *)list);
		sl_index_set_bitmap(&set, (char *)bitmap, bytes);
		for (uint32_t j = 0; j < cases[i].count; j++)
			wrong_count += list[j] != j * cases[i].step ||
				(bitmap[list[j] / 8] & 1u << list[j] % 8) == 0;
		for (size_t j = 0; j < bytes; j++)
			bit_count += (uint32_t)__builtin_popcount(bitmap[j]);
		CU_ASSERT_EQUAL(wrong_count, 0);
		CU_ASSERT_EQUAL(bit_count, cases[i].count);
		// Its memory follows the smaller form, within a factor.
		CU_ASSERT(set.capacity_bytes <= 128 + 4 * SL_MIN(bytes, cases[i].count * 4u));
		free(bitmap);
		sl_index_set_fini(&set);
	}
}

static const struct sl_test tests[] = {
	SL_TEST(reads_are_the_same_with_an_index_and_look_at_less),
	SL_TEST(a_bad_index_is_as_good_as_none),
	SL_TEST(an_index_of_another_segment_is_never_believed),
	SL_TEST(damage_that_a_reader_meets_is_damage_with_an_index_too),
	SL_TEST(what_a_fence_says_is_said_with_an_index_too),
	SL_TEST(what_is_not_sealed_or_does_not_go_on_gets_no_index),
	SL_TEST(a_set_is_the_same_as_list_and_as_bitmap),
};
SL_SUITE(common_format_segment_index);
