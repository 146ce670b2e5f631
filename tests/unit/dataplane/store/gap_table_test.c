/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/gap_table.h"

#include "suite.h"

#include <pthread.h>
#include <string.h>

static const struct sl_gap_streams streams = {.count = 2,
	.streams = {{.partition_count = 4, .first_partition = 0, .stream = 5},
		{.partition_count = 2, .first_partition = 10, .stream = 6}}};
static const char ring_full[] = "ring_full", lane_full[] = "lane_full";
static struct sl_gap_table table;

static void clear(void)
{
	memset(&table, 0, sizeof(table));
	table.streams = &streams;
}

static struct sl_gap_key key_of(uint64_t source, const char *reason)
{
	return (struct sl_gap_key){.address = {source, 0},
		.reason = reason,
		.stream = 5,
		.family = 4,
		.sources = SL_GAP_SOURCES_ONE};
}

static void note(uint64_t source, const char *reason, uint64_t count, uint64_t now_ns)
{
	const struct sl_gap_key key = key_of(source, reason);

	sl_gap_note(&table, &key, count, now_ns);
}

struct found {
	uint64_t sum;
	uint32_t gap_count, one_count, many_count, streamless_count;
	struct sl_run_gap last;
};

static struct found take_all(void)
{
	struct found found = {0};

	for (uint32_t i = 0; i < SL_GAP_SLOT_COUNT; i++) {
		struct sl_run_gap gap;
		uint64_t count = sl_gap_peek(&table, i, &gap);

		if (count == 0)
			continue;
		sl_gap_take(&table, i, count, gap.last_ns);
		found.gap_count++;
		found.sum += gap.count;
		found.one_count += gap.sources == SL_GAP_SOURCES_ONE;
		found.many_count += gap.sources == SL_GAP_SOURCES_MANY;
		found.streamless_count += gap.stream == SL_GAP_STREAM_NONE;
		found.last = gap;
	}
	return found;
}

static void losses_of_one_key_are_one_gap(void)
{
	clear();
	note(1, ring_full, 2, 1000);
	note(1, ring_full, 3, 1500);
	struct found found = take_all();
	CU_ASSERT_EQUAL(found.gap_count, 1);
	CU_ASSERT_EQUAL(found.last.count, 5);
	CU_ASSERT_EQUAL(found.last.first_ns, 1000);
	CU_ASSERT_EQUAL(found.last.last_ns, 1500);
	CU_ASSERT_EQUAL(found.last.stream, 5);
	CU_ASSERT_EQUAL(found.last.family, 4);
	CU_ASSERT_STRING_EQUAL(found.last.reason, "ring_full");
	CU_ASSERT_EQUAL(take_all().gap_count, 0);
	note(1, ring_full, 1, 9000);
	found = take_all();
	CU_ASSERT_EQUAL(found.last.count, 1);
	CU_ASSERT_EQUAL(found.last.first_ns, 9000);
}

static void other_sources_streams_and_reasons_are_other_gaps(void)
{
	struct sl_gap_key key = key_of(1, ring_full);

	clear();
	note(1, ring_full, 1, 10);
	note(2, ring_full, 1, 10);
	note(1, lane_full, 1, 10);
	key.stream = 6;
	sl_gap_note(&table, &key, 1, 10);
	struct found found = take_all();
	CU_ASSERT_EQUAL(found.gap_count, 4);
	CU_ASSERT_EQUAL(found.sum, 4);
}

static void too_many_sources_are_counted_together_and_none_is_lost(void)
{
	clear();
	for (uint64_t source = 1; source <= 10000; source++)
		note(source, ring_full, 1, source);
	struct found found = take_all();
	CU_ASSERT_EQUAL(found.sum, 10000);
	CU_ASSERT(found.one_count > SL_GAP_SOURCE_SLOT_COUNT / 2);
	CU_ASSERT(found.one_count <= SL_GAP_SOURCE_SLOT_COUNT);
	CU_ASSERT_EQUAL(found.many_count, 1);
	// Taken slots are there for others.
	for (uint64_t source = 20001; source <= 20020; source++)
		note(source, ring_full, 1, source);
	CU_ASSERT(take_all().one_count > 10);
}

static void too_many_streams_are_counted_by_reason(void)
{
	struct sl_gap_key key = {.reason = ring_full};

	clear();
	for (uint16_t stream = 0; stream < 200; stream++) {
		key.stream = stream;
		sl_gap_note(&table, &key, 2, 10);
	}
	struct found found = take_all();
	CU_ASSERT_EQUAL(found.sum, 400);
	CU_ASSERT_EQUAL(found.gap_count, SL_GAP_STREAM_SLOT_COUNT + 1);
	CU_ASSERT_EQUAL(found.streamless_count, 1);
}

static void a_slot_that_is_not_taken_keeps_its_key(void)
{
	struct sl_run_gap gap;
	uint32_t index = 0;
	uint64_t count;

	clear();
	note(1, ring_full, 4, 100);
	while ((count = sl_gap_peek(&table, index, &gap)) == 0)
		index++;
	// More of it between looking and taking: that is the next gap, and begins where this ends.
	note(1, ring_full, 6, 300);
	sl_gap_take(&table, index, count, gap.last_ns);
	struct found found = take_all();
	CU_ASSERT_EQUAL(gap.count, 4);
	CU_ASSERT_EQUAL(found.last.count, 6);
	CU_ASSERT_EQUAL(found.last.first_ns, 100);
	CU_ASSERT_EQUAL(found.last.last_ns, 300);
}

static void partitions_tell_their_stream(void)
{
	clear();
	CU_ASSERT_EQUAL(sl_gap_stream_of(&streams, 3)->stream, 5);
	CU_ASSERT_EQUAL(sl_gap_stream_of(&streams, 11)->stream, 6);
	CU_ASSERT_PTR_NULL(sl_gap_stream_of(&streams, 4));
	CU_ASSERT_PTR_NULL(sl_gap_stream_of(&streams, 12));
	sl_gap_note_partition(&table, 10, lane_full, 9, 50);
	sl_gap_note_partition(NULL, 10, lane_full, 9, 50);
	struct found found = take_all();
	CU_ASSERT_EQUAL(found.sum, 9);
	CU_ASSERT_EQUAL(found.last.stream, 6);
	CU_ASSERT_EQUAL(found.last.sources, SL_GAP_SOURCES_UNKNOWN);
}

static void frames_keep_the_port_that_lost_them(void)
{
	struct sl_gap_key key = {
		.reason = "port_missed", .stream = SL_GAP_STREAM_NONE, .unit = SL_GAP_FRAMES};
	uint64_t sums[3] = {0};

	clear();
	for (uint8_t port = 1; port <= 2; port++) {
		key.port = port;
		sl_gap_note(&table, &key, port * 100u, 10);
		sl_gap_note(&table, &key, 7, 20);
	}
	for (uint32_t i = 0; i < SL_GAP_SLOT_COUNT; i++) {
		struct sl_run_gap gap;

		if (sl_gap_peek(&table, i, &gap) > 0 && gap.port < 3)
			sums[gap.port] += gap.count;
	}
	CU_ASSERT_EQUAL(sums[0], 0);
	CU_ASSERT_EQUAL(sums[1], 107);
	CU_ASSERT_EQUAL(sums[2], 207);
}

#define RACE_COUNT 200000u

static void *note_many(void *context)
{
	bool *is_done = context;

	for (uint64_t i = 0; i < RACE_COUNT; i++)
		note(1 + i % 100, i % 2 == 0 ? ring_full : lane_full, 1, 1 + i);
	SL_STORE_RELEASE(*is_done, true);
	return NULL;
}

// One notes while another takes: every gap is whole, and the sum is that of the losses.
static void a_taker_sees_every_loss_once_while_they_go_on(void)
{
	pthread_t noter;
	uint64_t sum = 0;
	uint32_t torn_count = 0;
	bool is_done = false;

	clear();
	CU_ASSERT_EQUAL_FATAL(pthread_create(&noter, NULL, note_many, &is_done), 0);
	while (!SL_LOAD_ACQUIRE(is_done)) {
		for (uint32_t i = 0; i < SL_GAP_SLOT_COUNT; i++) {
			struct sl_run_gap gap;
			uint64_t count = sl_gap_peek(&table, i, &gap);

			if (count == 0)
				continue;
			torn_count += gap.first_ns > gap.last_ns || gap.count > RACE_COUNT ||
				(strcmp(gap.reason, ring_full) != 0 &&
					strcmp(gap.reason, lane_full) != 0);
			sum += gap.count;
			sl_gap_take(&table, i, count, gap.last_ns);
		}
	}
	pthread_join(noter, NULL);
	CU_ASSERT_EQUAL(sum + take_all().sum, RACE_COUNT);
	CU_ASSERT_EQUAL(torn_count, 0);
}

static const struct sl_test tests[] = {
	SL_TEST(losses_of_one_key_are_one_gap),
	SL_TEST(other_sources_streams_and_reasons_are_other_gaps),
	SL_TEST(too_many_sources_are_counted_together_and_none_is_lost),
	SL_TEST(too_many_streams_are_counted_by_reason),
	SL_TEST(a_slot_that_is_not_taken_keeps_its_key),
	SL_TEST(partitions_tell_their_stream),
	SL_TEST(frames_keep_the_port_that_lost_them),
	SL_TEST(a_taker_sees_every_loss_once_while_they_go_on),
};
SL_SUITE(dataplane_store_gap_table);
