/* SPDX-License-Identifier: BSD-3-Clause */
// The ordered table of everything a data plane starts, forward at start, backward at failure and
// stop. Thread rule: main lcore.
#pragma once

#include "dataplane.h"

// Layout and memory from the configuration alone; nothing is taken. Returns 0 or a negative errno.
int sl_modules_plan(struct sl_dataplane *dataplane, struct sl_err *err);

// Starts all of it; on failure what was started is stopped again. Returns 0 or a negative errno.
int sl_modules_start(struct sl_dataplane *dataplane, struct sl_err *err);

// After the event loop: joins the lcores, ends the lanes, and reads the ports' counters for the
// last time. Sets exit_code when something could not be stored.
void sl_modules_quiesce(struct sl_dataplane *dataplane);

// Stops all of it.
void sl_modules_stop(struct sl_dataplane *dataplane);

// Instead of sl_modules_stop when writes hang: only what other programs would stumble over (XDP
// program, socket, shared memory).
void sl_modules_leave_at_once(struct sl_dataplane *dataplane);
