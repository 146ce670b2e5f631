/* SPDX-License-Identifier: BSD-3-Clause */
// Switches that break the data plane on purpose, to show that the tests notice. Only in builds with
// -Dfaults=true; a production binary has neither the code nor the option. Thread rule:
// sl_fault_parse before start; the rest on any lcore.
#pragma once

#include "base.h"

#ifdef SL_FAULTS

#include "err.h"

struct sl_io;

enum sl_fault_place {
	SL_FAULT_LOSE_RING, // an event vanishes between RX lcore and worker
	SL_FAULT_LOSE_BATCH, // an event vanishes before it is appended
	SL_FAULT_LOSE_COMPLETION, // an event vanishes from the count of stored ones
	SL_FAULT_PLACE_COUNT
};

// "lose=ring", "lose=batch", "lose=completion": one event, the 1000th. "write=eio@N",
// "write=short@N", "write=eagain@N": write number N of each worker, from 1; "write=hang@N": that
// one and all later never complete. Several, separated by commas. 0, or -EINVAL with err.
int sl_fault_parse(const char *spec, struct sl_err *err);

// 1 when one of event_count events is to be lost here now, else 0.
uint32_t sl_fault_lose(enum sl_fault_place place, uint32_t event_count);

// Puts the write faults asked for, if any, before io. Takes ownership of io; NULL when out of
// memory.
struct sl_io *sl_fault_wrap_io(struct sl_io *io);

#endif
