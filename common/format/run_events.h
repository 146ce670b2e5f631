/* SPDX-License-Identifier: BSD-3-Clause */
// The events of a run, with or without attributes: one way to see runs of type 1 and 5. Pure: works
// on memory that the caller read. Thread rule: any thread; state is the caller's.
#pragma once

#include "base.h"
#include "format/batch_scan.h"

// One event. Pointers go into the run.
struct sl_run_event {
	enum sl_operation operation;
	bool has_key, has_event_time, has_weight, has_sequence;
	const void *key; // has_key
	const void *value;
	uint32_t key_bytes, value_bytes;
	int64_t event_time_ns; // has_event_time: since 1970, by the producer's clock
	uint32_t weight; // events that this one stands for: 1 unless has_weight
	uint32_t further_bytes; // of attributes that only later programs know
	uint64_t session, sequence; // has_sequence
};

// Walks the data of a run of type SL_RUN_RICH: every length inside the run, every flag one that
// this version knows, the events filling it exactly. Returns how many events it holds, 0 when it is
// damaged.
uint32_t sl_run_rich_check(const void *data, uint32_t bytes);

// Events of a run that sl_run_next() filled from a checked batch: 1 for SL_RUN_EVENT, 0 for runs
// that hold none.
uint32_t sl_run_event_count(const struct sl_run *run);

// Fills *session, unless NULL, with the session of a run that has one.
bool sl_run_session(const struct sl_run *run, struct sl_run_rich_session *session);

struct sl_run_events {
	const char *next, *end;
	uint32_t left;
	bool is_rich, has_session;
	uint64_t session, next_sequence;
};

// Walks the events of a run of a checked batch.
void sl_run_events_init(struct sl_run_events *events, const struct sl_run *run);
bool sl_run_events_next(struct sl_run_events *events, struct sl_run_event *event);
