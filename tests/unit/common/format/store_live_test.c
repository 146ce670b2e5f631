/* SPDX-License-Identifier: BSD-3-Clause */
// A reader beside a writer: batches that land out of order, segments that roll, get their footer
// late and are removed. Whatever the moment, a read up to the watermark is whole and right.
#include "format/store_reader.h"

#include "store_maker.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_COUNT 1500u
#define BATCH_EVENTS 3u
#define SEGMENT_BATCHES 40u
#define SEGMENTS_KEPT 3u

static struct sl_test_store made;
static uint64_t watermark; // published by the writer
static bool is_over;

static void make_batch(uint64_t *next_offset)
{
	char value[32];

	sl_test_batch_init(&made.batch, SL_BATCH_EVENTS);
	for (unsigned i = 0; i < BATCH_EVENTS; i++, (*next_offset)++)
		sl_test_batch_event(&made.batch, 0, 1, *next_offset, value,
			(size_t)snprintf(
				value, sizeof(value), "0:%llu", (unsigned long long)*next_offset));
}

// Seals the segment, opens the next one and removes what is too old, as the keeper does: the footer
// comes when the next segment is there already.
static void roll(uint64_t next_offset)
{
	const struct sl_partition_state state = {.next_offset = next_offset, .term = 1};
	struct sl_test_lane *lane = &made.lanes[0];
	struct sl_test_lane full = *lane;

	lane->fd = -1;
	lane->durable_mark = lane->number - 1;
	sl_test_segment_open(&made, 0);
	sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, &state, 1);
	if (full.fd >= 0) {
		struct sl_test_lane open = *lane;

		*lane = full;
		sl_test_segment_seal(&made, 0);
		close(full.fd);
		*lane = open;
	}
	if (lane->segment > SEGMENTS_KEPT)
		unlink(sl_test_segment_path(&made, 0, lane->segment - SEGMENTS_KEPT));
}

static void *write_all(void *context)
{
	static char held[SL_BLOCK_BYTES];
	struct sl_test_lane *lane = &made.lanes[0];
	uint64_t next_offset = 0;

	for (unsigned i = 0; i < BATCH_COUNT; i += 2) {
		uint64_t position;

		if (i % SEGMENT_BATCHES == 0)
			roll(next_offset);
		// Two under way: the second lands first.
		lane->durable_mark = lane->number - 1;
		make_batch(&next_offset);
		position = sl_test_batch_lose(&made, 0);
		memcpy(held, made.batch.bytes, sizeof(held));
		make_batch(&next_offset);
		sl_test_batch_write(&made, 0);
		sl_test_segment_poke(&made, 0, lane->segment, position, held, sizeof(held));
		SL_STORE_RELEASE(watermark, next_offset);
	}
	SL_STORE_RELEASE(is_over, true);
	return context;
}

struct reading {
	uint64_t limit;
	uint64_t next_offset; // 0 before the first
	uint64_t wrong_count;
};

static int check(void *context, const struct sl_store_event *event)
{
	struct reading *reading = context;
	char value[32];
	int bytes = snprintf(value, sizeof(value), "0:%llu", (unsigned long long)event->offset);

	reading->wrong_count += event->value_bytes != (uint32_t)bytes ||
		memcmp(event->value, value, (size_t)bytes) != 0 ||
		event->offset >= reading->limit || event->offset < reading->next_offset;
	reading->next_offset = event->offset + 1;
	return 0;
}

static uint64_t limit(void *context, uint16_t partition)
{
	(void)partition;
	return ((struct reading *)context)->limit;
}

// From a little before the watermark, as a consumer that follows does, or from the beginning.
static void read_once(struct sl_store_reader *store, bool from_start, uint64_t *wrong_count)
{
	struct reading reading = {.limit = SL_LOAD_ACQUIRE(watermark)};
	const struct sl_store_visitor visitor = {
		.context = &reading, .on_event = check, .limit = limit};
	struct sl_store_report report = {0};
	struct sl_err err = {0};
	uint64_t from = from_start || reading.limit < 50 ? 0 : reading.limit - 50;
	int result = sl_store_read_partition(store, 0, from, &visitor, &report, &err);

	if (result != 0) {
		printf("up to %llu: %s\n", (unsigned long long)reading.limit, err.text);
		(*wrong_count)++;
	}
	*wrong_count += reading.wrong_count;
	// Everything up to the limit, but for what expired while we read.
	if (report.expired_segment_count == 0 && report.has_first &&
		report.next_offset != reading.limit) {
		printf("up to %llu: ends at %llu\n", (unsigned long long)reading.limit,
			(unsigned long long)report.next_offset);
		(*wrong_count)++;
	}
}

static void a_reader_beside_a_writer_sees_everything_below_the_watermark(void)
{
	struct sl_store_reader *store;
	struct sl_err err = {0};
	uint64_t wrong_count = 0;
	unsigned read_count = 0;
	pthread_t thread;

	sl_test_store_create(&made, 2);
	watermark = 0;
	is_over = false;
	CU_ASSERT_EQUAL_FATAL(sl_store_reader_open(&store, made.path, &err), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, write_all, NULL), 0);
	while (!SL_LOAD_ACQUIRE(is_over))
		read_once(store, read_count++ % 2 == 0, &wrong_count);
	pthread_join(thread, NULL);
	read_once(store, true, &wrong_count);
	CU_ASSERT_EQUAL(wrong_count, 0);
	CU_ASSERT_EQUAL(watermark, (uint64_t)BATCH_COUNT * BATCH_EVENTS);
	sl_store_reader_close(store);
	sl_test_store_destroy(&made);
}

static const struct sl_test tests[] = {
	SL_TEST(a_reader_beside_a_writer_sees_everything_below_the_watermark),
};
SL_SUITE(common_format_store_live);
