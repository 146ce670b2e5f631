/* SPDX-License-Identifier: BSD-3-Clause */
// Writes runs of events with attributes (SL_RUN_RICH) into a batch's memory: one datagram's events
// of one partition, one run. Nothing is allocated, nothing is written behind the end that was
// given. Thread rule: pure functions on the caller's memory; polling lcores too.
#pragma once

#include "base.h"
#include "format/run_events.h"

struct sl_run_writer {
	char *start, *next, *end;
	uint32_t event_count;
	uint8_t flags; // SL_RICH_*
	struct sl_run_header header; // its length is filled in by sl_run_write_end()
};

// Bytes that the run takes before its first event, with and without a session.
#define SL_RUN_RICH_HEAD_BYTES (sizeof(struct sl_run_header) + sizeof(struct sl_run_rich_header))
#define SL_RUN_RICH_SESSION_HEAD_BYTES (SL_RUN_RICH_HEAD_BYTES + sizeof(struct sl_run_rich_session))

// Bytes that an event takes in a run of this type; its session and sequence stand in the run.
size_t sl_run_write_event_bytes(const struct sl_run_event *event);

// Begins a run at start, in at most bytes. session is NULL for events without one. Returns false,
// with nothing written, when not even the run's head has room.
bool sl_run_write_begin(struct sl_run_writer *writer, void *start, size_t bytes, uint16_t partition,
	uint16_t source, uint32_t time_delta_ns, const struct sl_run_rich_session *session);

// Adds an event; of it has_sequence, session, sequence and further_bytes are not looked at, and
// has_weight false means that its weight is not written. Returns false, with nothing written, when
// there is no room or the run is full (65,535 events).
bool sl_run_write_event(struct sl_run_writer *writer, const struct sl_run_event *event);

// Ends the run; returns its bytes, 0 when no event was added.
size_t sl_run_write_end(struct sl_run_writer *writer);
