/* SPDX-License-Identifier: BSD-3-Clause */
// The stop: the pre-filter's redirect goes off first, then what has arrived is received, stored and
// flushed.
#include "control_internal.h"
#include "log.h"

#include <string.h>

// A port has been quiet when nothing came for this long.
#define QUIET_TICKS (50 / SL_TICK_MS)
// A port whose senders we cannot turn away (memif, vhost) may never be quiet: receive no longer
// than this.
#define RECEIVE_TICKS_MAX (1000 / SL_TICK_MS)
#define SAY_TICKS (1000 / SL_TICK_MS)
// An lcore that hangs inside the kernel, on a drive that does not answer, is not waited for any
// longer once its events are given up.
#define ABANDON_TICKS_MAX (2000 / SL_TICK_MS)

static uint64_t frames_received(const struct sl_dataplane *dataplane)
{
	uint64_t frames = 0;

	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++)
		frames += SL_LOAD(dataplane->shm.lcores[i].rx.frames);
	return frames;
}

// Events that are not stored yet, as counted by the workers and their rings.
static uint64_t events_in_flight(const struct sl_dataplane *dataplane)
{
	uint64_t events = 0;

	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++)
		events += SL_LOAD(dataplane->shm.lcores[i].worker.open_events) +
			SL_LOAD(dataplane->shm.lcores[i].worker.in_flight_events);
	for (uint32_t i = 0; i < dataplane->shm.header->ring_count; i++)
		events += SL_LOAD(dataplane->shm.rings[i].enqueued) -
			SL_LOAD(dataplane->shm.rings[i].dequeued);
	return events;
}

static bool is_quiet(struct sl_control *control)
{
	uint64_t frames = frames_received(control->dataplane);
	uint64_t pending = 0;

	for (uint32_t i = 0; i < control->dataplane->config.port_count; i++)
		pending += sl_port_pending(&control->dataplane->ports[i]);
	if (frames != control->quiet_frames || pending > 0) {
		control->quiet_frames = frames;
		control->quiet_since_tick = control->tick_count;
	}
	return control->tick_count >= control->quiet_since_tick + QUIET_TICKS ||
		control->tick_count >= control->stop_tick + RECEIVE_TICKS_MAX;
}

static void begin_stop(struct sl_control *control, int signal_number)
{
	struct sl_dataplane *dataplane = control->dataplane;

	sl_log_notice("main", "%s: receiving no more, storing what has arrived",
		strsignal(signal_number));
	control->is_stopping = true;
	control->stop_tick = control->tick_count;
	control->quiet_since_tick = control->tick_count;
	control->quiet_frames = frames_received(dataplane);
	SL_STORE(dataplane->shm.header->state, SL_DATAPLANE_STOPPING);
	for (uint32_t i = 0; i < dataplane->config.port_count; i++)
		sl_port_refuse(&dataplane->ports[i]);
}

static void give_up(struct sl_control *control, int signal_number)
{
	struct sl_dataplane *dataplane = control->dataplane;

	if (SL_LOAD(dataplane->stop->phase) == SL_PHASE_ABANDON)
		return;
	sl_log_error("main",
		"%s again: giving up %lu events that are not stored yet; they are counted as abandoned",
		strsignal(signal_number), events_in_flight(dataplane));
	dataplane->was_abandoned = true;
	dataplane->exit_code = SL_EXIT_ABANDONED;
	control->abandon_tick = control->tick_count;
	SL_STORE_RELEASE(dataplane->stop->phase, SL_PHASE_ABANDON);
}

void sl_control_on_signal(struct sl_control *control, int signal_number)
{
	if (!control->is_stopping)
		begin_stop(control, signal_number);
	else
		give_up(control, signal_number);
}

bool sl_control_stop_step(struct sl_control *control)
{
	struct sl_dataplane *dataplane = control->dataplane;

	if (SL_LOAD(dataplane->stop->phase) == SL_PHASE_RUN && is_quiet(control)) {
		// What the ports have lost is still written.
		sl_dataplane_publish_ports(dataplane);
		SL_STORE_RELEASE(dataplane->stop->phase, SL_PHASE_STOP_RX);
	}
	if (sl_lcores_are_back(dataplane))
		return true;
	if (dataplane->was_abandoned &&
		control->tick_count >= control->abandon_tick + ABANDON_TICKS_MAX) {
		sl_log_error("main", "an lcore hangs in the kernel; leaving without it");
		return true;
	}
	if (SL_LOAD(dataplane->stop->phase) != SL_PHASE_RUN &&
		(control->tick_count - control->stop_tick) % SAY_TICKS == 0)
		sl_log_notice("main",
			"%lu events are not stored yet; a second signal gives them up",
			events_in_flight(dataplane));
	return false;
}
