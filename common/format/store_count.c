/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/batch_scan.h"
#include "format/store_reader_internal.h"
#include "format/store_walk.h"

#include <errno.h>
#include <stdlib.h>

// Live offsets [first, end) as one lane holds them, in one stretch, or as a fence says that they
// are lost.
struct stretch {
	uint64_t first, end;
	uint32_t first_term, last_term;
	uint16_t lane;
	bool is_lost;
};

struct stretches {
	struct stretch *stretches;
	size_t count, capacity;
};

struct sl_store_counter {
	struct sl_store_reader *store;
	const struct sl_store_visitor *visitor;
	struct sl_store_report *report;
	bool is_known[UINT16_MAX + 1]; // by lane: its first batch was seen
	bool has_expired[UINT16_MAX + 1];
	bool has_any_expired;
	struct stretches partitions[]; // meta.header.partition_count
};

static int add_stretch(struct stretches *all, const struct stretch *stretch)
{
	struct stretch *last = all->count > 0 ? &all->stretches[all->count - 1] : NULL;

	if (last != NULL && last->end == stretch->first && last->lane == stretch->lane &&
		last->is_lost == stretch->is_lost) {
		last->end = stretch->end;
		last->last_term = stretch->last_term;
		return 0;
	}
	if (all->count == all->capacity) {
		size_t capacity = SL_MAX(all->capacity * 2, (size_t)4);
		void *grown = realloc(all->stretches, capacity * sizeof(*all->stretches));

		if (grown == NULL)
			return -ENOMEM;
		all->stretches = grown;
		all->capacity = capacity;
	}
	all->stretches[all->count++] = *stretch;
	return 0;
}

// Adds count offsets of one term, void and unstored ones cut off.
static int count_offsets(struct sl_store_counter *counter, uint16_t partition, uint64_t count,
	struct stretch stretch)
{
	const struct sl_store_visitor *visitor = counter->visitor;
	uint64_t first = stretch.first, end = first + count;
	uint64_t void_start = sl_store_void_start(counter->store, partition, stretch.last_term);

	if (end > void_start) {
		if (!stretch.is_lost)
			counter->report->void_event_count += end - SL_MAX(first, void_start);
		end = void_start;
	}
	if (visitor != NULL && visitor->limit != NULL)
		end = SL_MIN(end, visitor->limit(visitor->context, partition));
	first = SL_MAX(first, counter->store->partitions[partition].floor);
	if (first >= end)
		return 0;
	if (!stretch.is_lost)
		counter->report->event_count += end - first;
	stretch.first = first;
	stretch.end = end;
	return add_stretch(&counter->partitions[partition], &stretch);
}

static int count_table(struct sl_store_counter *counter, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < batch->table_count; i++) {
		if (table[i].partition >= counter->store->meta.header.partition_count)
			return sl_lane_reader_damage(reader,
				"a partition that " SL_STORE_META_NAME " does not have", err);
		result = count_offsets(counter, table[i].partition, table[i].event_count,
			(struct stretch){.first = table[i].first_offset,
				.first_term = table[i].term,
				.last_term = table[i].term,
				.lane = batch->lane});
	}
	return result;
}

static int count_fence(struct sl_store_counter *counter, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = 0;

	sl_run_iterator_init(&iterator, batch);
	while (result == 0 && sl_run_next(&iterator, &run, NULL)) {
		const struct sl_lost_offsets *lost = run.data;
		uint32_t record_count =
			run.type == SL_RUN_LOST ? run.bytes / (uint32_t)sizeof(*lost) : 0;

		for (uint32_t i = 0; result == 0 && i < record_count; i++) {
			if (lost[i].partition >= counter->store->meta.header.partition_count)
				result = sl_lane_reader_damage(reader,
					"a partition that " SL_STORE_META_NAME " does not have",
					err);
			else
				result = count_offsets(counter, lost[i].partition, lost[i].count,
					(struct stretch){.first = lost[i].first_offset,
						.first_term = lost[i].term,
						.last_term = lost[i].term,
						.lane = batch->lane,
						.is_lost = true});
		}
	}
	sl_run_iterator_fini(&iterator);
	return result;
}

static void note_expired(struct sl_store_counter *counter, const struct sl_batch_header *batch)
{
	if (counter->is_known[batch->lane])
		return;
	counter->is_known[batch->lane] = true;
	counter->has_expired[batch->lane] = batch->segment > 1;
	counter->has_any_expired |= batch->segment > 1;
}

int sl_store_counter_add(void *context, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err)
{
	struct sl_store_counter *counter = context;
	int result = 0;

	note_expired(counter, batch);
	if (batch->kind == SL_BATCH_EVENTS)
		result = count_table(counter, reader, batch, err);
	else if (batch->kind == SL_BATCH_FENCE)
		result = count_fence(counter, reader, batch, err);
	if (result == -ENOMEM)
		sl_err_set(err, result, "no memory to count a store");
	return result;
}

static int compare_stretches(const void *a, const void *b)
{
	uint64_t left = ((const struct stretch *)a)->first;
	uint64_t right = ((const struct stretch *)b)->first;

	return (left > right) - (left < right);
}

// Nobody has these offsets: they were never given, or have expired where a term moved on in a lane
// that begins later (docs/format.md, "Terms"); else they should be there.
static void count_hole(const struct sl_store_counter *counter, uint64_t count, uint32_t term,
	const struct stretch *right, struct sl_store_count *sum)
{
	if (sl_term_has_jumped(term, right->first_term))
		sum->jumped_count += count;
	else if (term < right->first_term &&
		(counter->has_expired[right->lane] ||
			(counter->has_any_expired && right->first_term > term + 1)))
		sum->expired_count += count;
}

static void sum_up(
	const struct sl_store_counter *counter, struct stretches *all, struct sl_store_count *sum)
{
	uint64_t end = 0; // of what was seen so far
	uint32_t term = 0;

	*sum = (struct sl_store_count){0};
	if (all->count == 0)
		return;
	qsort(all->stretches, all->count, sizeof(*all->stretches), compare_stretches);
	sum->first_offset = all->stretches[0].first;
	for (size_t i = 0; i < all->count; i++) {
		const struct stretch *stretch = &all->stretches[i];

		*(stretch->is_lost ? &sum->lost_count : &sum->event_count) +=
			stretch->end - stretch->first;
		if (stretch->first < end)
			sum->double_count += SL_MIN(end, stretch->end) - stretch->first;
		else if (i > 0)
			count_hole(counter, stretch->first - end, term, stretch, sum);
		end = SL_MAX(end, stretch->end);
		term = stretch->last_term;
	}
	sum->last_offset = end - 1;
}

void sl_store_counter_sum_up(struct sl_store_counter *counter, struct sl_store_count *counts)
{
	for (uint32_t i = 0; i < counter->store->meta.header.partition_count; i++)
		sum_up(counter, &counter->partitions[i], &counts[i]);
}

struct sl_store_counter *sl_store_counter_create(struct sl_store_reader *store,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	struct sl_store_counter *counter = calloc(1,
		sizeof(*counter) +
			store->meta.header.partition_count * sizeof(counter->partitions[0]));

	if (counter == NULL) {
		sl_err_set(err, -ENOMEM, "no memory to count a store");
		return NULL;
	}
	counter->store = store;
	counter->visitor = visitor;
	counter->report = report;
	return counter;
}

void sl_store_counter_destroy(struct sl_store_counter *counter)
{
	if (counter == NULL)
		return;
	for (uint32_t i = 0; i < counter->store->meta.header.partition_count; i++)
		free(counter->partitions[i].stretches);
	free(counter);
}

bool sl_store_counter_has_any_expired(const struct sl_store_counter *counter)
{
	return counter->has_any_expired;
}

bool sl_store_counter_has_expired(const struct sl_store_counter *counter, uint16_t lane)
{
	return counter->has_expired[lane];
}

int sl_store_count(struct sl_store_reader *store, struct sl_store_count *counts,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	struct sl_store_counter *counter = sl_store_counter_create(store, visitor, report, err);
	int result;

	if (counter == NULL)
		return -ENOMEM;
	result = sl_store_walk(store, sl_store_counter_add, counter, report, err);
	sl_store_counter_sum_up(counter, counts);
	sl_store_counter_destroy(counter);
	return result;
}
