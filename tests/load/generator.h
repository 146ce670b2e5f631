/* SPDX-License-Identifier: BSD-3-Clause */
// Sends a run: sequences from 0 on, each built into the transport's room, stamped, sent on the flow
// of its key, and written to the record file once it has left.
// Thread rule: one thread; *stop may be set by a signal handler.
#pragma once

#include "base.h"
#include "err.h"
#include "load/pacer.h"
#include "load/payload.h"
#include "load/transport.h"

#include <signal.h>
#include <stdio.h>

struct sl_generator_config {
	struct sl_payload_config payload;
	uint64_t rate; // events a second; 0: flat out
	uint32_t burst_count; // 0: the pacer's choice
	uint64_t catch_up_ns; // of what a stall held up, goes at once
	uint64_t count; // 0: until duration_ns or stop
	uint64_t duration_ns; // 0: until count or stop
	bool spin; // wait without sleeping: rates of devices
};

// What a run was, beside the generator's own counts.
struct sl_generator_result {
	uint64_t elapsed_ns; // of the steady clock, from the first burst's start to the last's end
	bool interrupted; // *stop came before count and duration_ns
	bool failed;
	uint32_t doubt_count; // events from sent_count on that may have left as well, when failed
	struct sl_pacer pacer;
};

// Zero but for the first four members to start with.
struct sl_generator {
	const struct sl_generator_config *config;
	const struct sl_transport_ops *ops;
	struct sl_transport *transport; // the caller's
	FILE *record; // or NULL; the caller's
	uint64_t sent_count; // sequences [0, sent_count) have left, and are recorded
	uint64_t first_sent_ns, last_sent_ns; // CLOCK_REALTIME, as stamped
};

// Sends the next count events at once (count may exceed the transport's room). Returns 0, or a
// negative errno with err filled.
int sl_generator_burst(struct sl_generator *generator, uint32_t count, struct sl_err *err);

// Sends the run at its rate. Returns 0, or a negative errno with err filled; result is filled in
// both cases.
int sl_generator_run(struct sl_generator *generator, const volatile sig_atomic_t *stop,
	struct sl_generator_result *result, struct sl_err *err);
