/* SPDX-License-Identifier: BSD-3-Clause */
// What batches say of partitions, held against what came before. Behind a hole a partition's next
// word says how many of its offsets the hole has taken.
#include "format/lane_judge_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// What some batch says: the partition goes on here, in this term.
struct word {
	uint16_t partition;
	uint32_t term;
	uint64_t offset, term_start;
	const struct sl_batch_header *batch;
	const char *who;
};

static int out_of_memory(const struct sl_lane_judge *judge)
{
	return sl_err_set(judge->err, -ENOMEM, "no memory to judge %s", judge->config->path);
}

static struct sl_finding *hole_of(const struct sl_lane_judge *judge, uint32_t index)
{
	return &judge->judgement->findings[judge->holes[index]];
}

// Checkpoints that were in later holes than the first say where the partition went on behind it.
static void fill_kept_states(
	const struct sl_lane_judge *judge, uint32_t from, const struct word *word)
{
	for (uint32_t i = from; i < judge->hole_count; i++) {
		struct sl_partition_state *kept = hole_of(judge, i)->states;

		if (kept != NULL)
			kept[word->partition] = (struct sl_partition_state){
				.partition = word->partition,
				.term = word->term,
				.next_offset = word->offset,
				.term_start = word->term_start,
			};
	}
}

static int settle(
	struct sl_lane_judge *judge, const struct sl_judge_state *state, const struct word *word)
{
	uint32_t first = state->settled_count;
	const struct sl_lost_range range = {
		.first = state->next_offset,
		.count = word->offset - state->next_offset,
		.term = word->term,
		.partition = word->partition,
	};

	if (!state->is_known) {
		fill_kept_states(judge, first, word);
		return 0;
	}
	if (range.count > 0 && sl_finding_add_lost(hole_of(judge, first), &range) < 0)
		return out_of_memory(judge);
	fill_kept_states(judge, first + 1, word);
	return 0;
}

static void contradict(
	struct sl_lane_judge *judge, const struct sl_judge_state *state, const struct word *word)
{
	struct sl_finding *finding = sl_judgement_add(judge->judgement, SL_FINDING_CONTRADICTION,
		SL_FINDING_LOSS, judge->config->lane, judge->file->path,
		"batch %" PRIu64 ": %s puts partition %u at term %" PRIu32 ", offset %" PRIu64
		", but what came before it ends at term %" PRIu32 ", offset %" PRIu64,
		word->batch->number, word->who, word->partition, word->term, word->offset,
		state->term, state->next_offset);

	if (finding != NULL) {
		finding->segment = word->batch->segment;
		finding->position = word->batch->position;
	}
}

// Returns 0 or -ENOMEM.
static int take_word(struct sl_lane_judge *judge, const struct word *word, uint64_t next_offset)
{
	struct sl_judge_state *state;
	bool is_settled;
	int result = 0;

	if (word->partition >= judge->config->meta->header.partition_count) {
		const struct sl_judge_state none = {0};

		contradict(judge, &none, word);
		return 0;
	}
	state = &judge->states[word->partition];
	is_settled = state->settled_count == judge->hole_count;
	if (state->is_known &&
		(word->term < state->term ||
			(word->term == state->term &&
				(word->offset < state->next_offset ||
					(is_settled && word->offset > state->next_offset)))))
		contradict(judge, state, word);
	else if (!is_settled && (!state->is_known || word->term == state->term))
		result = settle(judge, state, word);
	if (!state->is_known || word->term != state->term)
		state->term_start = word->term_start;
	state->is_known = true;
	state->term = word->term;
	state->next_offset = next_offset;
	state->settled_count = judge->hole_count;
	return result;
}

static int take_table(struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < batch->table_count; i++) {
		const struct word word = {
			.partition = table[i].partition,
			.term = table[i].term,
			.offset = table[i].first_offset,
			.term_start = table[i].first_offset,
			.batch = batch,
			.who = "its table",
		};

		result = take_word(judge, &word, word.offset + table[i].event_count);
	}
	return result;
}

static int take_states(
	struct sl_lane_judge *judge, const struct sl_batch_header *batch, const struct sl_run *run)
{
	const struct sl_partition_state *states = run->data;
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < run->bytes / sizeof(*states); i++) {
		const struct word word = {
			.partition = states[i].partition,
			.term = states[i].term,
			.offset = states[i].next_offset,
			.term_start = states[i].term_start,
			.batch = batch,
			.who = batch->kind == SL_BATCH_CHECKPOINT ? "a checkpoint"
								  : "an epoch start",
		};

		// A partition that was never written has no place yet.
		if (word.term > 0)
			result = take_word(judge, &word, word.offset);
	}
	return result;
}

static int take_lost(
	struct sl_lane_judge *judge, const struct sl_batch_header *batch, const struct sl_run *run)
{
	const struct sl_lost_offsets *lost = run->data;
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < run->bytes / sizeof(*lost); i++) {
		const struct word word = {
			.partition = lost[i].partition,
			.term = lost[i].term,
			.offset = lost[i].first_offset,
			.term_start = lost[i].first_offset,
			.batch = batch,
			.who = "a fence",
		};

		judge->fenced_count += lost[i].count;
		result = take_word(judge, &word, word.offset + lost[i].count);
	}
	return result;
}

int sl_lane_judge_take(struct sl_lane_judge *judge, const struct sl_batch_header *batch)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = 0;

	if (batch->kind == SL_BATCH_EVENTS)
		return take_table(judge, batch);
	if (batch->kind != SL_BATCH_CHECKPOINT && batch->kind != SL_BATCH_EPOCH_START &&
		batch->kind != SL_BATCH_FENCE)
		return 0;
	sl_run_iterator_init(&iterator, batch);
	while (result == 0 && sl_run_next(&iterator, &run, NULL)) {
		if (run.type == SL_RUN_PARTITION_STATE && batch->kind != SL_BATCH_FENCE)
			result = take_states(judge, batch, &run);
		if (run.type == SL_RUN_LOST && batch->kind == SL_BATCH_FENCE)
			result = take_lost(judge, batch, &run);
	}
	sl_run_iterator_fini(&iterator);
	return result;
}

int sl_lane_judge_keep_states(struct sl_lane_judge *judge, struct sl_finding *finding)
{
	uint32_t count = judge->config->meta->header.partition_count;

	if (finding == NULL)
		return 0;
	finding->states = calloc(SL_MAX(count, 1u), sizeof(*finding->states));
	if (finding->states == NULL)
		return out_of_memory(judge);
	for (uint32_t i = 0; i < count; i++)
		if (judge->states[i].is_known)
			finding->states[i] = (struct sl_partition_state){
				.partition = (uint16_t)i,
				.term = judge->states[i].term,
				.next_offset = judge->states[i].next_offset,
				.term_start = judge->states[i].term_start,
			};
	return 0;
}

// Events that the holes from this one on may have taken, besides those whose place is known.
static uint64_t remaining(const struct sl_lane_judge *judge, uint32_t from)
{
	uint64_t sum = 0;

	for (uint32_t i = from; i < judge->hole_count; i++) {
		const struct sl_finding *hole = hole_of(judge, i);
		uint64_t known = 0;

		for (size_t k = 0; k < hole->lost_count; k++)
			known += hole->lost[k].is_bound ? 0 : hole->lost[k].count;
		sum += hole->hole.event_count_max > known ? hole->hole.event_count_max - known : 0;
	}
	return sum;
}

// A checkpoint was gone, nothing behind it names the partition: each batch in front of it has had
// 65,535 events of it at most.
static struct sl_partition_state bound_of(
	const struct sl_lane_judge *judge, uint32_t partition, uint64_t number)
{
	const struct sl_store_meta_partition *stored = &judge->config->meta->partitions[partition];
	// Numbers jump with the epoch; a term has so many offsets at most.
	uint64_t count = number < SL_OFFSET_JUMP / SL_BATCH_EVENT_COUNT_MAX
		? number * SL_BATCH_EVENT_COUNT_MAX
		: SL_OFFSET_JUMP;

	return (struct sl_partition_state){
		.partition = (uint16_t)partition,
		.term = stored->term,
		.term_start = stored->term_start,
		.next_offset = stored->term_start + count,
	};
}

static void settle_unknown(struct sl_lane_judge *judge, uint32_t partition)
{
	for (uint32_t i = judge->states[partition].settled_count; i < judge->hole_count; i++) {
		struct sl_partition_state *kept = hole_of(judge, i)->states;

		if (kept != NULL && kept[partition].term == 0)
			kept[partition] = bound_of(judge, partition, judge->last_number);
	}
}

// As many offsets as the holes may have taken, besides what is known, are not given again.
static int settle_known(struct sl_lane_judge *judge, uint32_t partition, uint64_t bound)
{
	struct sl_judge_state *state = &judge->states[partition];
	const struct word word = {
		.partition = (uint16_t)partition,
		.term = state->term,
		.term_start = state->term_start,
		.offset = state->next_offset + bound,
	};
	struct sl_finding *hole = hole_of(judge, state->settled_count);
	int result;

	if (bound == 0)
		return 0;
	result = settle(judge, state, &word);
	if (result == 0)
		hole->lost[hole->lost_count - 1].is_bound = true;
	return result;
}

int sl_lane_judge_settle(struct sl_lane_judge *judge)
{
	const struct sl_store_meta *meta = judge->config->meta;
	uint64_t *bounds = calloc(judge->hole_count + 1, sizeof(*bounds));
	int result = 0;

	if (bounds == NULL)
		return out_of_memory(judge);
	// Before any bound is added: all of them share what remains.
	for (uint32_t i = 0; i < judge->hole_count; i++)
		bounds[i] = remaining(judge, i);
	for (uint32_t i = 0; result == 0 && i < meta->header.partition_count; i++) {
		const struct sl_store_meta_partition *stored = &meta->partitions[i];
		struct sl_judge_state *state = &judge->states[i];

		if (state->settled_count == judge->hole_count ||
			stored->lane != judge->config->lane || stored->term == 0)
			continue;
		if (!state->is_known && judge->has_lost_base) {
			settle_unknown(judge, i);
			continue;
		}
		// Its term has begun in this lane, and nothing of it was seen.
		if (!state->is_known)
			*state = (struct sl_judge_state){.next_offset = stored->term_start,
				.term_start = stored->term_start,
				.term = stored->term,
				.is_known = true};
		if (state->term == stored->term)
			result = settle_known(judge, i, bounds[state->settled_count]);
	}
	free(bounds);
	return result;
}
