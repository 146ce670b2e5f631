/* SPDX-License-Identifier: BSD-3-Clause */
// Made stores and what a reader saw of them, for the two files of reader tests. Thread rule: one
// test at a time.
#pragma once

#include "format/batch_scan.h"
#include "format/store_reader.h"
#include "store_maker.h"
#include "suite.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sl_test_store made;

// Checks each event's value against its name, "P:OFFSET", and remembers the order.
struct seen {
	unsigned count;
	unsigned wrong_count;
	uint64_t first, last;
	uint32_t last_term;
	unsigned stop_after; // 0: never
	uint64_t limit; // 0: none
	uint64_t per_partition_next[8];
};

static inline int see(void *context, const struct sl_store_event *event)
{
	struct seen *seen = context;
	char expected[64];

	snprintf(expected, sizeof(expected), "%u:%llu", (unsigned)event->partition,
		(unsigned long long)event->offset);
	if (event->value_bytes != strlen(expected) ||
		memcmp(event->value, expected, event->value_bytes) != 0)
		seen->wrong_count++;
	if (event->partition < 8) {
		if (event->offset != seen->per_partition_next[event->partition])
			seen->wrong_count++;
		seen->per_partition_next[event->partition] = event->offset + 1;
	}
	if (seen->count == 0)
		seen->first = event->offset;
	seen->last = event->offset;
	seen->last_term = event->term;
	seen->count++;
	return seen->count == seen->stop_after ? 7 : 0;
}

static inline uint64_t limit(void *context, uint16_t partition)
{
	(void)partition;
	return ((struct seen *)context)->limit;
}

static inline int read_partition(uint16_t partition, uint64_t from, struct seen *seen,
	struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_store_visitor visitor = {
		.context = seen, .on_event = see, .limit = seen->limit > 0 ? limit : NULL};
	struct sl_store_reader *store;
	int result = sl_store_reader_open(&store, made.path, err);

	*report = (struct sl_store_report){0};
	if (partition < 8)
		seen->per_partition_next[partition] = from;
	if (result == 0)
		result = sl_store_read_partition(store, partition, from, &visitor, report, err);
	sl_store_reader_close(store);
	return result;
}

static inline int read_stream(struct seen *seen, struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_store_visitor visitor = {
		.context = seen, .on_event = see, .limit = seen->limit > 0 ? limit : NULL};
	struct sl_store_reader *store;
	int result = sl_store_reader_open(&store, made.path, err);

	*report = (struct sl_store_report){0};
	if (result == 0)
		result = sl_store_read_stream(store, 0, &visitor, report, err);
	sl_store_reader_close(store);
	return result;
}

static inline int count(
	struct sl_store_count *counts, struct sl_store_report *report, struct sl_err *err)
{
	struct sl_store_reader *store;
	int result = sl_store_reader_open(&store, made.path, err);

	*report = (struct sl_store_report){0};
	if (result == 0)
		result = sl_store_count(store, counts, NULL, report, err);
	sl_store_reader_close(store);
	return result;
}

static inline struct sl_partition_state state(
	uint16_t partition, uint32_t term, uint64_t term_start, uint64_t next_offset)
{
	return (struct sl_partition_state){.partition = partition,
		.term = term,
		.term_start = term_start,
		.next_offset = next_offset};
}

// Lane 0, three segments, two sealed; partition 0 has offsets 0..29, partition 1 has 0..5.
static inline void make_three_segments(void)
{
	sl_test_store_create(&made, 4);
	for (uint64_t segment = 0; segment < 3; segment++) {
		const struct sl_partition_state states[] = {
			state(0, 1, 0, segment * 10), state(1, 1, 0, segment * 2)};

		if (segment > 0)
			sl_test_segment_seal(&made, 0);
		made.lanes[0].durable_mark = made.lanes[0].number - 1;
		sl_test_segment_open(&made, 0);
		sl_test_states_write(&made, 0, SL_BATCH_CHECKPOINT, states, 2);
		sl_test_events_write(&made, 0, 0, 1, segment * 10, 7);
		sl_test_events_write(&made, 0, 1, 1, segment * 2, 2);
		sl_test_events_write(&made, 0, 0, 1, segment * 10 + 7, 3);
	}
}
