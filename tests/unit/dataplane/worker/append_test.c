/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/append.h"

#include "../datagrams.h"
#include "../store/lane_fixture.h"
#include "store/source_dictionary.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW SL_FIXTURE_START_NS

static struct sl_fixture fixture;
static struct sl_append append;
static uint8_t noise[65536];

static void open_lane(const struct sl_fixture_options *options)
{
	for (uint32_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 24);
	sl_fixture_open(&fixture, options);
	append = (struct sl_append){.partitions = fixture.partitions,
		.lanes = {&fixture.lane},
		.counters = &fixture.counters};
	CU_ASSERT_EQUAL(datagrams_held(), 0);
}

static void append_one(const struct datagram_spec *spec, uint16_t partition, uint64_t receive_ns)
{
	struct sl_event event = datagram_event(spec, partition, receive_ns);

	sl_append_burst(&append, &event, 1);
}

// Everything onto the disk; the walk stands behind the first checkpoint.
static void flush(struct sl_fixture_walk *walk)
{
	sl_fixture_settle(&fixture, NOW);
	if (fixture.lane.open_batch != NULL)
		sl_lane_seal(&fixture.lane, NOW);
	sl_fixture_settle(&fixture, NOW);
	sl_fixture_walk_init(walk, &fixture);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sl_fixture_walk_next(walk));
}

static void close_lane(struct sl_fixture_walk *walk)
{
	CU_ASSERT_EQUAL(datagrams_held(), 0);
	sl_fixture_walk_fini(walk);
	sl_fixture_close(&fixture);
}

// The next run of the walk, from one batch to the next.
struct runs {
	struct sl_fixture_walk walk;
	struct sl_run_iterator iterator;
	bool is_inside;
};

static bool next_run(struct runs *runs, struct sl_run *run)
{
	const struct sl_batch_header *header;

	for (;;) {
		if (runs->is_inside && sl_run_next(&runs->iterator, run, NULL))
			return true;
		if (runs->is_inside)
			sl_run_iterator_fini(&runs->iterator);
		header = sl_fixture_walk_next(&runs->walk);
		runs->is_inside = header != NULL;
		if (header == NULL)
			return false;
		sl_run_iterator_init(&runs->iterator, header);
	}
}

static void payloads_of_every_length_are_copied_exactly(void)
{
	struct runs runs = {0};
	struct sl_run run;

	open_lane(&(struct sl_fixture_options){.batch_bytes = 512 * 1024});
	for (uint32_t bytes = 0; bytes <= 2000; bytes++)
		append_one(&(struct datagram_spec){.payload = noise + bytes % 7,
				   .payload_bytes = bytes},
			1, NOW);
	flush(&runs.walk);
	for (uint32_t bytes = 0; bytes <= 2000; bytes++) {
		CU_ASSERT_FATAL(next_run(&runs, &run));
		CU_ASSERT_EQUAL_FATAL(run.bytes, bytes);
		CU_ASSERT_EQUAL(memcmp(run.data, noise + bytes % 7, bytes), 0);
	}
	CU_ASSERT_FALSE(next_run(&runs, &run));
	CU_ASSERT_EQUAL(fixture.counters.appended, 2001);
	CU_ASSERT_EQUAL(fixture.counters.stored, 2001);
	CU_ASSERT_EQUAL(fixture.counters.stored_bytes, 2000u * 2001 / 2);
	CU_ASSERT_FALSE(next_run(&runs, &run));
	close_lane(&runs.walk);
}

static void payloads_in_several_segments_are_copied_exactly(void)
{
	static const uint32_t lengths[] = {0, 1, 31, 32, 33, 64, 65, 100, 500, 2000};
	static const uint32_t firsts[] = {1, 14, 30, 41, 42, 43, 60, 74, 106, 107, 400, 1900};
	static const uint32_t nexts[] = {1, 7, 64, 1000, 0};
	struct runs runs = {0};
	struct sl_run run;

	open_lane(&(struct sl_fixture_options){.batch_bytes = 1024 * 1024});
	for (size_t l = 0; l < SL_ARRAY_COUNT(lengths); l++) {
		for (size_t f = 0; f < SL_ARRAY_COUNT(firsts); f++) {
			for (size_t n = 0; n < SL_ARRAY_COUNT(nexts); n++)
				append_one(&(struct datagram_spec){.payload = noise + l,
						   .payload_bytes = lengths[l],
						   .first_bytes = firsts[f],
						   .next_bytes = nexts[n]},
					1, NOW);
		}
	}
	flush(&runs.walk);
	for (size_t l = 0; l < SL_ARRAY_COUNT(lengths); l++) {
		for (size_t i = 0; i < SL_ARRAY_COUNT(firsts) * SL_ARRAY_COUNT(nexts); i++) {
			CU_ASSERT_FATAL(next_run(&runs, &run));
			CU_ASSERT_EQUAL_FATAL(run.bytes, lengths[l]);
			CU_ASSERT_EQUAL(memcmp(run.data, noise + l, lengths[l]), 0);
		}
	}
	CU_ASSERT_FALSE(next_run(&runs, &run));
	close_lane(&runs.walk);
}

static void a_burst_over_several_lanes_keeps_the_order_of_each(void)
{
	struct sl_fixture first;
	struct sl_event events[SL_BURST_COUNT_MAX];
	struct runs runs = {0};
	struct sl_run run;

	open_lane(&(struct sl_fixture_options){0});
	first = fixture;
	// A second lane, whose partitions are the odd ones of the same array.
	sl_fixture_open(&fixture, &(struct sl_fixture_options){0});
	append.partitions = fixture.partitions;
	append.lanes[0] = &first.lane;
	append.lanes[3] = &fixture.lane;
	for (uint32_t i = 0; i < 4; i++)
		fixture.partitions[i].lane_slot = i % 2 == 1 ? 3 : 0;
	for (uint32_t i = 0; i < SL_BURST_COUNT_MAX; i++)
		events[i] = datagram_event(
			&(struct datagram_spec){.payload = &i, .payload_bytes = sizeof(i)},
			(uint16_t)(i % 4), NOW + i);
	sl_append_burst(&append, events, SL_BURST_COUNT_MAX);
	CU_ASSERT_EQUAL(first.lane.event_count, SL_BURST_COUNT_MAX / 2);
	CU_ASSERT_EQUAL(fixture.lane.event_count, SL_BURST_COUNT_MAX / 2);
	CU_ASSERT_EQUAL(append.counters->appended, SL_BURST_COUNT_MAX);
	flush(&runs.walk);
	for (uint32_t i = 0; i < SL_BURST_COUNT_MAX; i++) {
		if (i % 2 == 0)
			continue;
		CU_ASSERT_FATAL(next_run(&runs, &run));
		CU_ASSERT_EQUAL(run.partition, i % 4);
		CU_ASSERT_EQUAL(run.receive_ns, NOW + i);
		CU_ASSERT_EQUAL(memcmp(run.data, &i, sizeof(i)), 0);
	}
	CU_ASSERT_FALSE(next_run(&runs, &run));
	close_lane(&runs.walk);
	first.lane.open_batch = NULL;
	sl_fixture_close(&first);
}

static void times_of_a_batch_that_was_open_long_are_exact(void)
{
	static const uint64_t after_ns[] = {0, 5, UINT32_MAX, UINT32_MAX + 1ull, UINT32_MAX + 2ull,
		10ull * UINT32_MAX, 10ull * UINT32_MAX + 7, 10ull * UINT32_MAX + 3};
	struct runs runs = {0};
	struct sl_run run;
	uint64_t last_ns = 0;

	open_lane(&(struct sl_fixture_options){.linger_us = 1000000});
	for (size_t i = 0; i < SL_ARRAY_COUNT(after_ns); i++)
		append_one(&(struct datagram_spec){0}, 1, NOW + after_ns[i]);
	CU_ASSERT_EQUAL(fixture.lane.event_count, SL_ARRAY_COUNT(after_ns));
	CU_ASSERT_EQUAL(fixture.lane.run_count, SL_ARRAY_COUNT(after_ns) + 2); // two time runs
	flush(&runs.walk);
	for (size_t i = 0; i < SL_ARRAY_COUNT(after_ns); i++) {
		last_ns = SL_MAX(last_ns, NOW + after_ns[i]); // the last one would go back
		CU_ASSERT_FATAL(next_run(&runs, &run));
		CU_ASSERT_EQUAL(run.receive_ns, last_ns);
	}
	CU_ASSERT_FALSE(next_run(&runs, &run));
	close_lane(&runs.walk);
}

static void sources_are_named_once_a_batch(void)
{
	struct datagram_spec v4 = {
		.source = {192, 0, 2, 1}, .source_port = 4660, .payload = "4", .payload_bytes = 1};
	struct datagram_spec v6 = {.ip_version = 6,
		.source = {0x20, 1, 0xd, 0xb8, [15] = 9},
		.source_port = 53,
		.payload = "6",
		.payload_bytes = 1,
		.first_bytes = 20, // the header itself is divided
		.next_bytes = 5};
	struct runs runs = {0};
	struct sl_run run;

	open_lane(&(struct sl_fixture_options){.keep_source = true});
	fixture.partitions[1].keep_source = 1;
	for (uint32_t batch = 0; batch < 2; batch++) {
		for (uint32_t i = 0; i < 3; i++) {
			append_one(&v4, 1, NOW);
			append_one(&v6, 1, NOW);
			append_one(&v4, 2, NOW); // a stream that keeps none
		}
		CU_ASSERT_EQUAL(fixture.lane.run_count, 9 + 2);
		sl_lane_seal(&fixture.lane, NOW);
	}
	flush(&runs.walk);
	for (uint32_t i = 0; i < 18; i++) {
		CU_ASSERT_FATAL(next_run(&runs, &run));
		if (i % 3 == 2) {
			CU_ASSERT_PTR_NULL(run.source);
			continue;
		}
		CU_ASSERT_PTR_NOT_NULL_FATAL(run.source);
		CU_ASSERT_EQUAL(run.source->family, i % 3 == 0 ? 4 : 6);
		CU_ASSERT_EQUAL(run.source->port, i % 3 == 0 ? 4660 : 53);
		CU_ASSERT_EQUAL(
			memcmp(run.source->address, i % 3 == 0 ? v4.source : v6.source, 16), 0);
	}
	CU_ASSERT_FALSE(next_run(&runs, &run));
	close_lane(&runs.walk);
}

static void a_full_dictionary_closes_the_batch(void)
{
	struct datagram_spec spec = {.source = {10}};
	struct runs runs = {0};
	struct sl_run run;
	uint32_t count = SL_SOURCE_COUNT_MAX + 10;

	open_lane(&(struct sl_fixture_options){.keep_source = true, .batch_bytes = SL_MIB});
	fixture.partitions[1].keep_source = 1;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(spec.source, &i, sizeof(i));
		append_one(&spec, 1, NOW);
	}
	CU_ASSERT_EQUAL(fixture.lane.event_count, 10);
	flush(&runs.walk);
	for (uint32_t i = 0; i < count; i++) {
		CU_ASSERT_FATAL(next_run(&runs, &run));
		CU_ASSERT_PTR_NOT_NULL_FATAL(run.source);
		CU_ASSERT_EQUAL(memcmp(run.source->address, &i, sizeof(i)), 0);
	}
	CU_ASSERT_FALSE(next_run(&runs, &run));
	close_lane(&runs.walk);
}

static void what_is_refused_is_counted_and_its_mbufs_are_freed(void)
{
	struct sl_event events[SL_BURST_COUNT_MAX];
	struct sl_fixture_walk walk = {0};

	open_lane(&(struct sl_fixture_options){.in_flight_max = 1, .fault = {.hang_number = 1}});
	append_one(&(struct datagram_spec){.payload = noise, .payload_bytes = 65507}, 1, NOW);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_TOO_LARGE], 1);
	for (uint32_t i = 0; i < 2; i++)
		append_one(
			&(struct datagram_spec){.payload = noise, .payload_bytes = 60000}, 1, NOW);
	CU_ASSERT_EQUAL(fixture.counters.appended, 2);
	for (uint32_t i = 0; i < SL_BURST_COUNT_MAX; i++)
		events[i] = datagram_event(
			&(struct datagram_spec){.payload = noise, .payload_bytes = 10000}, 2, NOW);
	sl_append_burst(&append, events, SL_BURST_COUNT_MAX);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FULL], SL_BURST_COUNT_MAX);
	CU_ASSERT_EQUAL(datagrams_held(), 0);
	CU_ASSERT_EQUAL(fixture.partitions[2].next_offset, 200); // a refused event takes no offset
	sl_lane_fail(&fixture.lane, SL_DROP_LANE_FAILED, -5);
	append_one(&(struct datagram_spec){0}, 1, NOW);
	CU_ASSERT_EQUAL(fixture.counters.drops[SL_DROP_LANE_FAILED], 2 + 1);
	CU_ASSERT_EQUAL(fixture.counters.appended, 2);
	close_lane(&walk);
}

static void expect_one_held(const struct sl_event *events, struct rte_mbuf *held, const char *what)
{
	append.counters->appended = 0;
	sl_append_direct_burst(&append, events, 3);
	CU_ASSERT_EQUAL(append.counters->appended, 3);
	if (datagrams_held() != 1)
		printf("     %s\n", what);
	CU_ASSERT_EQUAL(datagrams_held(), 1);
	CU_ASSERT_EQUAL(rte_mbuf_refcnt_read(held), 1);
	rte_pktmbuf_free(held);
	CU_ASSERT_EQUAL(datagrams_held(), 0);
}

// Most mbufs go back to the pool as they are. These may not.
static void mbufs_that_others_hold_are_left_to_them(void)
{
	const struct datagram_spec spec = {.payload = noise, .payload_bytes = 30};
	struct sl_fixture_walk walk;

	open_lane(&(struct sl_fixture_options){.batch_bytes = 64 * 1024});
	for (uint32_t odd = 0; odd < 3; odd++) {
		struct sl_event events[3];
		struct rte_mbuf *held;

		for (uint32_t i = 0; i < 3; i++)
			events[i] = datagram_event(&spec, 1, NOW);
		held = events[odd].mbuf;
		rte_mbuf_refcnt_update(held, 1);
		expect_one_held(events, held, "a second reference");

		for (uint32_t i = 0; i < 3; i++)
			events[i] = datagram_event(&spec, 1, NOW);
		held = events[odd].mbuf;
		events[odd].mbuf = rte_pktmbuf_clone(held, held->pool);
		CU_ASSERT_PTR_NOT_NULL_FATAL(events[odd].mbuf);
		expect_one_held(events, held, "an attached mbuf");
	}
	flush(&walk);
	close_lane(&walk);
}

static const struct sl_test tests[] = {
	SL_TEST(payloads_of_every_length_are_copied_exactly),
	SL_TEST(payloads_in_several_segments_are_copied_exactly),
	SL_TEST(a_burst_over_several_lanes_keeps_the_order_of_each),
	SL_TEST(times_of_a_batch_that_was_open_long_are_exact),
	SL_TEST(sources_are_named_once_a_batch),
	SL_TEST(a_full_dictionary_closes_the_batch),
	SL_TEST(what_is_refused_is_counted_and_its_mbufs_are_freed),
	SL_TEST(mbufs_that_others_hold_are_left_to_them),
};
SL_SUITE(dataplane_worker_append);
