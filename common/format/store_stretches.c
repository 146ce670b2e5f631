/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_stretches.h"

#include "format/batch_scan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// Consecutive offsets of one term in one lane.
struct stretch {
	uint64_t first, end;
	uint32_t term;
	uint16_t lane;
};

struct partition {
	struct stretch *stretches;
	size_t count, capacity;
};

struct sl_store_stretches {
	const struct sl_store_meta *meta;
	bool has_expired[UINT16_MAX + 1]; // by lane
	bool has_any_expired;
	struct partition partitions[]; // meta->header.partition_count
};

struct sl_store_stretches *sl_store_stretches_create(const struct sl_store_meta *meta)
{
	struct sl_store_stretches *all =
		calloc(1, sizeof(*all) + meta->header.partition_count * sizeof(all->partitions[0]));

	if (all != NULL)
		all->meta = meta;
	return all;
}

void sl_store_stretches_destroy(struct sl_store_stretches *all)
{
	for (uint32_t i = 0; all != NULL && i < all->meta->header.partition_count; i++)
		free(all->partitions[i].stretches);
	free(all);
}

static bool add(
	struct sl_store_stretches *all, uint16_t partition_number, const struct stretch *stretch)
{
	struct partition *partition;
	struct stretch *last;

	if (partition_number >= all->meta->header.partition_count || stretch->first == stretch->end)
		return true; // the lane's judge has said so
	partition = &all->partitions[partition_number];
	last = partition->count > 0 ? &partition->stretches[partition->count - 1] : NULL;
	if (last != NULL && last->term == stretch->term && last->lane == stretch->lane &&
		last->end == stretch->first) {
		last->end = stretch->end;
		return true;
	}
	if (partition->count == partition->capacity) {
		size_t capacity = SL_MAX(partition->capacity * 2, (size_t)4);
		void *grown =
			realloc(partition->stretches, capacity * sizeof(*partition->stretches));

		if (grown == NULL)
			return false;
		partition->stretches = grown;
		partition->capacity = capacity;
	}
	partition->stretches[partition->count++] = *stretch;
	return true;
}

bool sl_store_stretches_add_lost(
	struct sl_store_stretches *all, uint16_t lane, const struct sl_lost_range *range)
{
	const struct stretch stretch = {.first = range->first,
		.end = range->first + range->count,
		.term = range->term,
		.lane = lane};

	return add(all, range->partition, &stretch);
}

static bool add_fence(struct sl_store_stretches *all, const struct sl_batch_header *batch)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	bool is_added = true;

	sl_run_iterator_init(&iterator, batch);
	while (is_added && sl_run_next(&iterator, &run, NULL)) {
		const struct sl_lost_offsets *lost = run.data;

		for (uint32_t i = 0; run.type == SL_RUN_LOST && i < run.bytes / sizeof(*lost);
			i++) {
			const struct sl_lost_range range = {.first = lost[i].first_offset,
				.count = lost[i].count,
				.term = lost[i].term,
				.partition = lost[i].partition};

			is_added =
				is_added && sl_store_stretches_add_lost(all, batch->lane, &range);
		}
	}
	sl_run_iterator_fini(&iterator);
	return is_added;
}

bool sl_store_stretches_add(struct sl_store_stretches *all, const struct sl_batch_header *batch)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	bool is_added = true;

	if (batch->kind == SL_BATCH_FENCE)
		return add_fence(all, batch);
	for (uint32_t i = 0; batch->kind == SL_BATCH_EVENTS && is_added && i < batch->table_count;
		i++) {
		const struct stretch stretch = {.first = table[i].first_offset,
			.end = table[i].first_offset + table[i].event_count,
			.term = table[i].term,
			.lane = batch->lane};

		is_added = add(all, table[i].partition, &stretch);
	}
	return is_added;
}

void sl_store_stretches_expired(struct sl_store_stretches *all, uint16_t lane)
{
	all->has_expired[lane] = all->has_any_expired = true;
}

static int compare(const void *a, const void *b)
{
	const struct stretch *left = a, *right = b;

	if (left->term != right->term)
		return left->term < right->term ? -1 : 1;
	return (left->first > right->first) - (left->first < right->first);
}

static void say(struct sl_judgement *judgement, uint16_t lane, const char *path, uint32_t partition,
	const char *what, const struct stretch *stretch)
{
	sl_judgement_add(judgement, SL_FINDING_TERMS, SL_FINDING_LOSS, lane, path,
		"partition %" PRIu32 ": %s (lane %u, term %" PRIu32 ", offsets %" PRIu64
		" to %" PRIu64 ")",
		partition, what, stretch->lane, stretch->term, stretch->first, stretch->end - 1);
}

static void judge_against_meta(const struct sl_store_stretches *all, uint32_t number,
	const struct stretch *last, const char *path, struct sl_judgement *judgement)
{
	const struct sl_store_meta_partition *stored = &all->meta->partitions[number];

	if (last->term > stored->term)
		say(judgement, SL_LANE_NONE, path, number,
			"a lane holds a term that store.meta does not know: its newest state is lost",
			last);
	else if (last->term == stored->term && last->lane != stored->lane)
		say(judgement, SL_LANE_NONE, path, number,
			"store.meta gives this term to another lane", last);
}

static void judge_neighbours(const struct sl_store_stretches *all, uint32_t number,
	const struct stretch *left, const struct stretch *right, const char *path,
	struct sl_judgement *judgement)
{
	if (left->term == right->term && left->lane != right->lane)
		say(judgement, right->lane, path, number,
			"two lanes hold the same term: two writers were at work", right);
	else if (left->term == right->term && right->first < left->end)
		say(judgement, right->lane, path, number, "offsets that are there twice", right);
	// Within a lane and term the lane's judge has said what is missing. A lower term is void
	// from where the higher one starts, and a term in between may have expired.
	else if (left->term < right->term && right->first > left->end &&
		!sl_term_has_jumped(left->term, right->term) && !all->has_expired[right->lane] &&
		!(all->has_any_expired && right->term > left->term + 1))
		sl_judgement_add(judgement, SL_FINDING_TERMS, SL_FINDING_LOSS, left->lane, path,
			"partition %" PRIu32 ": offsets %" PRIu64 " to %" PRIu64
			" are nowhere: term %" PRIu32 " ends before them in lane %u, term %" PRIu32
			" begins behind them in lane %u",
			number, left->end, right->first - 1, left->term, left->lane, right->term,
			right->lane);
}

void sl_store_stretches_judge(
	struct sl_store_stretches *all, const char *path, struct sl_judgement *judgement)
{
	for (uint32_t i = 0; i < all->meta->header.partition_count; i++) {
		struct partition *partition = &all->partitions[i];

		if (partition->count == 0)
			continue;
		qsort(partition->stretches, partition->count, sizeof(*partition->stretches),
			compare);
		judge_against_meta(
			all, i, &partition->stretches[partition->count - 1], path, judgement);
		for (size_t k = 1; k < partition->count; k++)
			judge_neighbours(all, i, &partition->stretches[k - 1],
				&partition->stretches[k], path, judgement);
	}
}
