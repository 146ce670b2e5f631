/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/batch_scan.h"
#include "format/fence.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define SALT_CRC 0x1234567u

static const struct sl_lost_offsets lost[] = {
	{.partition = 3, .term = 1, .first_offset = 10, .count = 7},
	{.partition = 9, .term = 2, .first_offset = 1ull << 40, .count = 1ull << 33},
};

static struct sl_fence fence_of(uint32_t wanted)
{
	return (struct sl_fence){.kind = SL_BATCH_FENCE,
		.lane = 1,
		.segment = 2,
		.position = 3 * SL_BLOCK_BYTES,
		.epoch = 4,
		.number = 5,
		.durable_mark = 4,
		.time_ns = 1700000000000000000,
		.prev_body_crc = 77,
		.has_body_crc = true,
		.body_crc = wanted,
		.lost = lost,
		.lost_count = SL_ARRAY_COUNT(lost)};
}

static void a_fence_is_a_whole_batch_with_the_sum_that_is_wanted(void)
{
	static const uint32_t wanted[] = {0, 1, 0xffffffff, 0xdeadbeef};
	static const uint64_t blocks[] = {1, 2, 7, 1024};
	const struct sl_batch_place place = {
		.lane = 1, .segment = 2, .position = 3 * SL_BLOCK_BYTES};
	struct sl_batch_header *batch = aligned_alloc(SL_BLOCK_BYTES, SL_BATCH_BYTES_MAX);

	for (size_t i = 0; i < SL_ARRAY_COUNT(wanted); i++) {
		const struct sl_fence fence = fence_of(wanted[i]);
		uint64_t bytes = blocks[i] * SL_BLOCK_BYTES;

		CU_ASSERT_EQUAL(sl_fence_build(batch, bytes, &fence, SALT_CRC), wanted[i]);
		CU_ASSERT_EQUAL(batch->body_crc, wanted[i]);
		CU_ASSERT_EQUAL(sl_batch_block_bytes(batch), bytes);
		CU_ASSERT_EQUAL(sl_batch_check_header(batch, SALT_CRC, &place, bytes), SL_BATCH_OK);
		CU_ASSERT_EQUAL(sl_batch_check_body(batch, SALT_CRC), SL_BATCH_OK);
	}
	free(batch);
}

static void what_is_lost_comes_back_from_a_fence(void)
{
	struct sl_batch_header *batch = aligned_alloc(SL_BLOCK_BYTES, SL_BLOCK_BYTES);
	const struct sl_fence fence = fence_of(42);
	struct sl_run_iterator iterator;
	struct sl_run run;
	uint64_t unknown = 0;

	sl_fence_build(batch, SL_BLOCK_BYTES, &fence, SALT_CRC);
	sl_run_iterator_init(&iterator, batch);
	CU_ASSERT_FATAL(sl_run_next(&iterator, &run, &unknown));
	CU_ASSERT_EQUAL(run.type, SL_RUN_LOST);
	CU_ASSERT_EQUAL_FATAL(run.bytes, sizeof(lost));
	CU_ASSERT_EQUAL(memcmp(run.data, lost, sizeof(lost)), 0);
	CU_ASSERT(!sl_run_next(&iterator, &run, &unknown));
	CU_ASSERT_EQUAL(unknown, 0);
	sl_run_iterator_fini(&iterator);
	free(batch);
}

// What a batch of events held always fits into the fence in its place: an event takes 12 bytes, its
// partition's entry 16, a record 24.
static void the_records_of_a_batch_fit_in_its_place(void)
{
	for (uint64_t blocks = 1; blocks <= SL_BATCH_BYTES_MAX / SL_BLOCK_BYTES; blocks++) {
		uint64_t bytes = blocks * SL_BLOCK_BYTES;
		uint64_t partitions = (bytes - SL_BATCH_RUNS_OFFSET) / (12 + 16);

		CU_ASSERT(sl_fence_record_count_max(bytes) >= partitions);
		CU_ASSERT(sl_fence_bytes_min(0, sl_fence_record_count_max(bytes)) <= bytes);
	}
	CU_ASSERT_EQUAL(sl_fence_bytes_min(0, 0), SL_BLOCK_BYTES);
}

static const struct sl_test tests[] = {
	SL_TEST(a_fence_is_a_whole_batch_with_the_sum_that_is_wanted),
	SL_TEST(what_is_lost_comes_back_from_a_fence),
	SL_TEST(the_records_of_a_batch_fit_in_its_place),
};
SL_SUITE(common_format_fence);
