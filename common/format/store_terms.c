/* SPDX-License-Identifier: BSD-3-Clause */
// Who owned which offsets. A term that a partition has left is known only to the lane it lived in:
// to the checkpoint at the head of each segment and to the epoch starts inside. Partitions move at
// a start, or with a new segment of the lane they go to, so a segment whose successor opens in the
// same epoch hides nothing behind its head.
#include "format/store_reader_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct learner {
	struct sl_store_reader *store;
	uint16_t lane; // being looked at
	uint64_t segment;
	bool is_behind_expired; // at the head of the oldest segment, and there were older ones
	int result;
	struct sl_err *err;
};

static int compare_terms(const void *a, const void *b)
{
	uint32_t left = ((const struct sl_store_term *)a)->term;
	uint32_t right = ((const struct sl_store_term *)b)->term;

	return (left > right) - (left < right);
}

// Exact starts come from states, the others from the first batch that was met.
static int add_term(struct sl_store_reader *store, uint16_t partition,
	const struct sl_store_term *term, struct sl_err *err)
{
	struct sl_store_terms *known = &store->partitions[partition];
	struct sl_store_term *grown;

	if (term->term == 0)
		return 0;
	for (uint32_t i = 0; i < known->count; i++) {
		if (known->terms[i].term != term->term)
			continue;
		known->terms[i].end = SL_MAX(known->terms[i].end, term->end);
		known->terms[i].last_segment =
			SL_MAX(known->terms[i].last_segment, term->last_segment);
		if (known->terms[i].lane != term->lane)
			return sl_err_set(err, -EBADMSG,
				"%s: lanes %u and %u both hold term %" PRIu32
				" of partition %u: two writers were at work; restore the store from "
				"a copy",
				store->path, known->terms[i].lane, term->lane, term->term,
				partition);
		return 0;
	}
	grown = realloc(known->terms, (known->count + 1) * sizeof(*grown));
	if (grown == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for the terms of a store");
	grown[known->count++] = *term;
	known->terms = grown;
	qsort(grown, known->count, sizeof(*grown), compare_terms);
	return 0;
}

static void learn_state(void *context, const struct sl_partition_state *state)
{
	struct learner *learner = context;
	const struct sl_store_term term = {.start = state->term_start,
		.end = state->next_offset,
		.last_segment = learner->segment,
		.term = state->term,
		.lane = learner->lane};
	struct sl_store_terms *known;

	if (learner->result != 0 || state->partition >= learner->store->meta.header.partition_count)
		return;
	learner->result = add_term(learner->store, state->partition, &term, learner->err);
	known = &learner->store->partitions[state->partition];
	if (learner->is_behind_expired && state->next_offset > state->term_start)
		known->floor = SL_MAX(known->floor, state->next_offset);
}

static void learn_lost(void *context, const struct sl_lost_offsets *lost)
{
	struct learner *learner = context;
	const struct sl_store_term term = {.start = lost->first_offset,
		.end = lost->first_offset + lost->count,
		.last_segment = learner->segment,
		.term = lost->term,
		.lane = learner->lane};

	if (learner->result == 0 && lost->partition < learner->store->meta.header.partition_count)
		learner->result = add_term(learner->store, lost->partition, &term, learner->err);
}

static void learn_table(struct learner *learner, const struct sl_batch_header *batch)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);

	for (uint32_t i = 0; i < batch->table_count && learner->result == 0; i++) {
		const struct sl_store_term term = {.start = table[i].first_offset,
			.end = table[i].first_offset + table[i].event_count,
			.last_segment = learner->segment,
			.term = table[i].term,
			.lane = learner->lane};

		if (table[i].partition < learner->store->meta.header.partition_count)
			learner->result =
				add_term(learner->store, table[i].partition, &term, learner->err);
	}
}

void sl_store_batch_states(const struct sl_batch_header *batch,
	void (*on_state)(void *context, const struct sl_partition_state *state), void *context)
{
	struct sl_run_iterator iterator;
	struct sl_run run;

	if (batch->kind != SL_BATCH_CHECKPOINT && batch->kind != SL_BATCH_EPOCH_START)
		return;
	sl_run_iterator_init(&iterator, batch);
	while (sl_run_next(&iterator, &run, NULL)) {
		const struct sl_partition_state *states = run.data;

		if (run.type != SL_RUN_PARTITION_STATE)
			continue;
		for (uint32_t i = 0; i < run.bytes / sizeof(*states); i++)
			on_state(context, &states[i]);
	}
	sl_run_iterator_fini(&iterator);
}

void sl_store_batch_lost(const struct sl_batch_header *batch,
	void (*on_lost)(void *context, const struct sl_lost_offsets *lost), void *context)
{
	struct sl_run_iterator iterator;
	struct sl_run run;

	if (batch->kind != SL_BATCH_FENCE)
		return;
	sl_run_iterator_init(&iterator, batch);
	while (sl_run_next(&iterator, &run, NULL)) {
		const struct sl_lost_offsets *lost = run.data;

		for (uint32_t i = 0; run.type == SL_RUN_LOST && i < run.bytes / sizeof(*lost); i++)
			on_lost(context, &lost[i]);
	}
	sl_run_iterator_fini(&iterator);
}

int sl_store_head_states(struct sl_segment_file *file, uint64_t *epoch,
	void (*on_state)(void *context, const struct sl_partition_state *state), void *context,
	struct sl_err *err)
{
	const struct sl_batch_header *batch;
	enum sl_batch_verdict verdict;
	uint64_t position = 0;

	*epoch = 0;
	for (;;) {
		int result = sl_segment_file_batch(file, position, false, &batch, &verdict, err);

		if (result < 0)
			return result;
		if (verdict != SL_BATCH_OK || batch->kind != SL_BATCH_CHECKPOINT ||
			sl_batch_check_runs(batch) != SL_BATCH_OK)
			return 0;
		if (position == 0)
			*epoch = batch->epoch;
		sl_store_batch_states(batch, on_state, context);
		if (batch->flags & SL_BATCH_FLAG_CHECKPOINT_END)
			return 0;
		position += sl_batch_block_bytes(batch);
	}
}

// The segment in full, up to its first break. What is damage is for those to say who read events.
static int learn_inside(struct learner *learner, struct sl_segment_file *file, struct sl_err *err)
{
	const struct sl_batch_header *batch;
	enum sl_batch_verdict verdict;
	uint64_t position = 0, last_number = 0;

	for (;;) {
		int result = sl_segment_file_batch(file, position, false, &batch, &verdict, err);

		if (result < 0)
			return result;
		if (verdict != SL_BATCH_OK ||
			(last_number > 0 && batch->number != last_number + 1) ||
			sl_batch_check_runs(batch) != SL_BATCH_OK)
			return learner->result;
		sl_store_batch_states(batch, learn_state, learner);
		sl_store_batch_lost(batch, learn_lost, learner);
		learn_table(learner, batch);
		last_number = batch->number;
		position += sl_batch_block_bytes(batch);
	}
}

static int head_epoch(
	const struct sl_lane_reader *reader, uint64_t number, uint64_t *epoch, struct sl_err *err)
{
	const struct sl_batch_header *head;
	enum sl_batch_verdict verdict;
	struct sl_segment_file *file;
	int result = sl_segment_file_open(
		&file, reader->path, reader->lane, number, reader->salt_crc, err);

	*epoch = 0;
	if (result < 0)
		return result == -ENOENT ? 0 : result;
	result = sl_segment_file_batch(file, 0, true, &head, &verdict, err);
	if (result == 0 && verdict == SL_BATCH_OK)
		*epoch = head->epoch;
	sl_segment_file_close(file);
	return result;
}

static int learn_segment(struct learner *learner, const struct sl_lane_reader *reader, size_t index,
	struct sl_err *err)
{
	bool is_last = index + 1 == reader->segments.count;
	uint64_t epoch, next_epoch = 0;
	struct sl_segment_file *file;
	int result = sl_segment_file_open(&file, reader->path, reader->lane,
		reader->segments.numbers[index], reader->salt_crc, err);

	if (result < 0)
		return result == -ENOENT ? 0 : result;
	learner->segment = reader->segments.numbers[index];
	learner->is_behind_expired = index == 0 && reader->segments.numbers[0] > 1;
	result = sl_store_head_states(file, &epoch, learn_state, learner, err);
	learner->is_behind_expired = false;
	if (result == 0 && !is_last)
		result = head_epoch(reader, reader->segments.numbers[index + 1], &next_epoch, err);
	if (result == 0 && learner->result == 0 && (is_last || next_epoch != epoch))
		result = learn_inside(learner, file, err);
	sl_segment_file_close(file);
	return result < 0 ? result : learner->result;
}

int sl_store_terms_learn_segment(
	struct sl_store_reader *store, uint16_t lane, uint64_t segment, struct sl_err *err)
{
	struct learner learner = {.store = store, .lane = lane, .segment = segment, .err = err};
	struct sl_lane_reader reader;
	struct sl_segment_file *file = NULL;
	int result = sl_store_open_lane(store, lane, &reader, err);

	if (result == 0)
		result = sl_segment_file_open(
			&file, reader.path, lane, segment, reader.salt_crc, err);
	if (result == 0)
		result = learn_inside(&learner, file, err);
	else if (result == -ENOENT)
		result = 0;
	if (file != NULL)
		sl_segment_file_close(file);
	sl_lane_reader_close(&reader);
	return result;
}

static int learn_lane(struct sl_store_reader *store, uint16_t lane, struct sl_err *err)
{
	struct learner learner = {.store = store, .lane = lane, .err = err};
	struct sl_lane_reader reader;
	int result = sl_store_open_lane(store, lane, &reader, err);

	if (result == 0 && (reader.segments.count == 0 || reader.segments.numbers[0] > 1))
		store->has_expired = true;
	for (size_t i = 0; result == 0 && i < reader.segments.count; i++)
		result = learn_segment(&learner, &reader, i, err);
	sl_lane_reader_close(&reader);
	return result;
}

int sl_store_terms_learn(struct sl_store_reader *store, struct sl_err *err)
{
	const struct sl_store_meta *meta = &store->meta;
	bool has_moved = false;
	int result = 0;

	store->partitions =
		calloc(SL_MAX(meta->header.partition_count, 1u), sizeof(*store->partitions));
	if (store->partitions == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for the terms of a store");
	for (uint32_t i = 0; result == 0 && i < meta->header.partition_count; i++) {
		const struct sl_store_term term = {.start = meta->partitions[i].term_start,
			.term = meta->partitions[i].term,
			.lane = meta->partitions[i].lane};

		has_moved |= term.term > 1;
		result = add_term(store, (uint16_t)i, &term, err);
	}
	if (!has_moved)
		return result;
	for (uint32_t i = 0; result == 0 && i < meta->header.lane_count; i++)
		result = learn_lane(store, meta->lanes[i].lane, err);
	return result == 0 ? sl_store_floors_set(store, err) : result;
}

void sl_store_terms_free(struct sl_store_reader *store)
{
	if (store->partitions == NULL)
		return;
	for (uint32_t i = 0; i < store->meta.header.partition_count; i++)
		free(store->partitions[i].terms);
	free(store->partitions);
	store->partitions = NULL;
}

uint64_t sl_store_void_start(const struct sl_store_reader *store, uint16_t partition, uint32_t term)
{
	const struct sl_store_terms *known = &store->partitions[partition];
	uint64_t start = UINT64_MAX;

	for (uint32_t i = 0; i < known->count; i++)
		if (known->terms[i].term > term)
			start = SL_MIN(start, known->terms[i].start);
	return start;
}
