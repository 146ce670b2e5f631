/* SPDX-License-Identifier: BSD-3-Clause */
// A whole store with its keeper at work, the test as its worker, and drives that fail when it says
// so: for the two files of tests of lanes that leave their drive. Thread rule: one test at a time.
#pragma once

#include "format/batch_scan.h"
#include "format/store_reader.h"
#include "format/store_walk.h"
#include "store/keeper_internal.h"
#include "store/lane_internal.h"
#include "store/store_internal.h"

#include "store_fixture.h"
#include "suite.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define PARTITION_COUNT 6
#define EVENT_BYTES 600
// Never over in a test, unless it says so: time is the test's.
#define BACKOFF_US (1000 * 1000 * 1000)

static struct sl_store_fixture fixture;
static uint64_t now_ns;
static uint64_t refused_count;
static bool is_keeper_slow; // it finds no lanes for partitions, though it is asked

// ---- the worker

static inline struct sl_lane *lane_at(uint32_t index)
{
	return &fixture.store.lanes[index].lane;
}

static inline struct sl_lane *lane_of(uint16_t partition)
{
	for (uint32_t i = 0; i < fixture.store.lane_count; i++) {
		if (lane_at(i)->slot == fixture.store.partitions[partition].lane_slot)
			return lane_at(i);
	}
	return NULL;
}

static inline bool append(uint16_t partition)
{
	const uint64_t stamp[2] = {partition, fixture.store.partitions[partition].next_offset};
	char data[EVENT_BYTES] = {0};
	bool is_taken;

	memcpy(data, stamp, sizeof(stamp));
	is_taken = sl_fixture_append_to(lane_of(partition), fixture.store.partitions, partition,
		data, sizeof(data), now_ns);
	refused_count += !is_taken;
	return is_taken;
}

static inline void append_everywhere(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		for (uint16_t p = 0; p < PARTITION_COUNT; p++)
			append(p);
	}
}

static inline void reap(struct sl_lane *lane)
{
	struct sl_io_request *done[64];
	uint32_t count = lane->io->ops->reap(lane->io, done, SL_ARRAY_COUNT(done));

	for (uint32_t i = 0; i < count; i++)
		sl_lane_complete(done[i]->owner, done[i], now_ns);
}

static inline void turn(void)
{
	now_ns += SL_NS_PER_MS;
	for (uint32_t i = 0; i < fixture.store.lane_count; i++) {
		reap(lane_at(i));
		sl_lane_tick(lane_at(i), now_ns);
	}
	if (!is_keeper_slow)
		sl_store_rehome(&fixture.store);
}

static inline void turn_until_leaving(const struct sl_lane *lane, enum sl_leaving leaving)
{
	while (SL_LOAD_ACQUIRE(lane->leaving) != leaving) {
		turn();
		sched_yield();
	}
}

static inline void turn_until_rehomed(const struct sl_lane *lane, uint64_t times)
{
	while (lane->shm->rehomed < times) {
		turn();
		sched_yield();
	}
}

static inline bool all_are_quiet(void)
{
	bool are_quiet = true;

	for (uint32_t i = 0; i < fixture.store.lane_count; i++)
		are_quiet &= sl_lane_is_quiet(lane_at(i)) ||
			(lane_at(i)->owned_count == 0 && lane_at(i)->unretired == 0 &&
				lane_at(i)->leaving == SL_LEAVING_NONE);
	return are_quiet;
}

static inline void turn_until_quiet(void)
{
	while (!all_are_quiet()) {
		turn();
		sched_yield();
	}
}

// ---- the drives

static inline void set_fault(uint32_t index, struct sl_io_fault fault)
{
	struct sl_lane *lane = lane_at(index);

	lane->io = sl_io_fault_create(lane->io, &fault);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lane->io);
}

static inline void fail_drive(uint32_t index)
{
	set_fault(index, (struct sl_io_fault){.eio_number = 1, .eio_count = UINT64_MAX});
}

// What its writes leave is whole, and void: another lane holds it too.
static inline void fail_drive_that_writes(uint32_t index)
{
	set_fault(index,
		(struct sl_io_fault){.eio_number = 1, .eio_count = UINT64_MAX, .eio_lands = true});
}

// ---- the store

static inline void make_store(uint32_t path_count, enum sl_durability durability)
{
	now_ns = SL_FIXTURE_START_NS;
	refused_count = 0;
	sl_store_fixture_init(&fixture);
	sl_store_fixture_stream(&fixture, "plays", PARTITION_COUNT, 0);
	fixture.config.classes[0].durability = durability;
	fixture.config.store.backoff_us_min = BACKOFF_US;
	fixture.config.store.backoff_us_max = BACKOFF_US;
	while (fixture.config.store.path_count < path_count)
		sl_store_fixture_path(&fixture);
	sl_store_fixture_run(&fixture);
	// Not in the thread's own time: in the test's.
	fixture.store.keeper->config.on_turn = NULL;
	is_keeper_slow = false;
	CU_ASSERT_EQUAL_FATAL(fixture.store.lane_count, path_count);
	append_everywhere(3);
	turn_until_quiet();
}

static inline uint64_t dropped_count(void)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++)
		count += fixture.counters[0].drops[i];
	return count;
}

// What was appended and is not given up is stored; nothing else is.
static inline void expect_identity(void)
{
	const struct sl_worker_counters *counters = &fixture.counters[0];

	CU_ASSERT_EQUAL(counters->in_flight_events, 0);
	CU_ASSERT_EQUAL(counters->appended + refused_count, counters->stored + dropped_count());
}

struct visit {
	uint16_t partition;
	uint64_t next_offset;
};

static inline int see_event(void *context, const struct sl_store_event *event)
{
	struct visit *visit = context;
	uint64_t stamp[2];

	CU_ASSERT_EQUAL_FATAL(event->value_bytes, EVENT_BYTES);
	memcpy(stamp, event->value, sizeof(stamp));
	CU_ASSERT_EQUAL(stamp[0], visit->partition);
	CU_ASSERT_EQUAL(stamp[1], event->offset);
	CU_ASSERT_EQUAL(event->offset, visit->next_offset);
	visit->next_offset = event->offset + 1;
	return 0;
}

// A reader of the closed store finds each partition's events, each at the offset that it got.
static inline void expect_events(const uint64_t *counts)
{
	struct sl_store_reader *reader;
	struct sl_err err = {0};

	if (sl_store_reader_open(&reader, fixture.path, &err) != 0)
		CU_FAIL_FATAL(err.text);
	for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
		struct visit visit = {.partition = p};
		const struct sl_store_visitor visitor = {.context = &visit, .on_event = see_event};
		struct sl_store_report report = {0};

		if (sl_store_read_partition(reader, p, 0, &visitor, &report, &err) != 0)
			CU_FAIL(err.text);
		CU_ASSERT_EQUAL(visit.next_offset, counts[p]);
	}
	sl_store_reader_close(reader);
	sl_store_fixture_expect_dense(&fixture, counts, PARTITION_COUNT);
}

static inline void note_counts(uint64_t *counts)
{
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		counts[p] = fixture.shm.partitions[p].watermark;
}

// A kill, the next start, and what a reader finds before and behind it.
static inline void expect_the_same_after_a_kill(void)
{
	uint64_t counts[PARTITION_COUNT];

	// What has been written is there, whether the lane knows or not.
	for (uint32_t i = 0; i < fixture.store.lane_count; i++)
		reap(lane_at(i));
	note_counts(counts);
	sl_store_fixture_kill(&fixture);
	expect_events(counts);
	sl_store_fixture_run(&fixture);
	for (uint32_t p = 0; p < PARTITION_COUNT; p++)
		CU_ASSERT_EQUAL(fixture.store.partitions[p].next_offset, counts[p]);
	append_everywhere(2);
	turn_until_quiet();
	note_counts(counts);
	sl_store_fixture_stop(&fixture);
	expect_events(counts);
	sl_store_fixture_fini(&fixture);
}

static inline void expect_all_in(uint32_t index)
{
	for (uint16_t p = 0; p < PARTITION_COUNT; p++) {
		CU_ASSERT_PTR_EQUAL(lane_of(p), lane_at(index));
		CU_ASSERT_EQUAL(fixture.store.meta.partitions[p].lane, index);
		CU_ASSERT_EQUAL(
			fixture.store.meta.partitions[p].term, fixture.store.partitions[p].term);
	}
	CU_ASSERT_EQUAL(lane_at(index)->owned_count, PARTITION_COUNT);
	CU_ASSERT_EQUAL(lane_at(index)->shm->partition_count, PARTITION_COUNT);
}

// The lane has failed with several batches under way and one open, and knows where to go.
static inline void fail_and_grant(void)
{
	struct sl_lane *lane = lane_at(0);

	for (uint32_t i = 0; i < 3; i++) {
		append_everywhere(1);
		sl_lane_seal(lane, now_ns);
	}
	is_keeper_slow = true;
	turn_until_leaving(lane, SL_LEAVING_WANTED);
	append_everywhere(1);
	is_keeper_slow = false;
	turn();
	CU_ASSERT_EQUAL_FATAL(lane->leaving, SL_LEAVING_GRANTED);
}
