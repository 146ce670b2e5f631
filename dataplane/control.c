/* SPDX-License-Identifier: BSD-3-Clause */
// The main lcore's event loop: heartbeat, clock, ports' counters, signals, what there is to say
// about lanes.
#include "control_internal.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICKS_PER_HEARTBEAT (100 / SL_TICK_MS)
#define SUBMIT_ERROR_BEATS 2
#define TICKS_PER_SECOND (1000 / SL_TICK_MS)

// A stop signal that came before the event loop was there to take it; 0 none.
static volatile sig_atomic_t held_signal;

static void hold_signal(int signal_number)
{
	held_signal = signal_number;
}

void sl_control_hold_signals(void)
{
	const struct sigaction action = {.sa_handler = hold_signal, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void say_failed(struct sl_control *control, const struct sl_lane *lane, uint32_t index)
{
	int error = SL_LOAD_ACQUIRE(lane->write_error);

	if (error == 0 || control->lane_failure_said[index])
		return;
	control->lane_failure_said[index] = true;
	control->dataplane->exit_code = SL_EXIT_LANE_FAILED;
	if (SL_LOAD(lane->shm->partition_count) == 0)
		sl_log_error("store",
			"lane %u has failed: %s; its partitions went on in another lane; a restart recovers it",
			lane->lane, strerror(-error));
	else
		sl_log_error("store",
			"lane %u has failed: %s; its events are refused until a restart, which recovers it",
			lane->lane, strerror(-error));
}

// Failed writes since the last look, and the breaker as it is now: a lane may fail and be whole
// again in between.
static void say_trouble(struct sl_control *control, uint32_t index)
{
	const struct sl_shm_lane *shm = &control->dataplane->shm.lanes[index];
	uint64_t failed_count = SL_LOAD(shm->writes_failed);
	bool is_halted = SL_LOAD(shm->state) == SL_LANE_HALTED;
	// A lane that only gets no new segment has had no failed write.
	int write_error = SL_LOAD(shm->write_error);
	int halt_error = SL_LOAD(control->dataplane->store.lanes[index].lane.halt_error);
	const char *error = strerror(-(write_error != 0 ? write_error : halt_error));

	if (failed_count != control->lane_writes_failed[index] && !control->lane_halt_said[index])
		sl_log_warning("store",
			"lane %u: %lu writes failed: %s; what is not stored is written again to the next segment",
			shm->lane, failed_count - control->lane_writes_failed[index], error);
	control->lane_writes_failed[index] = failed_count;
	if (is_halted && !control->lane_halt_said[index]) {
		control->lane_halt_said[index] = true;
		sl_log_error("store",
			"lane %u: its drive takes no writes, or no new segments: %s; its events are refused as drive_failed while they have no other drive to go to, and the drive is probed; look at it",
			shm->lane, error);
	} else if (SL_LOAD(shm->state) == SL_LANE_ACTIVE && control->lane_halt_said[index]) {
		control->lane_halt_said[index] = false;
		sl_log_notice("store", "lane %u: the drive takes its writes again", shm->lane);
	}
}

static void watch_lanes(struct sl_control *control)
{
	struct sl_dataplane *dataplane = control->dataplane;
	bool is_degraded = sl_store_has_missing(&dataplane->store);

	for (uint32_t i = 0; i < dataplane->store.lane_count; i++) {
		say_trouble(control, i);
		say_failed(control, &dataplane->store.lanes[i].lane, i);
		is_degraded |= control->lane_failure_said[i] || control->lane_halt_said[i];
	}
	if (!control->is_stopping)
		SL_STORE(dataplane->shm.header->state,
			is_degraded ? SL_DATAPLANE_DEGRADED : SL_DATAPLANE_RUNNING);
}

// One refusal is nothing: the queue's memory may be short for a moment. Two heartbeats of it are
// said, once.
static void watch_submits(struct sl_control *control)
{
	struct sl_dataplane *dataplane = control->dataplane;

	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		const struct sl_lcore *lcore = &dataplane->lcores[i];
		uint32_t *beats = &control->submit_error_beats[i];
		int error = lcore->worker == NULL ? 0 : SL_LOAD(lcore->worker->submit_error);

		if (error != 0 && ++*beats == SUBMIT_ERROR_BEATS)
			sl_log_error("store",
				"worker %u: the kernel takes no writes: %s; they are tried again every turn, and events are refused as lane_full; check memory limits (RLIMIT_MEMLOCK, cgroup)",
				lcore->shm->worker_index, strerror(-error));
		if (error != 0)
			continue;
		if (*beats >= SUBMIT_ERROR_BEATS)
			sl_log_notice("store", "worker %u: the kernel takes writes again",
				lcore->shm->worker_index);
		*beats = 0;
	}
}

static void follow_clock(struct sl_dataplane *dataplane)
{
	int64_t step_ns;

	sl_clock_update(&dataplane->clock, &step_ns);
	if (step_ns == 0)
		return;
	dataplane->shm.header->clock_step_count++;
	sl_log_warning("clock", "the wall clock was stepped by %.3f s; receive times %s",
		(double)step_ns / 1e9,
		step_ns > 0 ? "follow" : "go on slower until it has caught up");
}

static void on_tick(uv_timer_t *timer)
{
	struct sl_control *control = timer->data;
	struct sl_dataplane *dataplane = control->dataplane;

	control->tick_count++;
	sl_ctl_server_step(control->server);
	if (control->tick_count % TICKS_PER_HEARTBEAT == 0) {
		SL_STORE(dataplane->shm.header->heartbeat_ns, wall_ns());
		watch_lanes(control);
		watch_submits(control);
	}
	if (control->tick_count % TICKS_PER_SECOND == 0) {
		follow_clock(dataplane);
		sl_dataplane_publish_ports(dataplane);
		if (!control->is_stopping && sl_ledgers_are_due(dataplane))
			sl_ctl_server_want_ledger(control->server);
	}
	if (control->is_stopping && sl_control_stop_step(control)) {
		watch_lanes(control);
		uv_stop(&control->loop);
	}
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
	sl_control_on_signal(handle->data, signal_number);
}

int sl_control_open(struct sl_dataplane *dataplane, struct sl_err *err)
{
	struct sl_control *control = calloc(1, sizeof(*control));

	if (control == NULL)
		return sl_err_set(err, -ENOMEM, "control: out of memory");
	dataplane->control = control;
	control->dataplane = dataplane;
	// A peer that hangs up on the control socket is no reason to die.
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&control->loop);
	uv_signal_init(&control->loop, &control->on_sigterm);
	uv_signal_init(&control->loop, &control->on_sigint);
	uv_timer_init(&control->loop, &control->tick);
	control->on_sigterm.data = control;
	control->on_sigint.data = control;
	control->tick.data = control;
	uv_signal_start(&control->on_sigterm, on_signal, SIGTERM);
	uv_signal_start(&control->on_sigint, on_signal, SIGINT);
	uv_timer_start(&control->tick, on_tick, SL_TICK_MS, SL_TICK_MS);
	control->server = sl_ctl_server_create(control, err);
	return control->server == NULL ? err->code : 0;
}

void sl_control_run(struct sl_dataplane *dataplane)
{
	if (held_signal != 0)
		sl_control_on_signal(dataplane->control, held_signal);
	uv_run(&dataplane->control->loop, UV_RUN_DEFAULT);
}

void sl_control_close(struct sl_dataplane *dataplane)
{
	struct sl_control *control = dataplane->control;

	if (control == NULL)
		return;
	if (control->server != NULL)
		sl_ctl_server_close(control->server);
	uv_close(sl_uv_handle(&control->on_sigterm), NULL);
	uv_close(sl_uv_handle(&control->on_sigint), NULL);
	uv_close(sl_uv_handle(&control->tick), NULL);
	uv_run(&control->loop, UV_RUN_DEFAULT);
	uv_loop_close(&control->loop);
	free(control);
	dataplane->control = NULL;
}
