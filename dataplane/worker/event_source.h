/* SPDX-License-Identifier: BSD-3-Clause */
// Who sent an event: read from its frame, where somebody asks. Thread rule: who holds the event.
#pragma once

#include "counters.h"
#include "event.h"
#include "store/gap_table.h"

// Address and UDP port of the event's sender.
void sl_event_source(const struct sl_event *event, struct sl_run_source *source);

// Notes an event that is about to be dropped. table may be NULL: nobody asks.
void sl_event_note_gap(
	struct sl_gap_table *table, const struct sl_event *event, enum sl_drop_reason reason);
