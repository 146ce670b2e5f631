/* SPDX-License-Identifier: BSD-3-Clause */
#include "rx/steer.h"

#include "../datagrams.h"
#include "format/meta.h"
#include "suite.h"

#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

#define FIRST_PARTITION 1000
#define PARTITION_COUNT 37

static struct sl_config config;
static struct sl_store_meta meta;
static struct sl_store_meta_stream streams[4];
static struct sl_steer_table table;
static uint16_t by_stream[SL_STREAM_COUNT_MAX];

// docs/format.md, "Steering".
static uint32_t expected_partition(const void *key, size_t bytes)
{
	struct sl_siphash_key siphash_key = sl_siphash_key_load(streams[0].steering_key);
	uint64_t hash = sl_siphash13(&siphash_key, key, bytes);

	return FIRST_PARTITION + (uint32_t)((hash >> 32) * PARTITION_COUNT >> 32);
}

static void make_stream(enum sl_key_kind kind, uint32_t key_offset, uint32_t key_bytes)
{
	memset(&config, 0, sizeof(config));
	memset(streams, 0, sizeof(streams));
	memset(&meta, 0, sizeof(meta));
	memset(by_stream, 0, sizeof(by_stream));
	config.stream_count = 1;
	config.streams[0] = (struct sl_config_stream){
		.key_kind = kind, .key_offset = key_offset, .key_bytes = key_bytes};
	streams[0].partition_count = PARTITION_COUNT;
	streams[0].first_partition = FIRST_PARTITION;
	memcpy(streams[0].steering_key, "0123456789abcdef", 16);
	meta.streams = streams;
	meta.header.stream_count = 1;
	meta.header.partition_count = FIRST_PARTITION + PARTITION_COUNT;
	sl_steer_init(&table, &config, &meta, by_stream, 1);
}

static uint32_t steer(const struct datagram_spec *spec)
{
	static struct sl_burst burst;

	burst.count = 1;
	burst.mbufs[0] = datagram_make(spec, &burst.datagrams[0]);
	sl_steer_burst(&table, &burst);
	rte_pktmbuf_free(burst.mbufs[0]);
	CU_ASSERT_EQUAL(burst.count, 1);
	return burst.datagrams[0].partition;
}

static void a_key_is_a_range_of_the_payload(void)
{
	char payload[64];

	make_stream(SL_KEY_BYTES, 3, 8);
	for (int i = 0; i < 200; i++) {
		snprintf(payload, sizeof(payload), "abc%08d and more", i);
		CU_ASSERT_EQUAL(steer(&(struct datagram_spec){
					.payload = payload, .payload_bytes = sizeof(payload)}),
			expected_partition(payload + 3, 8));
	}
}

static void a_range_takes_as_many_bytes_as_there_are(void)
{
	static const char payload[] = "0123456789";

	make_stream(SL_KEY_BYTES, 3, 8);
	for (uint32_t bytes = 0; bytes <= 10; bytes++) {
		uint32_t key_bytes = bytes <= 3 ? 0 : SL_MIN(bytes - 3, 8u);

		CU_ASSERT_EQUAL(
			steer(&(struct datagram_spec){.payload = payload, .payload_bytes = bytes}),
			expected_partition(payload + 3, key_bytes));
		// What stands behind the datagram is no part of it: divided at its end.
		CU_ASSERT_EQUAL(steer(&(struct datagram_spec){.payload = payload,
					.payload_bytes = bytes,
					.first_bytes = 42 + bytes}),
			expected_partition(payload + 3, key_bytes));
	}
}

static void keys_over_several_segments_hash_the_same(void)
{
	static uint8_t payload[1000];

	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31);
	make_stream(SL_KEY_BYTES, 100, 256);
	for (uint32_t first = 1; first < 500; first += 7) {
		for (uint32_t next = 1; next < 400; next = 3 * next + 1)
			CU_ASSERT_EQUAL(steer(&(struct datagram_spec){.payload = payload,
						.payload_bytes = sizeof(payload),
						.first_bytes = first,
						.next_bytes = next}),
				expected_partition(payload + 100, 256));
	}
}

static void an_empty_datagram_in_segments_has_the_empty_key(void)
{
	make_stream(SL_KEY_BYTES, 0, 8);
	for (uint32_t first = 1; first <= 42; first++)
		CU_ASSERT_EQUAL(
			steer(&(struct datagram_spec){.first_bytes = first, .next_bytes = 9}),
			expected_partition("", 0));
}

static void a_flow_is_addresses_and_ports_in_network_order(void)
{
	struct datagram_spec v4 = {.source = {192, 0, 2, 1},
		.target = {198, 51, 100, 7},
		.source_port = 0x1234,
		.target_port = 0x2328};
	static const uint8_t flow4[] = {192, 0, 2, 1, 198, 51, 100, 7, 0x12, 0x34, 0x23, 0x28};
	struct datagram_spec v6 = {.ip_version = 6,
		.source = {0x20, 1, 0xd, 0xb8, [15] = 1},
		.target = {0x20, 1, 0xd, 0xb8, [15] = 2},
		.source_port = 0x1234,
		.target_port = 0x2328};
	uint8_t flow6[36];

	memcpy(flow6, v6.source, 16);
	memcpy(flow6 + 16, v6.target, 16);
	memcpy(flow6 + 32, flow4 + 8, 4);
	make_stream(SL_KEY_FLOW, 0, 0);
	for (uint32_t first = 0; first <= 62; first++) {
		v4.first_bytes = first;
		v6.first_bytes = first;
		v4.next_bytes = 5;
		v6.next_bytes = 5;
		CU_ASSERT_EQUAL(steer(&v4), expected_partition(flow4, sizeof(flow4)));
		CU_ASSERT_EQUAL(steer(&v6), expected_partition(flow6, sizeof(flow6)));
	}
}

// Keys of one burst are hashed together, but for those that differ from the first in their number
// of words or are divided.
static void steer_unlike_keys(uint32_t key_bytes_max, uint32_t step)
{
	static const char payload[] = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef";
	static struct sl_burst burst;
	uint32_t key_bytes[SL_BURST_COUNT_MAX];

	make_stream(SL_KEY_BYTES, 2, key_bytes_max);
	for (uint32_t first = 0; first < 51; first++) {
		for (uint32_t i = 0; i < SL_BURST_COUNT_MAX; i++) {
			uint32_t bytes = 50 - (first + i * i) / step % 51;

			key_bytes[i] = bytes <= 2 ? 0 : SL_MIN(bytes - 2, key_bytes_max);
			burst.mbufs[i] =
				datagram_make(&(struct datagram_spec){.payload = payload,
						      .payload_bytes = bytes,
						      .first_bytes = i % 50 == 40 ? 44 : 0},
					&burst.datagrams[i]);
		}
		burst.count = SL_BURST_COUNT_MAX - first;
		sl_steer_burst(&table, &burst);
		for (uint32_t i = 0; i < burst.count; i++)
			CU_ASSERT_EQUAL(burst.datagrams[i].partition,
				expected_partition(payload + 2, key_bytes[i]));
		rte_pktmbuf_free_bulk(burst.mbufs, SL_BURST_COUNT_MAX);
	}
	CU_ASSERT_EQUAL(datagrams_held(), 0);
}

// With a large step most bursts are alike, with one datagram or none that is too short or divided.
static void a_burst_of_unlike_keys_is_steered_as_each_alone(void)
{
	static const uint32_t key_bytes_max[] = {0, 3, 7, 8, 15, 39, 40, 45};

	for (uint32_t k = 0; k < SL_ARRAY_COUNT(key_bytes_max); k++) {
		steer_unlike_keys(key_bytes_max[k], 1);
		steer_unlike_keys(key_bytes_max[k], 100);
		steer_unlike_keys(key_bytes_max[k], 1000);
	}
}

// Streams of these sizes, from partition 0 on.
static void make_streams(const uint32_t *counts, uint32_t stream_count, uint32_t worker_count)
{
	make_stream(SL_KEY_FLOW, 0, 0);
	meta.header.partition_count = 0;
	meta.header.stream_count = stream_count;
	config.stream_count = stream_count;
	for (uint32_t i = 0; i < stream_count; i++) {
		by_stream[i] = (uint16_t)i;
		streams[i].first_partition = (uint16_t)meta.header.partition_count;
		streams[i].partition_count = counts[i];
		meta.header.partition_count += counts[i];
	}
	sl_steer_init(&table, &config, &meta, by_stream, worker_count);
}

static void expect_workers(uint32_t worker_count)
{
	CU_ASSERT_EQUAL(table.worker_count, worker_count);
	CU_ASSERT_EQUAL(table.ring_count, worker_count);
	for (uint32_t p = 0; p < meta.header.partition_count; p++)
		CU_ASSERT(table.worker_by_partition[p] < worker_count);
}

static void every_partition_has_a_worker_and_each_worker_its_share(void)
{
	static const uint32_t counts[] = {1, 16, 64, 65, 1024, 4096};

	for (size_t i = 0; i < SL_ARRAY_COUNT(counts); i++) {
		for (uint32_t worker_count = 1; worker_count <= 3; worker_count++) {
			uint32_t per_worker[3] = {0};
			uint32_t moves = 0;

			make_streams(&counts[i], 1, worker_count);
			expect_workers(worker_count);
			for (uint32_t p = 0; p < counts[i]; p++) {
				per_worker[table.worker_by_partition[p]]++;
				moves += p > 0 &&
					table.worker_by_partition[p] !=
						table.worker_by_partition[p - 1];
			}
			CU_ASSERT(moves < worker_count); // contiguous ranges
			for (uint32_t w = 0; w < worker_count; w++) {
				CU_ASSERT(per_worker[w] >= counts[i] / worker_count);
				CU_ASSERT(per_worker[w] <= counts[i] / worker_count + 1);
			}
		}
	}
}

static void many_small_streams_spread_over_the_workers(void)
{
	static const uint32_t counts[] = {1, 1, 1, 1};

	make_streams(counts, 4, 2);
	expect_workers(2);
	for (uint32_t p = 0; p < 4; p++)
		CU_ASSERT_EQUAL(table.worker_by_partition[p], p % 2);
	make_streams((const uint32_t[]){1, 100, 3, 7}, 4, 3);
	expect_workers(3);
	make_streams((const uint32_t[]){1, 1}, 2, 32);
	expect_workers(32); // most workers have nothing
}

// A store keeps the partitions of streams that are gone from the configuration.
static void streams_that_are_not_configured_keep_their_workers(void)
{
	make_streams((const uint32_t[]){4000, 2, 300}, 3, 2);
	config.stream_count = 1;
	by_stream[0] = 1;
	sl_steer_init(&table, &config, &meta, by_stream, 2);
	CU_ASSERT_EQUAL(table.worker_by_partition[0], 0);
	CU_ASSERT_EQUAL(table.worker_by_partition[3999], 1);
	CU_ASSERT_NOT_EQUAL(table.worker_by_partition[4000], table.worker_by_partition[4001]);
}

static const struct sl_test tests[] = {
	SL_TEST(a_key_is_a_range_of_the_payload),
	SL_TEST(a_range_takes_as_many_bytes_as_there_are),
	SL_TEST(keys_over_several_segments_hash_the_same),
	SL_TEST(an_empty_datagram_in_segments_has_the_empty_key),
	SL_TEST(a_burst_of_unlike_keys_is_steered_as_each_alone),
	SL_TEST(a_flow_is_addresses_and_ports_in_network_order),
	SL_TEST(every_partition_has_a_worker_and_each_worker_its_share),
	SL_TEST(many_small_streams_spread_over_the_workers),
	SL_TEST(streams_that_are_not_configured_keep_their_workers),
};
SL_SUITE(dataplane_rx_steer);
