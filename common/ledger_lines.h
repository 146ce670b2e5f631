/* SPDX-License-Identifier: BSD-3-Clause */
// Making the lines of a ledger: shared by the one of a shared memory segment (ledger.c) and the one
// of a record in a log (ledger_offline_record.c). Thread rule: the ledger is the caller's.
#pragma once

#include "ledger.h"

// Room for so many lines. 0 or -ENOMEM; then sl_ledger_free() is legal.
int sl_ledger_init(struct sl_ledger *ledger, size_t line_count_max);

// The next line; there must be room.
struct sl_ledger_line *sl_ledger_add(
	struct sl_ledger *ledger, const char *unit, const char *name_format, ...) SL_PRINTF(3, 4);

// Sets both sides, and whether they meet.
void sl_ledger_set(struct sl_ledger_line *line, const char *left_text, struct sl_ledger_range left,
	const char *right_text, struct sl_ledger_range right);

static inline struct sl_ledger_range sl_ledger_exactly(uint64_t value)
{
	return (struct sl_ledger_range){.low = value, .high = value};
}

static inline struct sl_ledger_range sl_ledger_between(uint64_t low, uint64_t high)
{
	return (struct sl_ledger_range){.low = low, .high = high};
}
