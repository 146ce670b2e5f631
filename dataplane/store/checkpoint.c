/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/checkpoint.h"

#include <string.h>

#define FIRST_STATE_OFFSET (SL_BATCH_RUNS_OFFSET + sizeof(struct sl_run_header))

// One run holds all states of a batch: its length has 24 bits, more than any batch.
static_assert(SL_BATCH_BYTES_MAX <= SL_RUN_LENGTH_MAX, "a batch of states fits one run");

static uint32_t states_in_batch(uint32_t batch_bytes)
{
	return (uint32_t)((batch_bytes - FIRST_STATE_OFFSET) / sizeof(struct sl_partition_state));
}

uint32_t sl_checkpoint_batch_count(uint32_t partition_count, uint32_t batch_bytes)
{
	uint32_t batch_states = states_in_batch(batch_bytes);

	assert(batch_bytes >= SL_BLOCK_BYTES);
	return partition_count == 0 ? 1 : (partition_count + batch_states - 1) / batch_states;
}

uint32_t sl_checkpoint_fill(char *batch, uint32_t batch_bytes, uint32_t index,
	const struct sl_partition *partitions, const uint16_t *owned, uint32_t owned_count,
	uint32_t *run_count)
{
	uint32_t batch_states = states_in_batch(batch_bytes);
	uint32_t first = SL_MIN(index * batch_states, owned_count);
	uint32_t state_count = SL_MIN(owned_count - first, batch_states);
	struct sl_run_header run = {0};
	char *next = batch + FIRST_STATE_OFFSET;

	assert(batch_bytes >= SL_BLOCK_BYTES);
	*run_count = state_count > 0;
	if (state_count == 0)
		return SL_BATCH_RUNS_OFFSET;
	for (uint32_t i = first; i < first + state_count; i++) {
		const struct sl_partition *partition = &partitions[owned[i]];
		const struct sl_partition_state state = {
			.next_offset = partition->next_offset,
			.term_start = partition->term_start,
			.term = partition->term,
			.partition = owned[i],
		};

		memcpy(next, &state, sizeof(state));
		next += sizeof(state);
	}
	run.length_type = SL_RUN_LENGTH_TYPE(
		state_count * sizeof(struct sl_partition_state), SL_RUN_PARTITION_STATE);
	memcpy(batch + SL_BATCH_RUNS_OFFSET, &run, sizeof(run));
	return (uint32_t)(next - batch);
}
