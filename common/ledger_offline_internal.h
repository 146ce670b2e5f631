/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the offline check: the walk (ledger_offline.c) and the
// identities (ledger_offline_record.c, ledger_offline_boot.c). Nobody else includes this.
#pragma once

#include "ledger_offline.h"

// Room for one more item; NULL without memory, then items is still the caller's.
void *sl_ledger_grow(void *items, size_t count, size_t item_bytes);

// One ledger against the one before it in its lane: sequences rise, no counter falls. Returns 0 or
// -ENOMEM; the caller owns *ledger.
int sl_ledger_since(struct sl_ledger *ledger, const struct sl_run_ledger *before,
	const struct sl_run_ledger *header);

// The copies of one ledger in several lanes are the same.
int sl_ledger_of_copies(struct sl_ledger *ledger, bool are_equal);

// Fills boot->lines: its newest ledger, and the log against it. Returns 0 or -ENOMEM.
int sl_ledger_of_boot(struct sl_ledger_boot *boot);
