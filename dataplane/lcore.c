/* SPDX-License-Identifier: BSD-3-Clause */
// The life of a polling lcore: turns, heartbeat, snapshots, and the drain at the end.
#include "lcore.h"

#include <string.h>

#include "hotpath.h"

// The loops' variant is chosen once, before the first turn.
struct lcore_state {
	uint32_t (*rx_turn)(struct sl_rx *rx);
	uint32_t (*worker_turn)(struct sl_worker *worker);
	uint64_t turn_count;
	uint64_t turn_start_ns;
	bool rx_finished;
	bool is_through; // with the drain
	bool abandoned;
};

static void beat(struct sl_lcore *lcore, struct lcore_state *state)
{
	state->turn_count++;
	SL_STORE(lcore->shm->heartbeat, state->turn_count);
}

// What rings had been given, and what was taken from them, when the lcore's counters are copied.
static void copy_ring_counts(struct sl_lcore *lcore)
{
	const struct sl_dispatch *dispatch = lcore->rx != NULL ? &lcore->rx->dispatch : NULL;
	const struct sl_worker *worker = lcore->worker;

	for (uint32_t i = 0; dispatch != NULL && i < dispatch->steer->ring_count; i++)
		SL_STORE(dispatch->shm_rings[i].enqueued_at_copy, dispatch->shm_rings[i].enqueued);
	for (uint32_t i = 0; worker != NULL && i < worker->ring_count; i++)
		SL_STORE(worker->rings[i].shm->dequeued_at_copy, worker->rings[i].shm->dequeued);
}

// Each side copies its own counters between two turns, so that a copy is whole; the markers tie
// both sides together.
static void take_snapshot(struct sl_lcore *lcore, uint64_t id)
{
	struct sl_shm_lcore *shm = lcore->shm;

	if (lcore->rx != NULL && !sl_dispatch_send_marker(&lcore->rx->dispatch, id))
		return;
	copy_ring_counts(lcore);
	memcpy(&shm->rx_snapshot, &shm->rx, sizeof(shm->rx));
	memcpy(&shm->worker_snapshot, &shm->worker, sizeof(shm->worker));
	SL_STORE_RELEASE(shm->rx_snapshot_id, id);
	SL_STORE_RELEASE(shm->worker_snapshot_id, id);
}

static void note_turn(
	struct sl_lcore *lcore, struct lcore_state *state, const struct sl_clock *clock)
{
	uint64_t now_ns = sl_clock_now_ns(clock);
	uint64_t turn_ns = now_ns > state->turn_start_ns ? now_ns - state->turn_start_ns : 0;

	state->turn_start_ns = now_ns;
	if (lcore->rx != NULL)
		lcore->rx->counters->turn_ns_max =
			SL_MAX(lcore->rx->counters->turn_ns_max, turn_ns);
	if (lcore->worker != NULL)
		lcore->worker->counters->turn_ns_max =
			SL_MAX(lcore->worker->counters->turn_ns_max, turn_ns);
}

static uint32_t turn(struct sl_lcore *lcore, struct lcore_state *state)
{
	uint32_t work = 0;
	uint64_t snapshot_id = SL_LOAD_ACQUIRE(*lcore->snapshot_request);

	if (lcore->rx != NULL && !state->rx_finished)
		work += state->rx_turn(lcore->rx);
	if (lcore->worker != NULL)
		work += state->worker_turn(lcore->worker);
	beat(lcore, state);
	if (sl_unlikely(snapshot_id != lcore->shm->rx_snapshot_id))
		take_snapshot(lcore, snapshot_id);
	return work;
}

static void finish_rx(struct sl_lcore *lcore, struct lcore_state *state)
{
	if (state->rx_finished)
		return;
	state->rx_finished = true;
	if (lcore->rx == NULL)
		return;
	lcore->rx->has_more = false;
	__atomic_sub_fetch(&lcore->stop->rx_running, 1, __ATOMIC_RELEASE);
}

// True when no lcore has anything left to do: until then all take snapshots, of which those that
// are through are a part.
static bool all_are_through(struct sl_lcore *lcore, struct lcore_state *state)
{
	if (!state->is_through) {
		state->is_through = true;
		__atomic_sub_fetch(&lcore->stop->working, 1, __ATOMIC_RELEASE);
	}
	return SL_LOAD_ACQUIRE(lcore->stop->working) == 0;
}

// True when the lcore may return.
static bool drain(struct sl_lcore *lcore, struct lcore_state *state, uint32_t phase)
{
	finish_rx(lcore, state);
	if (lcore->worker == NULL)
		return all_are_through(lcore, state) || phase == SL_PHASE_ABANDON;
	if (SL_LOAD_ACQUIRE(lcore->stop->rx_running) > 0)
		return false;
	SL_STORE(lcore->shm->stage, SL_STAGE_DRAIN);
	sl_worker_flush(lcore->worker);
	if (phase == SL_PHASE_ABANDON && !state->abandoned && !state->is_through) {
		state->abandoned = true;
		sl_worker_abandon(lcore->worker);
	}
	// Whoever gives up does not wait for writes: the process ends without freeing their
	// buffers. What rings still hold is counted first.
	if (phase == SL_PHASE_ABANDON)
		return sl_worker_rings_are_empty(lcore->worker);
	return sl_worker_is_drained(lcore->worker) && all_are_through(lcore, state);
}

int sl_lcore_run(void *argument)
{
	struct sl_lcore *lcore = argument;
	const struct sl_clock *clock = lcore->rx != NULL ? lcore->rx->clock : lcore->worker->clock;
	struct lcore_state state = {
		.rx_turn = sl_rx_turn,
		.worker_turn = sl_worker_turn,
		.turn_start_ns = sl_clock_now_ns(clock),
	};

	if (lcore->cycles != NULL) {
		SL_STORE(lcore->cycles->start_tsc, __rdtsc());
		state.rx_turn = sl_rx_turn_timed;
		state.worker_turn = sl_worker_turn_timed;
	}
	for (;;) {
		uint32_t phase = SL_LOAD_ACQUIRE(lcore->stop->phase);

		if (turn(lcore, &state) == 0)
			sl_lcore_idle();
		note_turn(lcore, &state, clock);
		if (sl_unlikely(phase != SL_PHASE_RUN) && drain(lcore, &state, phase))
			break;
	}
	SL_STORE(lcore->shm->stage, SL_STAGE_IDLE);
	return 0;
}
