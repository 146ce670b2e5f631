/* SPDX-License-Identifier: BSD-3-Clause */
// One turn of the worker side. The stages are called here and nowhere else.
#include "burst.h"
#include "lap.h"
#include "lcore.h"

#include <rte_ring_elem.h>

#include "hotpath.h"

#define REAP_COUNT_MAX 64

// What takes cycles is inlined twice, once with NULL for them: there the laps fold away, not an
// instruction is left of them.
static SL_ALWAYS_INLINE uint32_t reap_writes(
	struct sl_worker *worker, uint64_t now_ns, struct sl_lcore_cycles *cycles)
{
	struct sl_io_request *done[REAP_COUNT_MAX];
	uint64_t lap_tsc = sl_lap_start(cycles);
	uint32_t count = worker->io->ops->reap(worker->io, done, REAP_COUNT_MAX);
	uint64_t stored_before = worker->counters->stored;

	for (uint32_t i = 0; i < count; i++)
		sl_lane_complete(done[i]->owner, done[i], now_ns);
	if (count > 0)
		sl_lap(cycles, SL_TIMED_REAP, worker->counters->stored - stored_before, &lap_tsc);
	return count;
}

// A marker says: what came before it is what the RX lcore counted before it. Events around it are
// appended as usual.
static void take_markers(
	struct sl_worker_ring *ring, struct sl_event *events, uint32_t *event_count)
{
	uint32_t kept_count = 0;

	for (uint32_t i = 0; i < *event_count; i++) {
		if (sl_unlikely((events[i].flags & SL_EVENT_MARKER) != 0)) {
			SL_STORE(ring->shm->dequeued_at_marker, ring->shm->dequeued + kept_count);
			SL_STORE_RELEASE(
				ring->shm->marker_received, (uint64_t)(uintptr_t)events[i].mbuf);
		} else {
			events[kept_count++] = events[i];
		}
	}
	*event_count = kept_count;
}

// Sets has_more where it leaves some.
static SL_ALWAYS_INLINE uint32_t drain_ring(struct sl_worker *worker, struct sl_worker_ring *ring,
	bool *has_more, struct sl_lcore_cycles *cycles)
{
	struct sl_event events[SL_BURST_COUNT_MAX];
	uint64_t lap_tsc = sl_lap_start(cycles);
	unsigned int left_count;
	uint32_t taken_count = rte_ring_sc_dequeue_burst_elem(
		ring->ring, events, sizeof(events[0]), SL_BURST_COUNT_MAX, &left_count);
	uint32_t event_count = taken_count;

	if (taken_count == 0) {
		sl_lap(cycles, SL_TIMED_DEQUEUE_EMPTY, 1, &lap_tsc);
		return 0;
	}
	*has_more |= left_count != 0;
	take_markers(ring, events, &event_count);
	SL_STORE(ring->shm->dequeued, ring->shm->dequeued + event_count);
	SL_STORE(ring->shm->occupancy_max,
		SL_MAX(ring->shm->occupancy_max, (uint64_t)taken_count + left_count));
	worker->counters->dequeued += event_count;
	sl_lap(cycles, SL_TIMED_DEQUEUE, event_count, &lap_tsc);
	if (event_count > 0) {
		sl_append_burst(&worker->append, events, event_count);
		sl_lap(cycles, SL_TIMED_APPEND, event_count, &lap_tsc);
	}
	return taken_count;
}

// Events in open batches, counted rather than computed.
static void publish_open_events(struct sl_worker *worker)
{
	uint64_t open_events = 0;

	for (uint32_t i = 0; i < worker->lane_count; i++)
		open_events += worker->lanes[i]->event_count;
	SL_STORE(worker->counters->open_events, open_events);
}

// What was not taken stays queued and goes with the next turn.
static inline int submit(struct sl_worker *worker)
{
	int taken_count = worker->io->ops->submit(worker->io);
	int error = SL_MIN(taken_count, 0);

	worker->counters->submit_errors += error != 0;
	if (sl_unlikely(error != worker->submit_error))
		SL_STORE(worker->submit_error, error);
	return taken_count;
}

// The events submitted are those sealed since the last submission that took any.
static SL_ALWAYS_INLINE void submit_writes(struct sl_worker *worker, struct sl_lcore_cycles *cycles)
{
	uint64_t lap_tsc = sl_lap_start(cycles);
	int taken_count = submit(worker);

	if (cycles != NULL && taken_count > 0)
		sl_lap(cycles, SL_TIMED_SUBMIT,
			cycles->stages[SL_TIMED_SEAL].count - cycles->stages[SL_TIMED_SUBMIT].count,
			&lap_tsc);
}

static SL_ALWAYS_INLINE uint32_t turn(struct sl_worker *worker, struct sl_lcore_cycles *cycles)
{
	uint64_t now_ns = sl_clock_now_ns(worker->clock);
	bool has_more = worker->rx != NULL && worker->rx->has_more;
	uint32_t work;

	SL_STORE(*worker->stage, SL_STAGE_REAP);
	work = reap_writes(worker, now_ns, cycles);
	if (sl_unlikely(now_ns >= worker->gaps_due_ns))
		work += sl_worker_write_gaps(worker, now_ns);
	SL_STORE(*worker->stage, SL_STAGE_APPEND);
	for (uint32_t i = 0; i < worker->ring_count; i++)
		work += drain_ring(worker, &worker->rings[i], &has_more, cycles);
	SL_STORE(*worker->stage, SL_STAGE_SEAL);
	for (uint32_t i = 0; i < worker->lane_count; i++) {
		worker->lanes[i]->is_hurried = has_more;
		work += sl_lane_tick(worker->lanes[i], now_ns);
	}
	SL_STORE(*worker->stage, SL_STAGE_SUBMIT);
	submit_writes(worker, cycles);
	publish_open_events(worker);
	worker->counters->turns++;
	sl_lap_publish_elapsed(cycles);
	return work;
}

uint32_t sl_worker_turn(struct sl_worker *worker)
{
	return turn(worker, NULL);
}

uint32_t sl_worker_turn_timed(struct sl_worker *worker)
{
	return turn(worker, worker->cycles);
}

bool sl_worker_rings_are_empty(const struct sl_worker *worker)
{
	for (uint32_t i = 0; i < worker->ring_count; i++) {
		if (!rte_ring_empty(worker->rings[i].ring))
			return false;
	}
	return true;
}

bool sl_worker_is_drained(const struct sl_worker *worker)
{
	if (!sl_worker_rings_are_empty(worker))
		return false;
	for (uint32_t i = 0; i < worker->lane_count; i++) {
		if (!sl_lane_is_quiet(worker->lanes[i]))
			return false;
	}
	return true;
}

void sl_worker_flush(struct sl_worker *worker)
{
	uint64_t now_ns = sl_clock_now_ns(worker->clock);

	sl_worker_write_gaps(worker, now_ns);
	for (uint32_t i = 0; i < worker->lane_count; i++) {
		struct sl_lane *lane = worker->lanes[i];

		sl_lane_stop_waiting(lane);
		if (lane->open_batch != NULL && lane->unretired < lane->in_flight_max &&
			!lane->is_halted)
			sl_lane_seal(lane, now_ns);
	}
	submit(worker);
	publish_open_events(worker);
}

void sl_worker_abandon(struct sl_worker *worker)
{
	for (uint32_t i = 0; i < worker->lane_count; i++)
		sl_lane_fail(worker->lanes[i], SL_DROP_ABANDONED, 0);
	publish_open_events(worker);
}
