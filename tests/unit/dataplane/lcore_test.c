/* SPDX-License-Identifier: BSD-3-Clause */
// Polling lcores as they run: frames from a device of DPDK that loops back what is sent to it, one
// lcore that receives, one that works, or one that does both.
#include "lcore.h"

#include "rx/frames.h"
#include "store/io_fault.h"
#include "store/io_sync.h"
#include "store/lane_fixture.h"
#include "suite.h"

#include <pthread.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SNAPSHOT_COUNT 20

static struct sl_fixture fixture;
static struct sl_clock clock_of_test;
static struct sl_steer_table steer;
static struct sl_shm_ring shm_ring;
static struct sl_rx rx;
static struct sl_worker worker;
static struct sl_stop_words stop;
static struct sl_shm_lcore shm_lcores[2];
static uint64_t snapshot_request;
static struct sl_lcore lcores[2];
static uint16_t port_id;
static uint64_t sent_count;

static struct rte_mempool *pool_of_port(void)
{
	static struct rte_mempool *pool;

	if (pool == NULL)
		pool = rte_pktmbuf_pool_create(
			"lcore_test", 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
	return pool;
}

static void open_port(void)
{
	static unsigned opened_count; // the driver keeps the rings of a device that is closed
	const struct rte_eth_conf conf = {0};
	char device[32];

	snprintf(device, sizeof(device), "net_ring_lcore%u", opened_count++);
	CU_ASSERT_EQUAL_FATAL(rte_dev_probe(device), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_get_port_by_name(device, &port_id), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_configure(port_id, 1, 1, &conf), 0);
	CU_ASSERT_EQUAL_FATAL(
		rte_eth_rx_queue_setup(port_id, 0, 64, SOCKET_ID_ANY, NULL, pool_of_port()), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_tx_queue_setup(port_id, 0, 64, SOCKET_ID_ANY, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_start(port_id), 0);
}

// Each lcore measures its stages.
static void measure_stages(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		lcores[i].cycles = &shm_lcores[i].cycles;
		if (lcores[i].rx != NULL)
			lcores[i].rx->cycles = lcores[i].cycles;
		if (lcores[i].worker != NULL) {
			lcores[i].worker->cycles = lcores[i].cycles;
			fixture.lane.cycles = lcores[i].cycles;
		}
	}
}

// Both roles, connected by one ring unless is_direct.
static void open_lcores(bool is_direct)
{
	sl_fixture_open(&fixture, &(struct sl_fixture_options){.segment_bytes = 64 * SL_MIB});
	memset(&rx, 0, sizeof(rx));
	memset(&worker, 0, sizeof(worker));
	memset(&stop, 0, sizeof(stop));
	memset(&steer, 0, sizeof(steer));
	memset(&shm_ring, 0, sizeof(shm_ring));
	memset(shm_lcores, 0, sizeof(shm_lcores));
	memset(lcores, 0, sizeof(lcores));
	snapshot_request = 0;
	sent_count = 0;
	CU_ASSERT_EQUAL_FATAL(sl_clock_init(&clock_of_test), 0);
	open_port();
	for (uint32_t i = 0; i < 2; i++)
		steer.streams[i] = (struct sl_steer_stream){
			.partition_count = 2, .first_partition = (uint16_t)(2 * i), .by_flow = 1};
	steer.hash = sl_siphash_batch_choose(SL_SIPHASH_AVX512);
	steer.ring_count = is_direct ? 0 : 1;
	worker.clock = &clock_of_test;
	worker.counters = &shm_lcores[is_direct ? 0 : 1].worker;
	worker.stage = &shm_lcores[is_direct ? 0 : 1].stage;
	worker.io = fixture.io;
	worker.lanes[worker.lane_count++] = &fixture.lane;
	fixture.lane.counters = worker.counters;
	worker.append = (struct sl_append){.partitions = fixture.partitions,
		.lanes = {&fixture.lane},
		.lane_count = 1,
		.counters = worker.counters};
	rx.parse = frame_table();
	rx.clock = &clock_of_test;
	rx.queues[rx.queue_count++] = (struct sl_rx_queue){.port_id = port_id, .port_index = 3};
	rx.counters = &shm_lcores[0].rx;
	rx.stage = &shm_lcores[0].stage;
	rx.dispatch.steer = &steer;
	rx.dispatch.shm_rings = &shm_ring;
	rx.dispatch.counters = rx.counters;
	rx.dispatch.own_worker = is_direct ? 0 : SL_WORKER_NONE;
	rx.dispatch.append = is_direct ? &worker.append : NULL;
	if (!is_direct) {
		rx.dispatch.rings[0] = rte_ring_create_elem("lcore-test", sizeof(struct sl_event),
			128, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rx.dispatch.rings[0]);
		worker.rings[worker.ring_count++] =
			(struct sl_worker_ring){.ring = rx.dispatch.rings[0], .shm = &shm_ring};
	}
	lcores[0].rx = &rx;
	if (is_direct)
		worker.rx = &rx;
	lcores[is_direct ? 0 : 1].worker = &worker;
	stop.rx_running = 1;
	stop.working = is_direct ? 1 : 2;
	for (uint32_t i = 0; i < 2; i++) {
		lcores[i].stop = &stop;
		lcores[i].shm = &shm_lcores[i];
		lcores[i].snapshot_request = &snapshot_request;
	}
}

static void close_lcores(void)
{
	CU_ASSERT_EQUAL(rte_eth_dev_stop(port_id), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_close(port_id), 0);
	rte_ring_free(rx.dispatch.rings[0]);
	sl_fixture_close(&fixture);
}

// Sends whole frames of the fixtures, one after the other, as long as the device takes them.
static void send_frames(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = frame_mbuf_whole(&frames[sent_count % frame_count]);

		while (rte_eth_tx_burst(port_id, 0, &mbuf, 1) == 0)
			sched_yield();
		sent_count++;
	}
}

static uint64_t sum(const uint64_t *drops, enum sl_drop_stage first, enum sl_drop_stage last)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++) {
		if (sl_drop_infos[i].stage >= first && sl_drop_infos[i].stage <= last)
			total += drops[i];
	}
	return total;
}

// The identities of one lcore's counters, of a copy too.
static void expect_identities(
	const struct sl_rx_counters *received, const struct sl_worker_counters *worked)
{
	CU_ASSERT_EQUAL(received->frames,
		received->datagrams +
			sum(received->drops, SL_DROP_STAGE_PARSE, SL_DROP_STAGE_PARSE));
	CU_ASSERT_EQUAL(received->port_frames[3], received->frames);
	CU_ASSERT_EQUAL(received->events, received->datagrams);
	CU_ASSERT_EQUAL(received->events,
		received->enqueued + received->direct + received->drops[SL_DROP_RING_FULL]);
	CU_ASSERT_EQUAL(worked->dequeued + worked->direct,
		worked->stored + worked->open_events + worked->in_flight_events +
			sum(worked->drops, SL_DROP_STAGE_APPEND, SL_DROP_STAGE_APPEND));
}

static void a_turn_takes_a_few_full_bursts(void)
{
	uint32_t taken_count;

	open_lcores(true);
	send_frames(SL_BURST_COUNT_MAX * 2 + 10);
	taken_count = sl_rx_turn(&rx);
	CU_ASSERT_EQUAL(taken_count, SL_BURST_COUNT_MAX * 2 + 10);
	CU_ASSERT_EQUAL(rx.counters->bursts, 3);
	CU_ASSERT_EQUAL(rx.counters->turns, 1);
	CU_ASSERT_FALSE(rx.has_more);
	CU_ASSERT_EQUAL(sl_rx_turn(&rx), 0);
	sl_worker_flush(&worker);
	close_lcores();
}

static void a_turn_that_leaves_frames_says_so(void)
{
	open_lcores(true);
	send_frames(SL_BURST_COUNT_MAX * 4 + 10);
	CU_ASSERT_EQUAL(sl_rx_turn(&rx), SL_BURST_COUNT_MAX * 4);
	CU_ASSERT(rx.has_more);
	CU_ASSERT_EQUAL(sl_rx_turn(&rx), 10);
	CU_ASSERT_FALSE(rx.has_more);
	// The worker on the same lcore hears of it.
	CU_ASSERT_FALSE(fixture.lane.is_hurried);
	rx.has_more = true;
	sl_worker_turn(&worker);
	CU_ASSERT(fixture.lane.is_hurried);
	rx.has_more = false;
	sl_worker_turn(&worker);
	CU_ASSERT_FALSE(fixture.lane.is_hurried);
	sl_worker_flush(&worker);
	close_lcores();
}

static bool snapshot_is_whole(uint32_t lcore_count, uint64_t id)
{
	for (uint32_t i = 0; i < lcore_count; i++) {
		if (SL_LOAD_ACQUIRE(shm_lcores[i].rx_snapshot_id) != id ||
			SL_LOAD_ACQUIRE(shm_lcores[i].worker_snapshot_id) != id)
			return false;
	}
	return steer.ring_count == 0 || SL_LOAD_ACQUIRE(shm_ring.marker_received) == id;
}

static void *run(void *lcore)
{
	sl_lcore_run(lcore);
	return NULL;
}

// Frames and snapshots at the same time, then the stop.
static void run_under_load(uint32_t lcore_count)
{
	pthread_t threads[2];

	for (uint32_t i = 0; i < lcore_count; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, run, &lcores[i]), 0);
	for (uint64_t id = 1; id <= SNAPSHOT_COUNT; id++) {
		const struct sl_shm_lcore *last = &shm_lcores[lcore_count - 1];

		send_frames(50);
		SL_STORE_RELEASE(snapshot_request, id);
		do
			send_frames(1);
		while (!snapshot_is_whole(lcore_count, id));
		expect_identities(&shm_lcores[0].rx_snapshot, &last->worker_snapshot);
		if (lcore_count == 2) {
			CU_ASSERT_EQUAL(shm_ring.enqueued_at_marker, shm_ring.dequeued_at_marker);
			CU_ASSERT_EQUAL(
				shm_ring.enqueued_at_copy, shm_lcores[0].rx_snapshot.enqueued);
			CU_ASSERT_EQUAL(shm_ring.dequeued_at_copy, last->worker_snapshot.dequeued);
		}
	}
	while (SL_LOAD(shm_lcores[0].rx.frames) < sent_count)
		sched_yield();
	SL_STORE_RELEASE(stop.phase, SL_PHASE_STOP_RX);
	for (uint32_t i = 0; i < lcore_count; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(stop.rx_running, 0);
	CU_ASSERT_EQUAL(stop.working, 0);
	CU_ASSERT_EQUAL(shm_lcores[0].stage, SL_STAGE_IDLE);
}

static void expect_all_stored(uint32_t lcore_count)
{
	const struct sl_rx_counters *received = &shm_lcores[0].rx;
	const struct sl_worker_counters *worked = &shm_lcores[lcore_count - 1].worker;

	expect_identities(received, worked);
	CU_ASSERT_EQUAL(received->frames, sent_count);
	CU_ASSERT(worked->stored > 0);
	CU_ASSERT_EQUAL(worked->drops[SL_DROP_LANE_FAILED], 0);
	CU_ASSERT_EQUAL(worked->drops[SL_DROP_ABANDONED], 0);
	CU_ASSERT_EQUAL(worked->open_events, 0);
	CU_ASSERT_EQUAL(worked->in_flight_events, 0);
	CU_ASSERT_EQUAL(worked->dequeued + worked->direct, received->enqueued + received->direct);
}

static void two_lcores_store_what_they_receive_and_every_snapshot_adds_up(void)
{
	open_lcores(false);
	run_under_load(2);
	expect_all_stored(2);
	CU_ASSERT_EQUAL(shm_lcores[0].rx.direct, 0);
	CU_ASSERT_EQUAL(shm_ring.dequeued, shm_ring.enqueued);
	close_lcores();
}

// A drain that takes long: who has nothing left to do takes snapshots with the one that has.
static void an_lcore_that_is_through_takes_snapshots_until_all_are(void)
{
	const struct sl_io_fault hang = {.hang_number = 1};
	pthread_t threads[2];

	open_lcores(false);
	worker.io = sl_io_fault_create(worker.io, &hang);
	CU_ASSERT_PTR_NOT_NULL_FATAL(worker.io);
	fixture.io = fixture.lane.io = worker.io;
	for (uint32_t i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, run, &lcores[i]), 0);
	send_frames(100);
	while (SL_LOAD(shm_lcores[0].rx.frames) < sent_count)
		sched_yield();
	SL_STORE_RELEASE(stop.phase, SL_PHASE_STOP_RX);
	while (SL_LOAD_ACQUIRE(stop.working) > 1)
		sched_yield();
	for (uint64_t id = 1; id <= SNAPSHOT_COUNT; id++) {
		SL_STORE_RELEASE(snapshot_request, id);
		while (!snapshot_is_whole(2, id))
			sched_yield();
		expect_identities(&shm_lcores[0].rx_snapshot, &shm_lcores[1].worker_snapshot);
	}
	CU_ASSERT(shm_lcores[1].worker_snapshot.in_flight_events > 0);
	SL_STORE_RELEASE(stop.phase, SL_PHASE_ABANDON);
	for (uint32_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(shm_lcores[1].worker.drops[SL_DROP_ABANDONED] > 0, true);
	close_lcores();
}

static void one_lcore_that_does_both_needs_no_ring(void)
{
	open_lcores(true);
	run_under_load(1);
	expect_all_stored(1);
	CU_ASSERT_EQUAL(shm_lcores[0].rx.enqueued, 0);
	CU_ASSERT_EQUAL(shm_lcores[0].rx.direct, shm_lcores[0].rx.events);
	CU_ASSERT_EQUAL(shm_lcores[0].cycles.elapsed, 0); // nobody asked for them
	close_lcores();
}

static uint64_t counted(uint32_t lcore, enum sl_timed_stage stage)
{
	return shm_lcores[lcore].cycles.stages[stage].count;
}

// Every stage that ran took time, and all of them together no more than has passed.
static void expect_stages_fit(const struct sl_lcore_cycles *cycles)
{
	uint64_t total = 0;

	for (int i = 0; i < SL_TIMED_STAGE_COUNT; i++) {
		const struct sl_stage_cycles *spent = &cycles->stages[i];

		CU_ASSERT_EQUAL(spent->cycles > 0, spent->calls > 0);
		CU_ASSERT(spent->cycles_max <= spent->cycles);
		CU_ASSERT(spent->cycles_max * spent->calls >= spent->cycles);
		total += spent->cycles;
	}
	CU_ASSERT(total > 0);
	CU_ASSERT(total <= cycles->elapsed);
}

static void expect_stages_count(uint32_t rx_lcore, uint32_t worker_lcore)
{
	const struct sl_rx_counters *received = &shm_lcores[rx_lcore].rx;
	const struct sl_worker_counters *worked = &shm_lcores[worker_lcore].worker;

	CU_ASSERT_EQUAL(counted(rx_lcore, SL_TIMED_RECEIVE), received->frames);
	CU_ASSERT_EQUAL(counted(rx_lcore, SL_TIMED_PARSE), received->frames);
	CU_ASSERT_EQUAL(counted(rx_lcore, SL_TIMED_STEER), received->datagrams);
	CU_ASSERT_EQUAL(counted(rx_lcore, SL_TIMED_DISPATCH), received->events);
	CU_ASSERT_EQUAL(counted(worker_lcore, SL_TIMED_DEQUEUE), worked->dequeued);
	CU_ASSERT_EQUAL(counted(worker_lcore, SL_TIMED_APPEND), worked->dequeued + worked->direct);
	CU_ASSERT_EQUAL(counted(worker_lcore, SL_TIMED_SEAL), worked->stored);
	CU_ASSERT_EQUAL(counted(worker_lcore, SL_TIMED_REAP), worked->stored);
}

static void stages_are_measured_once_each_on_two_lcores(void)
{
	open_lcores(false);
	measure_stages();
	run_under_load(2);
	expect_all_stored(2);
	expect_stages_count(0, 1);
	expect_stages_fit(&shm_lcores[0].cycles);
	expect_stages_fit(&shm_lcores[1].cycles);
	CU_ASSERT_EQUAL(counted(0, SL_TIMED_APPEND), 0);
	CU_ASSERT(counted(1, SL_TIMED_DEQUEUE_EMPTY) > 0);
	close_lcores();
}

static void stages_are_measured_once_each_on_one_lcore_that_does_both(void)
{
	open_lcores(true);
	measure_stages();
	run_under_load(1);
	expect_all_stored(1);
	expect_stages_count(0, 0);
	expect_stages_fit(&shm_lcores[0].cycles);
	CU_ASSERT(counted(0, SL_TIMED_RECEIVE_EMPTY) > 0);
	close_lcores();
}

static void a_second_signal_ends_a_drain_that_hangs(void)
{
	pthread_t thread;

	open_lcores(true);
	fixture.io->ops->destroy(fixture.io);
	fixture.io =
		sl_io_fault_create(sl_io_sync_create(), &(struct sl_io_fault){.hang_number = 1});
	worker.io = fixture.io;
	fixture.lane.io = fixture.io;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run, &lcores[0]), 0);
	send_frames((uint32_t)frame_count);
	while (SL_LOAD(shm_lcores[0].rx.frames) < sent_count)
		sched_yield();
	SL_STORE_RELEASE(stop.phase, SL_PHASE_STOP_RX);
	while (SL_LOAD(shm_lcores[0].stage) != SL_STAGE_DRAIN)
		sched_yield();
	SL_STORE_RELEASE(stop.phase, SL_PHASE_ABANDON);
	pthread_join(thread, NULL);
	expect_identities(&shm_lcores[0].rx, &shm_lcores[0].worker);
	CU_ASSERT_EQUAL(shm_lcores[0].worker.stored, 0);
	CU_ASSERT(shm_lcores[0].rx.events > 0);
	CU_ASSERT_EQUAL(shm_lcores[0].worker.drops[SL_DROP_ABANDONED] +
			shm_lcores[0].worker.drops[SL_DROP_TOO_LARGE],
		shm_lcores[0].rx.events);
	close_lcores();
}

static void every_mbuf_of_a_run_comes_back(void)
{
	struct rte_mbuf *mbuf = frame_mbuf_whole(&frames[0]);
	struct rte_mempool *pool = mbuf->pool;

	rte_pktmbuf_free(mbuf);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), 0);
	open_lcores(false);
	// A worker that does not run: the ring fills, the rest is dropped.
	send_frames(60);
	for (uint32_t i = 0; i < 10; i++) {
		sl_rx_turn(&rx);
		send_frames(60);
	}
	sl_rx_turn(&rx);
	CU_ASSERT(shm_lcores[0].rx.drops[SL_DROP_RING_FULL] > 0);
	while (!sl_worker_is_drained(&worker)) {
		sl_worker_flush(&worker);
		sl_worker_turn(&worker);
	}
	expect_all_stored(2);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), 0);
	close_lcores();
}

static const struct sl_test tests[] = {
	SL_TEST(a_turn_takes_a_few_full_bursts),
	SL_TEST(a_turn_that_leaves_frames_says_so),
	SL_TEST(two_lcores_store_what_they_receive_and_every_snapshot_adds_up),
	SL_TEST(an_lcore_that_is_through_takes_snapshots_until_all_are),
	SL_TEST(one_lcore_that_does_both_needs_no_ring),
	SL_TEST(stages_are_measured_once_each_on_two_lcores),
	SL_TEST(stages_are_measured_once_each_on_one_lcore_that_does_both),
	SL_TEST(a_second_signal_ends_a_drain_that_hangs),
	SL_TEST(every_mbuf_of_a_run_comes_back),
};
SL_SUITE(dataplane_lcore);
