/* SPDX-License-Identifier: BSD-3-Clause */
// The circuit breaker of a drive. Lanes whose writes fail ask it before they try again: while it is
// closed each may; once one has failed too often it is open, and nobody tries; when its time is
// over one lane sends a probe (half-open), and the outcome closes it or opens it for longer. Lanes
// whose writes succeed never ask. Thread rule: any worker of a lane on the drive; the words are
// written when something fails or is mended, never in the course of things.
#pragma once

#include "base.h"
#include "shm.h"

enum sl_breaker_answer {
	SL_BREAKER_WAIT, // not now
	SL_BREAKER_TRY, // closed
	SL_BREAKER_PROBE, // half-open now, and the caller's write is the probe
};

struct sl_breaker {
	// Const after start.
	uint64_t backoff_ns_min, backoff_ns_max;
	// Written by whoever asks, fails or succeeds.
	uint32_t state SL_CACHE_ALIGNED; // enum sl_breaker_state
	uint32_t trip_count; // since it was last mended: each opens it for twice as long
	uint64_t open_until_ns;
	uint64_t opened_count; // since start
} SL_CACHE_ALIGNED;

// Nanoseconds to wait before attempt number attempt (from 0): min, twice that, and so on up to max.
static inline uint64_t sl_backoff_ns(uint32_t attempt, uint64_t ns_min, uint64_t ns_max)
{
	if (attempt >= 63 || ns_min > (ns_max >> attempt))
		return ns_max;
	return ns_min << attempt;
}

void sl_breaker_init(struct sl_breaker *breaker, uint64_t backoff_ns_min, uint64_t backoff_ns_max);

// May the caller try a write now? Of several that ask an open breaker whose time is over, one gets
// the probe; whoever gets it reports by sl_breaker_close() or sl_breaker_trip().
enum sl_breaker_answer sl_breaker_ask(struct sl_breaker *breaker, uint64_t now_ns);

// True while sl_breaker_ask() says SL_BREAKER_WAIT.
bool sl_breaker_is_waiting(const struct sl_breaker *breaker, uint64_t now_ns);

// Opens it (again): a lane has failed too often, or the probe has failed.
void sl_breaker_trip(struct sl_breaker *breaker, uint64_t now_ns);

// The probe has succeeded.
void sl_breaker_close(struct sl_breaker *breaker);

// A lane that had failed is whole again: the next trip is the first.
void sl_breaker_forget(struct sl_breaker *breaker);
