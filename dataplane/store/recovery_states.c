/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/recovery_states.h"

#include "bounds.h"
#include "format/batch_scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define CAPACITY_MIN 64u

int sl_recovery_states_init(struct sl_recovery_states *states, struct sl_err *err)
{
	*states = (struct sl_recovery_states){
		.index = calloc(SL_PARTITION_COUNT_MAX, sizeof(*states->index))};
	if (states->index == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for the partitions of a lane");
	return 0;
}

void sl_recovery_states_fini(struct sl_recovery_states *states)
{
	free(states->index);
	free(states->states);
	*states = (struct sl_recovery_states){0};
}

// The partition's entry; a new one has term 0. NULL without memory.
static struct sl_partition_state *find(struct sl_recovery_states *states, uint16_t partition)
{
	uint32_t place = states->index[partition];

	if (place > 0)
		return &states->states[place - 1];
	if (states->count == states->capacity) {
		uint32_t capacity = SL_MAX(states->capacity * 2, CAPACITY_MIN);
		void *grown = realloc(states->states, capacity * sizeof(*states->states));

		if (grown == NULL)
			return NULL;
		states->states = grown;
		states->capacity = capacity;
	}
	states->states[states->count] = (struct sl_partition_state){.partition = partition};
	states->index[partition] = ++states->count;
	return &states->states[states->count - 1];
}

static int contradict(const struct sl_partition_state *known, uint32_t term, uint64_t offset,
	const char *what, struct sl_err *err)
{
	return sl_err_set(err, -EUCLEAN,
		"%s puts partition %u at term %" PRIu32 ", offset %" PRIu64
		", but what came before it ends at term %" PRIu32 ", offset %" PRIu64,
		what, known->partition, term, offset, known->term, known->next_offset);
}

int sl_recovery_states_put(struct sl_recovery_states *states,
	const struct sl_partition_state *state, struct sl_err *err)
{
	struct sl_partition_state *known = find(states, state->partition);

	if (known == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for the partitions of a lane");
	if (state->term < known->term ||
		(state->term == known->term && known->term > 0 &&
			state->next_offset != known->next_offset))
		return contradict(known, state->term, state->next_offset, "a checkpoint", err);
	*known = *state;
	return 0;
}

static int apply_state(struct sl_recovery_states *states, const void *entry, struct sl_err *err)
{
	return sl_recovery_states_put(states, entry, err);
}

// Offsets that a batch takes: by events, or because a fence says that they are lost.
static int apply_offsets(struct sl_recovery_states *states, uint16_t partition, uint32_t term,
	uint64_t first_offset, uint64_t count, struct sl_err *err)
{
	struct sl_partition_state *known = find(states, partition);

	if (known == NULL)
		return sl_err_set(err, -ENOMEM, "no memory for the partitions of a lane");
	if (term < known->term || (term == known->term && first_offset != known->next_offset))
		return contradict(known, term, first_offset, "a batch", err);
	if (term > known->term) {
		known->term = term;
		known->term_start = first_offset;
	}
	known->next_offset = first_offset + count;
	return 0;
}

static int apply_lost(struct sl_recovery_states *states, const void *entry, struct sl_err *err)
{
	const struct sl_lost_offsets *lost = entry;

	return apply_offsets(
		states, lost->partition, lost->term, lost->first_offset, lost->count, err);
}

// Applies every entry of every run of this type.
static int apply_runs(struct sl_recovery_states *states, const struct sl_batch_header *batch,
	uint32_t type, size_t entry_bytes,
	int (*apply)(struct sl_recovery_states *states, const void *entry, struct sl_err *err),
	struct sl_err *err)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = 0;

	sl_run_iterator_init(&iterator, batch);
	while (result == 0 && sl_run_next(&iterator, &run, NULL)) {
		if (run.type != type)
			continue;
		for (size_t at = 0; result == 0 && at + entry_bytes <= run.bytes; at += entry_bytes)
			result = apply(states, (const char *)run.data + at, err);
	}
	sl_run_iterator_fini(&iterator);
	return result;
}

int sl_recovery_states_apply(
	struct sl_recovery_states *states, const struct sl_batch_header *batch, struct sl_err *err)
{
	const struct sl_batch_table_entry *table = sl_batch_table(batch);
	int result = 0;

	switch (batch->kind) {
	case SL_BATCH_CHECKPOINT:
	case SL_BATCH_EPOCH_START:
		return apply_runs(states, batch, SL_RUN_PARTITION_STATE,
			sizeof(struct sl_partition_state), apply_state, err);
	case SL_BATCH_EVENTS:
		for (uint32_t i = 0; result == 0 && i < batch->table_count; i++)
			result = apply_offsets(states, table[i].partition, table[i].term,
				table[i].first_offset, table[i].event_count, err);
		return result;
	case SL_BATCH_FENCE:
		return apply_runs(states, batch, SL_RUN_LOST, sizeof(struct sl_lost_offsets),
			apply_lost, err);
	default:
		return 0;
	}
}
