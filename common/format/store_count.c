/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_reader_internal.h"

#include <errno.h>
#include <stdlib.h>

// Live offsets [first, end) as one lane holds them, in one stretch.
struct stretch {
	uint64_t first, end;
	uint32_t last_term;
};

struct stretches {
	struct stretch *stretches;
	size_t count, capacity;
};

static int add_stretch(struct stretches *all, uint64_t first, uint64_t end, uint32_t term)
{
	if (all->count > 0 && all->stretches[all->count - 1].end == first) {
		all->stretches[all->count - 1].end = end;
		all->stretches[all->count - 1].last_term = term;
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
	all->stretches[all->count++] =
		(struct stretch){.first = first, .end = end, .last_term = term};
	return 0;
}

// Adds one table entry, void and unstored offsets cut off.
static int count_entry(struct sl_store_reader *store, struct stretches *partitions,
	const struct sl_batch_table_entry *entry, const struct sl_store_visitor *visitor,
	struct sl_store_report *report)
{
	uint64_t first = entry->first_offset, end = first + entry->event_count;
	uint64_t void_start = sl_store_void_start(store, entry->partition, entry->term);

	if (end > void_start) {
		report->void_event_count += end - SL_MAX(first, void_start);
		end = void_start;
	}
	if (visitor != NULL && visitor->limit != NULL)
		end = SL_MIN(end, visitor->limit(visitor->context, entry->partition));
	first = SL_MAX(first, store->partitions[entry->partition].floor);
	if (first >= end)
		return 0;
	report->event_count += end - first;
	return add_stretch(&partitions[entry->partition], first, end, entry->term);
}

static int count_batch(struct sl_store_reader *store, struct stretches *partitions,
	const struct sl_lane_reader *reader, const struct sl_batch_header *batch,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	int result = 0;

	if (sl_batch_check_runs(batch) != SL_BATCH_OK)
		return sl_lane_reader_damage(reader, "runs that do not add up to the table", err);
	report->unknown_batch_count += !sl_batch_kind_is_known(batch->kind);
	if (batch->kind != SL_BATCH_EVENTS)
		return 0;
	for (uint32_t i = 0; result == 0 && i < batch->table_count; i++) {
		if (table[i].partition >= store->meta.header.partition_count)
			return sl_lane_reader_damage(reader,
				"a partition that " SL_STORE_META_NAME " does not have", err);
		result = count_entry(store, partitions, &table[i], visitor, report);
	}
	if (result == -ENOMEM)
		sl_err_set(err, result, "no memory to count a store");
	return result;
}

static int count_lane(struct sl_store_reader *store, struct stretches *partitions, uint16_t lane,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_batch_header *batch;
	struct sl_lane_reader reader;
	bool is_at_end = false;
	int result = sl_store_open_lane(store, lane, &reader, err);

	while (result == 0) {
		result = sl_lane_reader_next(&reader, &batch, err);
		is_at_end = result == 0;
		if (result <= 0)
			break;
		result = count_batch(store, partitions, &reader, batch, visitor, report, err);
	}
	sl_store_report_lane(report, &reader, is_at_end);
	sl_lane_reader_close(&reader);
	return result;
}

static int compare_stretches(const void *a, const void *b)
{
	uint64_t left = ((const struct stretch *)a)->first;
	uint64_t right = ((const struct stretch *)b)->first;

	return (left > right) - (left < right);
}

static void sum_up(struct stretches *all, struct sl_store_count *count)
{
	uint64_t end = 0; // of what was seen so far
	uint32_t term = 0;

	*count = (struct sl_store_count){0};
	if (all->count == 0)
		return;
	qsort(all->stretches, all->count, sizeof(*all->stretches), compare_stretches);
	count->first_offset = all->stretches[0].first;
	for (size_t i = 0; i < all->count; i++) {
		const struct stretch *stretch = &all->stretches[i];

		count->event_count += stretch->end - stretch->first;
		if (stretch->first < end)
			count->double_count += SL_MIN(end, stretch->end) - stretch->first;
		else if (i > 0 && sl_term_has_jumped(term, stretch->last_term))
			count->jumped_count += stretch->first - end;
		end = SL_MAX(end, stretch->end);
		term = stretch->last_term;
	}
	count->last_offset = end - 1;
}

int sl_store_count(struct sl_store_reader *store, struct sl_store_count *counts,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err)
{
	uint32_t partition_count = store->meta.header.partition_count;
	struct stretches *partitions = calloc(SL_MAX(partition_count, 1u), sizeof(*partitions));
	int result = 0;

	if (partitions == NULL)
		return sl_err_set(err, -ENOMEM, "no memory to count a store");
	for (uint32_t i = 0; result == 0 && i < store->meta.header.lane_count; i++)
		result = count_lane(
			store, partitions, store->meta.lanes[i].lane, visitor, report, err);
	for (uint32_t i = 0; i < partition_count; i++) {
		sum_up(&partitions[i], &counts[i]);
		free(partitions[i].stretches);
	}
	free(partitions);
	return result;
}
