/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the main lcore's event loop. Nobody else includes this.
#pragma once

#include "dataplane.h"

#include <uv.h>

#define SL_TICK_MS 10
#define SL_CTL_CLIENT_COUNT_MAX 64
// Who has said nothing for so long, and waits for nothing, is hung up on.
#define SL_CTL_IDLE_TICKS (60 * 1000 / SL_TICK_MS)

struct sl_ctl_server;

// libuv's handle types begin with the same members, which the compiler's aliasing rules cannot
// know: through void.
static inline uv_handle_t *sl_uv_handle(void *handle)
{
	return handle;
}

static inline uv_stream_t *sl_uv_stream(void *handle)
{
	return handle;
}

struct sl_control {
	struct sl_dataplane *dataplane;
	uv_loop_t loop;
	uv_signal_t on_sigterm, on_sigint;
	uv_timer_t tick;
	struct sl_ctl_server *server;
	uint64_t tick_count;
	bool lane_failure_said[SL_LANE_COUNT_MAX];
	bool lane_halt_said[SL_LANE_COUNT_MAX];
	uint64_t lane_writes_failed[SL_LANE_COUNT_MAX]; // when last looked at
	// By lcore: how many heartbeats in a row its writes were refused by the kernel.
	uint32_t submit_error_beats[SL_LCORE_COUNT_MAX];
	// The stop, from the first signal on.
	bool is_stopping;
	uint64_t stop_tick; // when it began
	uint64_t abandon_tick; // when a second signal came
	uint64_t quiet_since_tick; // since when nothing arrived
	uint64_t quiet_frames; // received then
};

// The stop's next step, once a tick: refuse, wait for quiet, stop RX, wait for the lcores. True
// when all lcores are back.
bool sl_control_stop_step(struct sl_control *control);

// A stop signal: the first begins the stop, the second gives up what is not stored.
void sl_control_on_signal(struct sl_control *control, int signal_number);

// The control socket. Create listens; step answers snapshots that are whole, once a tick; close
// disconnects everybody.
struct sl_ctl_server *sl_ctl_server_create(struct sl_control *control, struct sl_err *err);
void sl_ctl_server_step(struct sl_ctl_server *server);
// The next snapshot is for a ledger too.
void sl_ctl_server_want_ledger(struct sl_ctl_server *server);
void sl_ctl_server_close(struct sl_ctl_server *server);
