/* SPDX-License-Identifier: BSD-3-Clause */
// Made lanes and their recovery, for the two files of recovery tests. Thread rule: one test at a
// time.
#pragma once

#include "common/format/store_maker.h"
#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "format/segment_list.h"
#include "format/store_reader.h"
#include "store/recovery.h"
#include "suite.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sl_test_store made;
static struct sl_lane_recovery recovery;
static struct sl_err err;

static inline int recover(void)
{
	sl_lane_recovery_free(&recovery);
	err = (struct sl_err){0};
	return sl_lane_recover(&recovery, made.lanes[0].path, 0, 0, made.salt_crc, &err);
}

static inline struct sl_partition_state state(uint16_t partition, uint64_t next_offset)
{
	return (struct sl_partition_state){
		.partition = partition, .term = 1, .next_offset = next_offset};
}

static inline const struct sl_partition_state *find_state(uint16_t partition)
{
	static const struct sl_partition_state none = {.next_offset = UINT64_MAX};

	for (uint32_t i = 0; i < recovery.state_count; i++)
		if (recovery.states[i].partition == partition)
			return &recovery.states[i];
	return &none;
}

static inline void end_test(void)
{
	sl_lane_recovery_free(&recovery);
	sl_test_store_destroy(&made);
}

static inline size_t segment_count(void)
{
	struct sl_segment_list list;
	size_t count;

	CU_ASSERT_EQUAL_FATAL(sl_segment_list_read(&list, made.lanes[0].path, &err), 0);
	count = list.count;
	sl_segment_list_free(&list);
	return count;
}

static inline uint64_t epoch_on_disk(void)
{
	struct sl_lane_meta meta;

	CU_ASSERT_EQUAL_FATAL(sl_lane_meta_read(&meta, made.lanes[0].path, &err), 0);
	return meta.epoch;
}

// Sum of the batch area's first blocks: what a CORRUPT lane must keep.
static inline uint32_t sum_of(uint64_t segment)
{
	static char bytes[64 * SL_BLOCK_BYTES];

	sl_test_segment_peek(&made, 0, segment, 0, bytes, sizeof(bytes));
	return sl_crc32c(0, bytes, sizeof(bytes));
}

static inline void write_head(uint64_t next0, uint64_t next1)
{
	const struct sl_partition_state states[] = {state(0, next0), state(1, next1)};

	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
}

// Segment 1: checkpoint, events 0..9 of partition 0, 0..4 of partition 1, 10..19 of partition 0.
// The last batch says that the one before the last is durable.
static inline void make_segment(void)
{
	sl_test_store_create(&made, 4);
	write_head(0, 0);
	sl_test_events_write(&made, 0, 0, 1, 0, 10);
	sl_test_events_write(&made, 0, 1, 1, 0, 5);
	made.lanes[0].durable_mark = made.lanes[0].number - 1;
	sl_test_events_write(&made, 0, 0, 1, 10, 10);
}

static inline void expect_corrupt(const char *text)
{
	uint32_t sum = sum_of(1);
	size_t count = segment_count();
	uint64_t epoch = epoch_on_disk();

	CU_ASSERT_EQUAL(recover(), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lane 0 is CORRUPT"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
	CU_ASSERT_PTR_NULL(recovery.segment);
	CU_ASSERT_EQUAL(sum_of(1), sum);
	CU_ASSERT_EQUAL(segment_count(), count);
	CU_ASSERT(epoch_on_disk() >= epoch);
}
