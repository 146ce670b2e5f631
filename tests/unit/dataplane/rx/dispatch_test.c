/* SPDX-License-Identifier: BSD-3-Clause */
#include "rx/dispatch.h"

#include "../datagrams.h"
#include "../store/lane_fixture.h"
#include "suite.h"
#include "worker/append.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <string.h>

#define RING_COUNT 3
#define RING_ENTRIES 16

static struct sl_steer_table steer;
static struct sl_dispatch dispatch;
static struct sl_rx_counters counters;
static struct sl_shm_ring shm_rings[RING_COUNT];

// Partition p is of worker p % RING_COUNT.
static void make_dispatch(void)
{
	memset(&steer, 0, sizeof(steer));
	memset(&dispatch, 0, sizeof(dispatch));
	memset(&counters, 0, sizeof(counters));
	memset(shm_rings, 0, sizeof(shm_rings));
	steer.ring_count = RING_COUNT;
	for (uint32_t p = 0; p < 64; p++)
		steer.worker_by_partition[p] = (uint8_t)(p % RING_COUNT);
	dispatch.steer = &steer;
	dispatch.shm_rings = shm_rings;
	dispatch.own_worker = SL_WORKER_NONE;
	dispatch.counters = &counters;
	for (uint32_t i = 0; i < RING_COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "dispatch-%u", i);
		dispatch.rings[i] =
			rte_ring_create_elem(name, sizeof(struct sl_event), RING_ENTRIES,
				SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
		CU_ASSERT_PTR_NOT_NULL_FATAL(dispatch.rings[i]);
	}
}

static void free_dispatch(void)
{
	for (uint32_t i = 0; i < RING_COUNT; i++)
		rte_ring_free(dispatch.rings[i]);
	CU_ASSERT_EQUAL(datagrams_held(), 0);
}

static bool take(uint32_t ring, struct sl_event *event)
{
	return rte_ring_sc_dequeue_elem(dispatch.rings[ring], event, sizeof(*event)) == 0;
}

// A burst whose events' payloads count from first; event i is of partition partitions(i).
static void send_burst(uint32_t first, uint32_t count, uint16_t step)
{
	static struct sl_burst burst;

	burst.count = count;
	burst.receive_ns = 1000 + first;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = first + i;

		burst.mbufs[i] = datagram_make(&(struct datagram_spec){.payload = &number,
						       .payload_bytes = sizeof(number)},
			&burst.datagrams[i]);
		burst.datagrams[i].partition = (uint16_t)(i * step % 64);
	}
	uint32_t direct_count = sl_dispatch_burst(&dispatch, &burst);
	if (direct_count > 0)
		sl_dispatch_direct(&dispatch, direct_count);
}

static void every_event_arrives_in_the_ring_of_its_worker_in_order(void)
{
	uint32_t taken_count = 0;

	make_dispatch();
	send_burst(0, 40, 1);
	for (uint32_t ring = 0; ring < RING_COUNT; ring++) {
		struct sl_event event;
		uint32_t last_partition = 0;

		while (take(ring, &event)) {
			uint32_t number;

			CU_ASSERT_EQUAL(event.partition % RING_COUNT, ring);
			CU_ASSERT(event.partition >= last_partition);
			CU_ASSERT_EQUAL(event.flags, 0);
			CU_ASSERT_EQUAL(event.payload_bytes, sizeof(number));
			CU_ASSERT_EQUAL(event.l3_offset, 14);
			CU_ASSERT_EQUAL(sl_mbuf_receive_ns(event.mbuf), 1000);
			memcpy(&number,
				rte_pktmbuf_mtod_offset(
					event.mbuf, const char *, event.payload_offset),
				sizeof(number));
			CU_ASSERT_EQUAL(number, event.partition);
			last_partition = event.partition;
			rte_pktmbuf_free(event.mbuf);
			taken_count++;
		}
	}
	CU_ASSERT_EQUAL(taken_count, 40);
	CU_ASSERT_EQUAL(counters.events, 40);
	CU_ASSERT_EQUAL(counters.event_bytes, 160);
	CU_ASSERT_EQUAL(counters.enqueued, 40);
	CU_ASSERT_EQUAL(shm_rings[0].enqueued + shm_rings[1].enqueued + shm_rings[2].enqueued, 40);
	free_dispatch();
}

static void a_full_ring_is_a_drop_with_a_reason_and_the_mbufs_come_back(void)
{
	struct sl_event event;
	uint32_t number;

	make_dispatch();
	send_burst(0, 64, 0); // all to ring 0
	CU_ASSERT_EQUAL(counters.enqueued, RING_ENTRIES);
	CU_ASSERT_EQUAL(counters.drops[SL_DROP_RING_FULL], 64 - RING_ENTRIES);
	CU_ASSERT_EQUAL(shm_rings[0].enqueued, RING_ENTRIES);
	CU_ASSERT_EQUAL(datagrams_held(), RING_ENTRIES);
	send_burst(64, 64, 1); // the other rings have room still
	CU_ASSERT_EQUAL(counters.events, 128);
	CU_ASSERT_EQUAL(counters.enqueued, 3 * RING_ENTRIES);
	CU_ASSERT_EQUAL(counters.events, counters.enqueued + counters.drops[SL_DROP_RING_FULL]);
	CU_ASSERT_EQUAL(datagrams_held(), 3 * RING_ENTRIES);
	// It is the youngest that are dropped.
	CU_ASSERT(take(0, &event));
	memcpy(&number, rte_pktmbuf_mtod_offset(event.mbuf, const char *, event.payload_offset),
		sizeof(number));
	CU_ASSERT_EQUAL(number, 0);
	rte_pktmbuf_free(event.mbuf);
	for (uint32_t ring = 0; ring < RING_COUNT; ring++)
		while (take(ring, &event))
			rte_pktmbuf_free(event.mbuf);
	free_dispatch();
}

static void what_a_full_ring_drops_is_a_gap_of_its_sender_and_stream(void)
{
	const struct sl_gap_streams streams = {
		.count = 1, .streams = {{.partition_count = 64, .stream = 7, .class_index = 0}}};
	static struct sl_gap_table gaps;
	struct sl_event event;
	uint64_t sum = 0;

	make_dispatch();
	memset(&gaps, 0, sizeof(gaps));
	gaps.streams = &streams;
	dispatch.gaps = &gaps;
	send_burst(0, 64, 0);
	for (uint32_t i = 0; i < SL_GAP_SLOT_COUNT; i++) {
		struct sl_run_gap gap;

		if (sl_gap_peek(&gaps, i, &gap) == 0)
			continue;
		sum += gap.count;
		CU_ASSERT_EQUAL(gap.stream, 7);
		CU_ASSERT_EQUAL(gap.sources, SL_GAP_SOURCES_ONE);
		CU_ASSERT_EQUAL(gap.family, 4);
		CU_ASSERT_EQUAL(gap.first_ns, 1000);
		CU_ASSERT_STRING_EQUAL(gap.reason, "ring_full");
	}
	CU_ASSERT_EQUAL(sum, 64 - RING_ENTRIES);
	while (take(0, &event))
		rte_pktmbuf_free(event.mbuf);
	free_dispatch();
}

static void a_marker_stands_behind_what_was_sent_before_it(void)
{
	struct sl_event event;

	make_dispatch();
	send_burst(0, 9, 1); // three each
	CU_ASSERT(sl_dispatch_send_marker(&dispatch, 77));
	send_burst(9, 3, 1);
	for (uint32_t ring = 0; ring < RING_COUNT; ring++) {
		CU_ASSERT_EQUAL(shm_rings[ring].marker_sent, 77);
		CU_ASSERT_EQUAL(shm_rings[ring].enqueued_at_marker, 3);
		CU_ASSERT_EQUAL(shm_rings[ring].enqueued, 4);
		for (uint32_t i = 0; i < 5; i++) {
			CU_ASSERT_FATAL(take(ring, &event));
			if (i == 3) {
				CU_ASSERT_EQUAL(event.flags, SL_EVENT_MARKER);
				CU_ASSERT_EQUAL((uintptr_t)event.mbuf, 77);
				continue;
			}
			CU_ASSERT_EQUAL(event.flags, 0);
			rte_pktmbuf_free(event.mbuf);
		}
		CU_ASSERT_FALSE(take(ring, &event));
	}
	free_dispatch();
}

static void a_marker_waits_for_room_and_goes_into_each_ring_once(void)
{
	struct sl_event event;
	uint32_t marker_count = 0;

	make_dispatch();
	send_burst(0, RING_ENTRIES, 0); // ring 0 is full
	CU_ASSERT_FALSE(sl_dispatch_send_marker(&dispatch, 5));
	CU_ASSERT_FALSE(sl_dispatch_send_marker(&dispatch, 5));
	CU_ASSERT_EQUAL(shm_rings[0].marker_sent, 0);
	CU_ASSERT_EQUAL(shm_rings[1].marker_sent, 5);
	CU_ASSERT(take(0, &event));
	rte_pktmbuf_free(event.mbuf);
	CU_ASSERT(sl_dispatch_send_marker(&dispatch, 5));
	CU_ASSERT(sl_dispatch_send_marker(&dispatch, 5));
	for (uint32_t ring = 0; ring < RING_COUNT; ring++) {
		while (take(ring, &event)) {
			if (event.flags == SL_EVENT_MARKER)
				marker_count++;
			else
				rte_pktmbuf_free(event.mbuf);
		}
	}
	CU_ASSERT_EQUAL(marker_count, RING_COUNT);
	free_dispatch();
}

static void an_lcore_that_owns_the_partition_appends_at_once(void)
{
	struct sl_fixture fixture;
	struct sl_append append;
	struct sl_event event;

	make_dispatch();
	sl_fixture_open(&fixture, &(struct sl_fixture_options){.partition_count = 64});
	append = (struct sl_append){.partitions = fixture.partitions,
		.lanes = {&fixture.lane},
		.counters = &fixture.counters};
	// A fourth worker is this lcore and owns the even partitions.
	for (uint32_t p = 0; p < 64; p += 2)
		steer.worker_by_partition[p] = RING_COUNT;
	dispatch.own_worker = RING_COUNT;
	dispatch.append = &append;
	send_burst(0, 20, 1);
	CU_ASSERT_EQUAL(counters.direct, 10);
	CU_ASSERT_EQUAL(counters.enqueued, 10);
	CU_ASSERT_EQUAL(fixture.counters.direct, 10);
	CU_ASSERT_EQUAL(fixture.counters.appended, 10);
	CU_ASSERT_EQUAL(fixture.lane.event_count, 10);
	CU_ASSERT_EQUAL(datagrams_held(), 10);
	for (uint32_t ring = 0; ring < RING_COUNT; ring++)
		while (take(ring, &event)) {
			CU_ASSERT_EQUAL(event.partition % 2, 1);
			rte_pktmbuf_free(event.mbuf);
		}
	sl_fixture_close(&fixture);
	free_dispatch();
}

static const struct sl_test tests[] = {
	SL_TEST(every_event_arrives_in_the_ring_of_its_worker_in_order),
	SL_TEST(a_full_ring_is_a_drop_with_a_reason_and_the_mbufs_come_back),
	SL_TEST(what_a_full_ring_drops_is_a_gap_of_its_sender_and_stream),
	SL_TEST(a_marker_stands_behind_what_was_sent_before_it),
	SL_TEST(a_marker_waits_for_room_and_goes_into_each_ring_once),
	SL_TEST(an_lcore_that_owns_the_partition_appends_at_once),
};
SL_SUITE(dataplane_rx_dispatch);
