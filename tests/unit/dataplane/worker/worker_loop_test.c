/* SPDX-License-Identifier: BSD-3-Clause */
#include "../datagrams.h"
#include "../store/lane_fixture.h"
#include "format/batch_scan.h"
#include "lcore.h"
#include "suite.h"

#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define RING_COUNT 2
#define RING_ENTRIES 256

static struct sl_fixture fixture;
static struct sl_worker worker;
static struct sl_clock clock_of_test;
static struct sl_shm_ring shm_rings[RING_COUNT];
static uint32_t stage;

static void open_worker(const struct sl_fixture_options *options)
{
	sl_fixture_open(&fixture, options);
	memset(&worker, 0, sizeof(worker));
	memset(shm_rings, 0, sizeof(shm_rings));
	CU_ASSERT_EQUAL_FATAL(sl_clock_init(&clock_of_test), 0);
	worker.clock = &clock_of_test;
	worker.counters = &fixture.counters;
	worker.stage = &stage;
	worker.io = fixture.io;
	worker.lanes[worker.lane_count++] = &fixture.lane;
	worker.append = (struct sl_append){.partitions = fixture.partitions,
		.lanes = {&fixture.lane},
		.lane_count = 1,
		.counters = &fixture.counters};
	for (uint32_t i = 0; i < RING_COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "worker-%u", i);
		worker.rings[i].shm = &shm_rings[i];
		worker.rings[i].ring =
			rte_ring_create_elem(name, sizeof(struct sl_event), RING_ENTRIES,
				SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
		CU_ASSERT_PTR_NOT_NULL_FATAL(worker.rings[i].ring);
	}
	worker.ring_count = RING_COUNT;
}

static void close_worker(void)
{
	for (uint32_t i = 0; i < RING_COUNT; i++)
		rte_ring_free(worker.rings[i].ring);
	CU_ASSERT_EQUAL(datagrams_held(), 0);
	sl_fixture_close(&fixture);
}

static void send(uint32_t ring, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct sl_event event = datagram_event(
			&(struct datagram_spec){.payload = &i, .payload_bytes = sizeof(i)},
			(uint16_t)(i % 4), sl_clock_now_ns(&clock_of_test));

		CU_ASSERT_EQUAL_FATAL(
			rte_ring_sp_enqueue_elem(worker.rings[ring].ring, &event, sizeof(event)),
			0);
	}
}

static void send_marker(uint32_t ring, uint64_t id)
{
	struct sl_event event = {.mbuf = (void *)(uintptr_t)id, .flags = SL_EVENT_MARKER};

	CU_ASSERT_EQUAL_FATAL(
		rte_ring_sp_enqueue_elem(worker.rings[ring].ring, &event, sizeof(event)), 0);
}

// Every event is in one place at any time.
static void expect_accounted(uint64_t sent)
{
	uint64_t dropped = 0;

	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++)
		dropped += fixture.counters.drops[i];
	CU_ASSERT_EQUAL(fixture.counters.dequeued, sent);
	CU_ASSERT_EQUAL(fixture.counters.dequeued,
		fixture.counters.stored + fixture.counters.open_events +
			fixture.counters.in_flight_events + dropped);
}

static void turns_bring_events_from_the_rings_to_the_disk(void)
{
	open_worker(&(struct sl_fixture_options){.linger_us = 1});
	uint64_t first_ns = sl_clock_now_ns(&clock_of_test);
	send(0, 200);
	send(1, 100);
	CU_ASSERT_FALSE(sl_worker_is_drained(&worker));
	while (fixture.counters.stored < 300) {
		if (sl_worker_turn(&worker) == 0)
			sched_yield();
		expect_accounted(shm_rings[0].dequeued + shm_rings[1].dequeued);
	}
	CU_ASSERT(sl_worker_is_drained(&worker));
	CU_ASSERT_EQUAL(shm_rings[0].dequeued, 200);
	CU_ASSERT_EQUAL(shm_rings[1].dequeued, 100);
	CU_ASSERT_EQUAL(shm_rings[0].occupancy_max, 200);
	CU_ASSERT_EQUAL(shm_rings[1].occupancy_max, 100);
	CU_ASSERT_EQUAL(fixture.counters.appended, 300);
	CU_ASSERT(fixture.counters.turns >= 4); // 64 at a time
	CU_ASSERT_EQUAL(sl_latency_event_count(&fixture.shm.latency), 300);
	CU_ASSERT(fixture.shm.latency.max_ns > 0);
	CU_ASSERT(fixture.shm.latency.max_ns <= sl_clock_now_ns(&clock_of_test) - first_ns);
	close_worker();
}

static void a_lane_is_hurried_while_a_ring_holds_more_than_a_turn_takes(void)
{
	open_worker(&(struct sl_fixture_options){.linger_us = 1});
	send(1, 100);
	sl_worker_turn(&worker);
	CU_ASSERT(fixture.lane.is_hurried);
	sl_worker_turn(&worker);
	CU_ASSERT_FALSE(fixture.lane.is_hurried);
	while (!sl_worker_is_drained(&worker))
		sl_worker_turn(&worker);
	expect_accounted(100);
	close_worker();
}

static void markers_state_what_came_before_them(void)
{
	open_worker(&(struct sl_fixture_options){.linger_us = 1000000});
	send_marker(1, 6);
	send(0, 10);
	send_marker(0, 7);
	send(0, 5);
	send_marker(0, 8);
	sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(shm_rings[0].marker_received, 8);
	CU_ASSERT_EQUAL(shm_rings[0].dequeued_at_marker, 15);
	CU_ASSERT_EQUAL(shm_rings[0].dequeued, 15);
	CU_ASSERT_EQUAL(shm_rings[1].marker_received, 6);
	CU_ASSERT_EQUAL(shm_rings[1].dequeued_at_marker, 0);
	CU_ASSERT_EQUAL(fixture.counters.dequeued, 15);
	CU_ASSERT_EQUAL(fixture.counters.open_events, 15);
	send_marker(0, 9);
	send(0, 3);
	sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(shm_rings[0].marker_received, 9);
	CU_ASSERT_EQUAL(shm_rings[0].dequeued_at_marker, 15);
	CU_ASSERT_EQUAL(shm_rings[0].dequeued, 18);
	close_worker();
}

static void a_flush_seals_what_lingers_so_that_the_drain_ends(void)
{
	open_worker(&(struct sl_fixture_options){.linger_us = 1000000});
	send(0, 7);
	sl_worker_turn(&worker);
	CU_ASSERT_FALSE(sl_worker_is_drained(&worker));
	while (!sl_worker_is_drained(&worker)) {
		sl_worker_flush(&worker);
		sl_worker_turn(&worker);
	}
	CU_ASSERT_EQUAL(fixture.counters.stored, 7);
	expect_accounted(7);
	close_worker();
}

static void rings_are_emptied_also_when_the_lane_takes_nothing(void)
{
	open_worker(&(struct sl_fixture_options){0});
	sl_lane_fail(&fixture.lane, SL_DROP_LANE_FAILED, -5);
	send(0, 250);
	while (!sl_worker_is_drained(&worker))
		sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FAILED], 250);
	expect_accounted(250);
	close_worker();
}

static int refused_submit(struct sl_io *io SL_UNUSED)
{
	return -EBUSY;
}

static void a_submit_that_is_refused_is_counted_and_published_until_one_is_taken(void)
{
	const struct sl_io_ops *ops;
	struct sl_io_ops refusing;

	open_worker(&(struct sl_fixture_options){.linger_us = 1});
	ops = worker.io->ops;
	refusing = *ops;
	refusing.submit = refused_submit;
	worker.io->ops = &refusing;
	send(0, 10);
	for (int i = 0; i < 3; i++)
		sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(worker.submit_error, -EBUSY);
	CU_ASSERT_EQUAL(fixture.counters.submit_errors, 3);
	worker.io->ops = ops;
	while (fixture.counters.stored < 10) {
		if (sl_worker_turn(&worker) == 0)
			sched_yield();
	}
	CU_ASSERT_EQUAL(worker.submit_error, 0);
	CU_ASSERT_EQUAL(fixture.counters.submit_errors, 3);
	close_worker();
}

static const struct sl_gap_streams streams = {
	.count = 1, .streams = {{.partition_count = 4, .stream = 0, .class_index = 0}}};
static struct sl_gap_table tables[2];

static void open_gaps(void)
{
	memset(tables, 0, sizeof(tables));
	for (uint32_t i = 0; i < 2; i++) {
		tables[i].streams = &streams;
		worker.gap_tables[worker.gap_table_count++] = &tables[i];
	}
	worker.append.gaps = &tables[0];
	fixture.lane.gaps = &tables[0];
}

// Losses of one reason that stand in the lane's log.
static uint64_t gaps_in_log(const char *reason)
{
	struct sl_fixture_walk walk;
	const struct sl_batch_header *header;
	uint64_t sum = 0;

	sl_fixture_walk_init(&walk, &fixture);
	while ((header = sl_fixture_walk_next(&walk)) != NULL) {
		struct sl_run_iterator runs;
		struct sl_run run;

		sl_run_iterator_init(&runs, header);
		runs.wants_gaps = true;
		while (sl_run_next(&runs, &run, NULL)) {
			struct sl_run_gap gap;

			if (run.type != SL_RUN_GAP)
				continue;
			memcpy(&gap, run.data, sizeof(gap));
			sum += strcmp(gap.reason, reason) == 0 ? gap.count : 0;
		}
		sl_run_iterator_fini(&runs);
	}
	sl_fixture_walk_fini(&walk);
	return sum;
}

static void drain(void)
{
	do {
		sl_worker_flush(&worker);
		sl_worker_turn(&worker);
	} while (!sl_worker_is_drained(&worker));
}

static void gaps_of_all_tables_reach_the_log_and_take_no_offset(void)
{
	const struct sl_gap_key missed = {
		.reason = "port_missed", .stream = SL_GAP_STREAM_NONE, .unit = SL_GAP_FRAMES};

	open_worker(&(struct sl_fixture_options){0});
	open_gaps();
	sl_gap_note_partition(&tables[1], 3, "ring_full", 11, 5);
	sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(fixture.counters.gap_runs, 1);
	sl_gap_note(&tables[0], &missed, 500, 6);
	send(0, 20);
	sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(fixture.counters.gap_runs, 1); // a second has not passed
	drain();
	CU_ASSERT_EQUAL(fixture.counters.gap_runs, 2);
	CU_ASSERT_EQUAL(gaps_in_log("ring_full"), 11);
	CU_ASSERT_EQUAL(gaps_in_log("port_missed"), 500);
	CU_ASSERT_EQUAL(fixture.counters.stored, 20);
	CU_ASSERT_EQUAL(fixture.partitions[0].next_offset, 5);
	expect_accounted(20);
	close_worker();
}

// Without a turn: nothing is reaped meanwhile.
static void append_ring(uint32_t ring)
{
	struct sl_event events[SL_BURST_COUNT_MAX];
	uint32_t count;

	while ((count = rte_ring_sc_dequeue_burst_elem(worker.rings[ring].ring, events,
			sizeof(events[0]), SL_BURST_COUNT_MAX, NULL)) > 0)
		sl_append_burst(&worker.append, events, count);
}

// One batch may be under way, and each write is waited for: the lane is full again and again.
static void what_a_full_lane_refuses_is_in_the_log_when_it_is_drained(void)
{
	open_worker(&(struct sl_fixture_options){
		.in_flight_max = 1, .batch_bytes = SL_BATCH_BYTES_MIN, .linger_us = 1});
	open_gaps();
	for (uint32_t i = 0; i < 100; i++) {
		send(0, 250);
		append_ring(0);
	}
	CU_ASSERT(fixture.counters.drops[SL_DROP_LANE_FULL] > 0);
	drain();
	CU_ASSERT_EQUAL(gaps_in_log("lane_full"), fixture.counters.drops[SL_DROP_LANE_FULL]);
	CU_ASSERT_EQUAL(fixture.counters.stored + fixture.counters.drops[SL_DROP_LANE_FULL], 25000);
	close_worker();
}

static void a_failed_lane_keeps_no_drain_waiting_for_its_gaps(void)
{
	open_worker(&(struct sl_fixture_options){0});
	open_gaps();
	send(0, 20);
	sl_worker_turn(&worker);
	sl_lane_fail(&fixture.lane, SL_DROP_LANE_FAILED, -5);
	drain();
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FAILED], 20);
	struct sl_run_gap gap = {0};
	for (uint32_t i = 0; i < SL_GAP_SLOT_COUNT && gap.count == 0; i++)
		sl_gap_peek(&tables[0], i, &gap);
	CU_ASSERT(gap.count > 0);
	CU_ASSERT_STRING_EQUAL(gap.reason, "lane_failed");
	close_worker();
}

static void giving_up_counts_all_that_is_not_stored(void)
{
	open_worker(
		&(struct sl_fixture_options){.fault = {.hang_number = 1}, .linger_us = 1000000});
	send(0, 20);
	sl_worker_turn(&worker);
	sl_worker_flush(&worker);
	CU_ASSERT_EQUAL(fixture.counters.in_flight_events, 20);
	send(0, 10);
	sl_worker_turn(&worker);
	CU_ASSERT_EQUAL(fixture.counters.open_events, 10);
	send(1, 5);
	CU_ASSERT_FALSE(sl_worker_is_drained(&worker));
	sl_worker_abandon(&worker);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_ABANDONED], 30);
	CU_ASSERT_FALSE(sl_worker_rings_are_empty(&worker));
	sl_worker_turn(&worker);
	CU_ASSERT(sl_worker_rings_are_empty(&worker));
	CU_ASSERT_FALSE(sl_worker_is_drained(&worker)); // the hanging write has its buffer
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_ABANDONED], 35);
	expect_accounted(35);
	close_worker();
}

static const struct sl_test tests[] = {
	SL_TEST(turns_bring_events_from_the_rings_to_the_disk),
	SL_TEST(a_lane_is_hurried_while_a_ring_holds_more_than_a_turn_takes),
	SL_TEST(markers_state_what_came_before_them),
	SL_TEST(a_flush_seals_what_lingers_so_that_the_drain_ends),
	SL_TEST(rings_are_emptied_also_when_the_lane_takes_nothing),
	SL_TEST(a_submit_that_is_refused_is_counted_and_published_until_one_is_taken),
	SL_TEST(gaps_of_all_tables_reach_the_log_and_take_no_offset),
	SL_TEST(what_a_full_lane_refuses_is_in_the_log_when_it_is_drained),
	SL_TEST(a_failed_lane_keeps_no_drain_waiting_for_its_gaps),
	SL_TEST(giving_up_counts_all_that_is_not_stored),
};
SL_SUITE(dataplane_worker_loop);
