/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger.h"

#include "counters.h"
#include "ledger_lines.h"
#include "shm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Lines that one lcore can have (RX and worker, at rest), and lines that do not depend on counts.
#define LINES_PER_LCORE 8
#define LINES_PER_PORT 2
#define LINES_FIXED 2

// Our own XDP program and our own sockets stand behind this device only.
#define AF_XDP_PREFIX "af_xdp:"

// One consistent set of counters to evaluate: live ones or those of a snapshot.
struct sample {
	const struct sl_shm *shm;
	const struct sl_shm_port *ports_before; // NULL at rest
	struct sl_rx_counters *rx; // by lcore index
	struct sl_worker_counters *worker;
};

static uint64_t drops_sum(const uint64_t *drops, enum sl_drop_stage stage)
{
	uint64_t sum = 0;

	for (int i = 0; i < SL_DROP_REASON_COUNT; i++)
		if (sl_drop_infos[i].stage == stage)
			sum += drops[i];
	return sum;
}

// An RX lcore has no ring to the worker on the same lcore.
static bool ring_exists(const struct sl_shm_ring *ring)
{
	return ring->entry_count != 0;
}

// Which words of a ring to compare: live ones, or those noted when the marker passed.
static uint64_t ring_enqueued(const struct sample *sample, const struct sl_shm_ring *ring)
{
	return sample->ports_before == NULL ? SL_LOAD(ring->enqueued)
					    : SL_LOAD(ring->enqueued_at_marker);
}

static uint64_t ring_dequeued(const struct sample *sample, const struct sl_shm_ring *ring)
{
	return sample->ports_before == NULL ? SL_LOAD(ring->dequeued)
					    : SL_LOAD(ring->dequeued_at_marker);
}

static uint64_t port_frames_sum(const struct sl_rx_counters *rx)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SL_PORT_COUNT_MAX; i++)
		sum += rx->port_frames[i];
	return sum;
}

static void rx_lines(struct sl_ledger *ledger, const struct sample *sample, uint32_t index)
{
	const struct sl_shm *shm = sample->shm;
	const struct sl_shm_lcore *lcore = &shm->lcores[index];
	const struct sl_rx_counters *rx = &sample->rx[index];
	uint64_t rings_enqueued = 0;

	sl_ledger_set(sl_ledger_add(ledger, "frames", "lcore %u ports", lcore->lcore_id), "frames",
		sl_ledger_exactly(rx->frames), "frames by port",
		sl_ledger_exactly(port_frames_sum(rx)));
	sl_ledger_set(sl_ledger_add(ledger, "frames", "lcore %u parse", lcore->lcore_id), "frames",
		sl_ledger_exactly(rx->frames), "datagrams + drops in parse",
		sl_ledger_exactly(rx->datagrams + drops_sum(rx->drops, SL_DROP_STAGE_PARSE)));
	sl_ledger_set(sl_ledger_add(ledger, "events", "lcore %u decode", lcore->lcore_id),
		"datagrams", sl_ledger_exactly(rx->datagrams), "events",
		sl_ledger_exactly(rx->events));
	sl_ledger_set(sl_ledger_add(ledger, "events", "lcore %u steer", lcore->lcore_id), "events",
		sl_ledger_exactly(rx->events), "enqueued + direct + ring_full",
		sl_ledger_exactly(
			rx->enqueued + rx->direct + drops_sum(rx->drops, SL_DROP_STAGE_STEER)));

	for (uint32_t i = 0; i < shm->header->ring_count; i++) {
		const struct sl_shm_ring *ring = &shm->rings[i];

		if (ring->rx_index == lcore->rx_index)
			rings_enqueued += sample->ports_before == NULL
				? SL_LOAD(ring->enqueued)
				: SL_LOAD(ring->enqueued_at_copy);
	}
	sl_ledger_set(sl_ledger_add(ledger, "events", "lcore %u to rings", lcore->lcore_id),
		"enqueued", sl_ledger_exactly(rx->enqueued), "enqueued by ring",
		sl_ledger_exactly(rings_enqueued));
}

static void worker_lines(struct sl_ledger *ledger, const struct sample *sample, uint32_t index)
{
	const struct sl_shm *shm = sample->shm;
	const struct sl_shm_lcore *lcore = &shm->lcores[index];
	const struct sl_worker_counters *worker = &sample->worker[index];
	uint64_t in_flight = worker->open_events + worker->in_flight_events;
	uint64_t rings_dequeued = 0;

	sl_ledger_set(sl_ledger_add(ledger, "events", "lcore %u worker", lcore->lcore_id),
		"dequeued + direct", sl_ledger_exactly(worker->dequeued + worker->direct),
		"stored + open + in flight + drops in append",
		sl_ledger_exactly(worker->stored + in_flight +
			drops_sum(worker->drops, SL_DROP_STAGE_APPEND)));
	for (uint32_t i = 0; i < shm->header->ring_count; i++) {
		const struct sl_shm_ring *ring = &shm->rings[i];

		if (ring->worker_index == lcore->worker_index)
			rings_dequeued += sample->ports_before == NULL
				? SL_LOAD(ring->dequeued)
				: SL_LOAD(ring->dequeued_at_copy);
	}
	sl_ledger_set(sl_ledger_add(ledger, "events", "lcore %u from rings", lcore->lcore_id),
		"dequeued", sl_ledger_exactly(worker->dequeued), "dequeued by ring",
		sl_ledger_exactly(rings_dequeued));
	if (sample->ports_before != NULL)
		return;
	sl_ledger_set(sl_ledger_add(ledger, "events", "lcore %u at rest", lcore->lcore_id),
		"open + in flight", sl_ledger_exactly(in_flight), "nothing", sl_ledger_exactly(0));
}

static void direct_line(struct sl_ledger *ledger, const struct sample *sample)
{
	uint64_t given = 0, taken = 0;

	for (uint32_t i = 0; i < sample->shm->header->lcore_count; i++) {
		given += sample->rx[i].direct;
		taken += sample->worker[i].direct;
	}
	sl_ledger_set(sl_ledger_add(ledger, "events", "direct"), "given by RX stages",
		sl_ledger_exactly(given), "taken by workers", sl_ledger_exactly(taken));
}

static uint64_t port_losses(const struct sl_shm_port *port)
{
	return SL_LOAD(port->xsk_ring_full) + SL_LOAD(port->xsk_fill_empty) +
		SL_LOAD(port->xsk_rx_dropped);
}

// A frame that waited in the socket's ring when the first sample was taken may have been counted by
// the driver in the same sample: the lower end leaves the ring out.
static void redirect_line(struct sl_ledger *ledger, const struct sample *sample, uint32_t index)
{
	const struct sl_shm_port *now = &sample->shm->ports[index];
	struct sl_ledger_range redirected = sl_ledger_exactly(SL_LOAD(now->xdp_redirect));
	struct sl_ledger_range received = sl_ledger_exactly(
		SL_LOAD(now->ipackets) + port_losses(now) + SL_LOAD(now->xsk_in_ring));

	if (sample->ports_before != NULL) {
		const struct sl_shm_port *before = &sample->ports_before[index];
		redirected.low = before->xdp_redirect;
		received.low = before->ipackets + port_losses(before);
	}
	struct sl_ledger_line *line = sl_ledger_add(ledger, "frames", "port %u redirect", index);
	sl_ledger_set(line, "redirected by XDP", redirected, "driver + socket losses + in ring",
		received);
	line->is_sampled = sample->ports_before != NULL;
}

// A blind port's own count is no evidence: memif forgets it whenever its peer reconnects. Many NICs
// count a frame when they receive it, before anybody takes it from its descriptor: theirs is the
// most that can have been taken.
static void driver_line(struct sl_ledger *ledger, const struct sample *sample, uint32_t index)
{
	const struct sl_shm_port *port = &sample->shm->ports[index];
	struct sl_ledger_range driver = sl_ledger_exactly(SL_LOAD(port->ipackets));
	uint64_t frames = 0;

	if (port->ledger == SL_LEDGER_LOWER_BOUND)
		driver.low = 0;
	else if (sample->ports_before != NULL)
		driver.low = sample->ports_before[index].ipackets;
	for (uint32_t i = 0; i < sample->shm->header->lcore_count; i++)
		frames += sample->rx[i].port_frames[index];
	struct sl_ledger_line *line = sl_ledger_add(ledger, "frames", "port %u driver", index);
	sl_ledger_set(line, "received by the driver", driver, "frames of all RX lcores",
		sl_ledger_exactly(frames));
	line->is_sampled = sample->ports_before != NULL;
}

static void port_lines(struct sl_ledger *ledger, const struct sample *sample)
{
	for (uint32_t i = 0; i < sample->shm->header->port_count; i++) {
		const struct sl_shm_port *port = &sample->shm->ports[i];

		if (port->ledger == SL_LEDGER_EXACT &&
			strncmp(port->device, AF_XDP_PREFIX, strlen(AF_XDP_PREFIX)) == 0)
			redirect_line(ledger, sample, i);
		if (port->ledger != SL_LEDGER_BLIND)
			driver_line(ledger, sample, i);
	}
}

static void ring_line(struct sl_ledger *ledger, const struct sample *sample, uint32_t index)
{
	const struct sl_shm_ring *ring = &sample->shm->rings[index];

	sl_ledger_set(sl_ledger_add(ledger, "events", "ring %u", index), "enqueued",
		sl_ledger_exactly(ring_enqueued(sample, ring)), "dequeued",
		sl_ledger_exactly(ring_dequeued(sample, ring)));
}

static int evaluate(struct sl_ledger *ledger, const struct sample *sample)
{
	const struct sl_shm *shm = sample->shm;
	const struct sl_shm_header *header = shm->header;
	size_t line_count_max = LINES_FIXED + (size_t)LINES_PER_PORT * header->port_count +
		(size_t)LINES_PER_LCORE * header->lcore_count + header->ring_count;

	if (sl_ledger_init(ledger, line_count_max) != 0)
		return -ENOMEM;
	port_lines(ledger, sample);
	for (uint32_t i = 0; i < header->lcore_count; i++)
		if (shm->lcores[i].is_rx != 0)
			rx_lines(ledger, sample, i);
	for (uint32_t i = 0; i < header->ring_count; i++)
		if (ring_exists(&shm->rings[i]))
			ring_line(ledger, sample, i);
	direct_line(ledger, sample);
	for (uint32_t i = 0; i < header->lcore_count; i++)
		if (shm->lcores[i].is_worker != 0)
			worker_lines(ledger, sample, i);
	assert(ledger->line_count <= line_count_max);
	return 0;
}

static int sample_alloc(struct sample *sample, const struct sl_shm *shm)
{
	// calloc(0) may be NULL: a segment without lcores is legal while starting.
	size_t count = SL_MAX(shm->header->lcore_count, 1u);

	*sample = (struct sample){
		.shm = shm,
		.rx = calloc(count, sizeof(*sample->rx)),
		.worker = calloc(count, sizeof(*sample->worker)),
	};
	return sample->rx == NULL || sample->worker == NULL ? -ENOMEM : 0;
}

static void sample_free(struct sample *sample)
{
	free(sample->rx);
	free(sample->worker);
}

int sl_ledger_at_rest(struct sl_ledger *ledger, const struct sl_shm *shm)
{
	struct sample sample;

	*ledger = (struct sl_ledger){0};
	int rc = sample_alloc(&sample, shm);
	if (rc == 0) {
		for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
			sample.rx[i] = shm->lcores[i].rx;
			sample.worker[i] = shm->lcores[i].worker;
		}
		rc = evaluate(ledger, &sample);
	}
	sample_free(&sample);
	return rc;
}

// True when every lcore's copy and every marker is that of the snapshot.
static bool is_whole(const struct sl_shm *shm, uint64_t snapshot)
{
	for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
		const struct sl_shm_lcore *lcore = &shm->lcores[i];
		if (lcore->is_rx != 0 && SL_LOAD_ACQUIRE(lcore->rx_snapshot_id) != snapshot)
			return false;
		if (lcore->is_worker != 0 && SL_LOAD_ACQUIRE(lcore->worker_snapshot_id) != snapshot)
			return false;
	}
	for (uint32_t i = 0; i < shm->header->ring_count; i++) {
		const struct sl_shm_ring *ring = &shm->rings[i];
		if (ring_exists(ring) &&
			(SL_LOAD_ACQUIRE(ring->marker_sent) != snapshot ||
				SL_LOAD_ACQUIRE(ring->marker_received) != snapshot))
			return false;
	}
	return true;
}

int sl_ledger_at_snapshot(struct sl_ledger *ledger, const struct sl_shm *shm, uint64_t snapshot,
	const struct sl_shm_port *ports_before)
{
	struct sample sample;

	*ledger = (struct sl_ledger){0};
	int rc = sample_alloc(&sample, shm);
	sample.ports_before = ports_before;
	if (rc == 0 && !is_whole(shm, snapshot))
		rc = -EAGAIN;
	if (rc == 0) {
		for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
			sample.rx[i] = shm->lcores[i].rx_snapshot;
			sample.worker[i] = shm->lcores[i].worker_snapshot;
		}
		rc = evaluate(ledger, &sample);
	}
	// The next snapshot may have begun to overwrite what was just read.
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (rc == 0 && SL_LOAD(shm->header->snapshot_request) != snapshot) {
		sl_ledger_free(ledger);
		rc = -EAGAIN;
	}
	sample_free(&sample);
	return rc;
}
