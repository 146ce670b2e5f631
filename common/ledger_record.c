/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger_record.h"

#include "shm.h"

#include <stdio.h>
#include <string.h>

#define AF_XDP_PREFIX "af_xdp:" // our own XDP program stands behind this device only

static_assert(sizeof(struct sl_run_ledger) + SL_PORT_COUNT_MAX * sizeof(struct sl_run_ledger_port) +
			SL_DROP_REASON_COUNT * sizeof(struct sl_run_ledger_drop) <=
		SL_LEDGER_BYTES_MAX,
	"the largest appliance's ledger has room");
static_assert((int)SL_LEDGER_PARSE == (int)SL_DROP_STAGE_PARSE &&
		(int)SL_LEDGER_STEER == (int)SL_DROP_STAGE_STEER &&
		(int)SL_LEDGER_APPEND == (int)SL_DROP_STAGE_APPEND,
	"stages are the same on the disk");

struct sums {
	struct sl_run_ledger header;
	uint64_t drops[SL_DROP_REASON_COUNT];
	uint64_t port_frames[SL_PORT_COUNT_MAX];
};

static void add_rx(struct sums *sums, const struct sl_rx_counters *rx)
{
	sums->header.frames += rx->frames;
	sums->header.datagrams += rx->datagrams;
	sums->header.events += rx->events;
	sums->header.direct_given += rx->direct;
	sums->header.enqueued += rx->enqueued;
	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++)
		sums->drops[i] += rx->drops[i];
	for (uint32_t i = 0; i < SL_PORT_COUNT_MAX; i++)
		sums->port_frames[i] += rx->port_frames[i];
}

static void add_worker(struct sums *sums, const struct sl_worker_counters *worker)
{
	sums->header.dequeued += worker->dequeued;
	sums->header.direct_taken += worker->direct;
	sums->header.stored += worker->stored;
	sums->header.open += worker->open_events;
	sums->header.in_flight += worker->in_flight_events;
	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++)
		sums->drops[i] += worker->drops[i];
}

// Without markers (at rest) both sides of a ring are its live words.
static void add_rings(struct sums *sums, const struct sl_shm *shm, bool has_markers)
{
	for (uint32_t i = 0; i < shm->header->ring_count; i++) {
		const struct sl_shm_ring *ring = &shm->rings[i];

		if (ring->entry_count == 0)
			continue;
		sums->header.enqueued_at_marker +=
			has_markers ? SL_LOAD(ring->enqueued_at_marker) : SL_LOAD(ring->enqueued);
		sums->header.dequeued_at_marker +=
			has_markers ? SL_LOAD(ring->dequeued_at_marker) : SL_LOAD(ring->dequeued);
		sums->header.enqueued_after += SL_LOAD(ring->enqueued);
	}
}

static void sum_up(struct sums *sums, const struct sl_shm *shm, bool is_snapshot)
{
	for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
		const struct sl_shm_lcore *lcore = &shm->lcores[i];

		if (lcore->is_rx != 0)
			add_rx(sums, is_snapshot ? &lcore->rx_snapshot : &lcore->rx);
		if (lcore->is_worker != 0)
			add_worker(sums, is_snapshot ? &lcore->worker_snapshot : &lcore->worker);
	}
	add_rings(sums, shm, is_snapshot);
	for (uint32_t i = 0; i < shm->header->lane_count; i++)
		sums->header.failed_lane_count += SL_LOAD(shm->lanes[i].state) == SL_LANE_FAILED;
}

static uint64_t lost_sum(const struct sl_shm_port *port)
{
	return SL_LOAD(port->xsk_ring_full) + SL_LOAD(port->xsk_fill_empty) +
		SL_LOAD(port->xsk_rx_dropped);
}

static char *put_port(char *next, const struct sl_shm_port *now, const struct sl_shm_port *before,
	uint64_t frames, uint64_t not_in_gaps)
{
	bool redirects = strncmp(now->device, AF_XDP_PREFIX, strlen(AF_XDP_PREFIX)) == 0;
	struct sl_run_ledger_port port = {
		.ledger = (uint8_t)now->ledger,
		.flags = redirects ? SL_LEDGER_PORT_REDIRECTS : 0,
		.frames = frames,
		.received_before = SL_LOAD(before->ipackets),
		.received_after = SL_LOAD(now->ipackets),
		.redirected_before = SL_LOAD(before->xdp_redirect),
		.redirected_after = SL_LOAD(now->xdp_redirect),
		.lost_before = lost_sum(before),
		.in_ring = SL_LOAD(now->xsk_in_ring),
		.missed = SL_LOAD(now->imissed),
		.no_mbuf = SL_LOAD(now->rx_nombuf),
		.xsk_ring_full = SL_LOAD(now->xsk_ring_full),
		.xsk_fill_empty = SL_LOAD(now->xsk_fill_empty),
		.xsk_rx_dropped = SL_LOAD(now->xsk_rx_dropped),
		.not_in_gaps = not_in_gaps,
	};

	snprintf(port.device, sizeof(port.device), "%.*s", (int)sizeof(port.device) - 1,
		now->device);
	memcpy(next, &port, sizeof(port));
	return next + sizeof(port);
}

static char *put_drop(char *next, uint32_t reason, uint64_t count, uint64_t not_in_gaps)
{
	const struct sl_drop_info *info = &sl_drop_infos[reason];
	struct sl_run_ledger_drop drop = {
		.stage = (uint8_t)info->stage,
		.unit = info->unit == SL_DROP_UNIT_FRAME ? SL_GAP_FRAMES : SL_GAP_EVENTS,
		.count = count,
		.not_in_gaps = not_in_gaps,
	};

	snprintf(drop.reason, sizeof(drop.reason), "%s", info->name);
	memcpy(next, &drop, sizeof(drop));
	return next + sizeof(drop);
}

static uint32_t put_record(void *record, const struct sl_shm *shm, struct sums *sums,
	const struct sl_shm_port *ports_before, const struct sl_ledger_unwritten *unwritten,
	const struct sl_ledger_stamp *stamp)
{
	struct sl_run_ledger *header = &sums->header;
	char *next = (char *)record + sizeof(*header);

	header->boot = stamp->boot;
	header->sequence = stamp->sequence;
	header->start_ns = shm->header->start_ns;
	header->time_ns = stamp->time_ns;
	header->header_bytes = sizeof(*header);
	header->port_bytes = sizeof(struct sl_run_ledger_port);
	header->drop_bytes = sizeof(struct sl_run_ledger_drop);
	header->lane_count = stamp->lane_count;
	header->port_count = (uint8_t)shm->header->port_count;
	for (uint32_t i = 0; i < header->port_count; i++)
		next = put_port(next, &shm->ports[i], &ports_before[i], sums->port_frames[i],
			unwritten != NULL ? unwritten->ports[i] : 0);
	for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++) {
		if (sums->drops[i] == 0)
			continue;
		next = put_drop(
			next, i, sums->drops[i], unwritten != NULL ? unwritten->drops[i] : 0);
		header->drop_count++;
	}
	memcpy(record, header, sizeof(*header));
	return (uint32_t)(next - (char *)record);
}

uint32_t sl_ledger_record_first(
	void *record, const struct sl_shm *shm, const struct sl_ledger_stamp *stamp)
{
	struct sums sums = {0};

	return put_record(record, shm, &sums, shm->ports, NULL, stamp);
}

uint32_t sl_ledger_record_at_snapshot(void *record, const struct sl_shm *shm,
	const struct sl_shm_port *ports_before, const struct sl_ledger_stamp *stamp)
{
	struct sums sums = {0};

	sum_up(&sums, shm, true);
	return put_record(record, shm, &sums, ports_before, NULL, stamp);
}

uint32_t sl_ledger_record_at_rest(void *record, const struct sl_shm *shm,
	const struct sl_ledger_unwritten *unwritten, const struct sl_ledger_stamp *stamp)
{
	struct sums sums = {.header = {.flags = SL_LEDGER_LAST}};

	sum_up(&sums, shm, false);
	return put_record(record, shm, &sums, shm->ports, unwritten, stamp);
}
