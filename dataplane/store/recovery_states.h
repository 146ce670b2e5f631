/* SPDX-License-Identifier: BSD-3-Clause */
// What recovery knows of each partition while it walks a lane: built from checkpoints and epoch
// starts, moved on by every batch's table. Thread rule: main lcore, before any polling lcore runs.
#pragma once

#include "base.h"
#include "err.h"
#include "format/log_format.h"

struct sl_recovery_states {
	struct sl_partition_state *states;
	uint32_t count, capacity;
	uint32_t *index; // by partition: its place in states plus 1, 0 without one
};

int sl_recovery_states_init(struct sl_recovery_states *states, struct sl_err *err);
void sl_recovery_states_fini(struct sl_recovery_states *states); // legal on a zeroed struct

// Takes one state, as of a checkpoint. Returns 0, -ENOMEM or -EUCLEAN as below.
int sl_recovery_states_put(struct sl_recovery_states *states,
	const struct sl_partition_state *state, struct sl_err *err);

// Takes the states and tables of a batch whose runs were checked. Returns 0, -ENOMEM, or -EUCLEAN
// when the batch contradicts what came before (an offset given twice or left out, a term that
// falls); err then says which.
int sl_recovery_states_apply(
	struct sl_recovery_states *states, const struct sl_batch_header *batch, struct sl_err *err);
