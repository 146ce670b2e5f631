/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/checkpoint.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define PARTITION_COUNT 1000u

static struct sl_partition partitions[PARTITION_COUNT];
static uint16_t owned[PARTITION_COUNT];

static void make_partitions(void)
{
	for (uint16_t i = 0; i < PARTITION_COUNT; i++) {
		partitions[i] = (struct sl_partition){
			.next_offset = i * 1000ull, .term = i + 1u, .term_start = i};
		owned[i] = (uint16_t)(PARTITION_COUNT - 1 - i); // any order is the lane's own
	}
}

// Walks the one run of a checkpoint batch; returns its states.
static uint32_t read_states(const char *batch, uint32_t end, uint32_t run_count,
	const struct sl_partition_state **states)
{
	const struct sl_run_header *run = (const void *)(batch + SL_BATCH_RUNS_OFFSET);
	uint32_t bytes;

	CU_ASSERT_EQUAL_FATAL(run_count, 1);
	bytes = SL_RUN_LENGTH(run->length_type);
	CU_ASSERT_EQUAL(SL_RUN_TYPE(run->length_type), SL_RUN_PARTITION_STATE);
	CU_ASSERT_EQUAL(bytes % sizeof(struct sl_partition_state), 0);
	CU_ASSERT_EQUAL(SL_BATCH_RUNS_OFFSET + sizeof(*run) + bytes, end);
	*states = (const void *)(run + 1);
	return bytes / (uint32_t)sizeof(struct sl_partition_state);
}

static void every_owned_partition_is_in_the_checkpoint_once(void)
{
	static const uint32_t batch_sizes[] = {SL_BLOCK_BYTES, 2 * SL_BLOCK_BYTES, 64 * 1024};

	make_partitions();
	for (size_t i = 0; i < SL_ARRAY_COUNT(batch_sizes); i++) {
		uint32_t batch_bytes = batch_sizes[i];
		uint32_t count = sl_checkpoint_batch_count(PARTITION_COUNT, batch_bytes);
		// Exactly as long as promised: the sanitizer sees one byte more.
		char *batch = malloc(batch_bytes);
		uint32_t seen = 0;

		for (uint32_t index = 0; index < count; index++) {
			const struct sl_partition_state *states;
			uint32_t run_count;
			uint32_t end = sl_checkpoint_fill(batch, batch_bytes, index, partitions,
				owned, PARTITION_COUNT, &run_count);
			uint32_t state_count = read_states(batch, end, run_count, &states);

			CU_ASSERT(end <= batch_bytes);
			for (uint32_t j = 0; j < state_count; j++, seen++) {
				uint16_t partition = owned[seen];

				CU_ASSERT_EQUAL(states[j].partition, partition);
				CU_ASSERT_EQUAL(states[j].next_offset, partition * 1000ull);
				CU_ASSERT_EQUAL(states[j].term, partition + 1u);
				CU_ASSERT_EQUAL(states[j].term_start, partition);
			}
		}
		CU_ASSERT_EQUAL(seen, PARTITION_COUNT);
		free(batch);
	}
}

static void a_checkpoint_of_no_partitions_is_one_empty_batch(void)
{
	char batch[SL_BLOCK_BYTES];
	uint32_t run_count = 7;

	CU_ASSERT_EQUAL(sl_checkpoint_batch_count(0, SL_BLOCK_BYTES), 1);
	CU_ASSERT_EQUAL(
		sl_checkpoint_fill(batch, SL_BLOCK_BYTES, 0, partitions, owned, 0, &run_count),
		SL_BATCH_RUNS_OFFSET);
	CU_ASSERT_EQUAL(run_count, 0);
}

static void a_batch_that_is_just_full_needs_no_second_one(void)
{
	const uint32_t states =
		(SL_BLOCK_BYTES - SL_BATCH_RUNS_OFFSET - sizeof(struct sl_run_header)) /
		sizeof(struct sl_partition_state);

	CU_ASSERT_EQUAL(sl_checkpoint_batch_count(states, SL_BLOCK_BYTES), 1);
	CU_ASSERT_EQUAL(sl_checkpoint_batch_count(states + 1, SL_BLOCK_BYTES), 2);
	CU_ASSERT_EQUAL(sl_checkpoint_batch_count(2 * states, SL_BLOCK_BYTES), 2);
	CU_ASSERT_EQUAL(sl_checkpoint_batch_count(2 * states + 1, SL_BLOCK_BYTES), 3);
}

static const struct sl_test tests[] = {
	SL_TEST(every_owned_partition_is_in_the_checkpoint_once),
	SL_TEST(a_checkpoint_of_no_partitions_is_one_empty_batch),
	SL_TEST(a_batch_that_is_just_full_needs_no_second_one),
};
SL_SUITE(dataplane_store_checkpoint);
