/* SPDX-License-Identifier: BSD-3-Clause */
#include "made_segment.h"

#include "err.h"
#include "format/log_format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Lcore 0: 100 frames; 6 end in the parser, 94 events; 4 meet a full ring, 90 go to two rings.
static void fill_rx(struct sl_shm_lcore *lcore)
{
	lcore->lcore_id = 1;
	lcore->cpu = 0;
	lcore->is_rx = 1;
	lcore->rx_index = 0;
	lcore->stage = SL_STAGE_RECEIVE;
	lcore->heartbeat = 12345;
	lcore->rx = (struct sl_rx_counters){
		.frames = 100,
		.port_frames = {100},
		.frame_bytes = 6000,
		.datagrams = 94,
		.events = 94,
		.event_bytes = 1692,
		.enqueued = 90,
		.bursts = 10,
		.turns = 1000,
		.turn_ns_max = 5000,
		.drops[SL_DROP_RUNT] = 1,
		.drops[SL_DROP_NOT_OURS] = 2,
		.drops[SL_DROP_UDP_CHECKSUM] = 3,
		.drops[SL_DROP_RING_FULL] = 4,
	};
}

// Lcore 1: takes the 90 and 5 more are refused.
static void fill_worker(struct sl_shm_lcore *lcore)
{
	lcore->lcore_id = 2;
	lcore->cpu = 1;
	lcore->is_worker = 1;
	lcore->worker_index = 0;
	lcore->worker = (struct sl_worker_counters){
		.dequeued = 90,
		.appended = 85,
		.stored = 85,
		.stored_bytes = 1530,
		.batches = 3,
		.written_bytes = 12288,
		.drops[SL_DROP_LANE_FULL] = 5,
	};
}

// Lcore 2: 50 frames, all of them stored without a ring.
static void fill_both(struct sl_shm_lcore *lcore)
{
	lcore->lcore_id = 3;
	lcore->cpu = 1;
	lcore->is_rx = 1;
	lcore->is_worker = 1;
	lcore->rx_index = 1;
	lcore->worker_index = 1;
	lcore->rx = (struct sl_rx_counters){.frames = 50,
		.port_frames = {50},
		.frame_bytes = 3000,
		.datagrams = 50,
		.events = 50,
		.direct = 50};
	lcore->worker = (struct sl_worker_counters){
		.direct = 50, .appended = 50, .stored = 50, .stored_bytes = 900, .batches = 2};
}

// The copies were taken a little earlier, when the worker still had events under way.
static void fill_snapshot(struct sl_shm_lcore *lcore)
{
	lcore->rx_snapshot = lcore->rx;
	lcore->worker_snapshot = lcore->worker;
	if (lcore->is_rx != 0)
		lcore->rx_snapshot_id = SL_MADE_SNAPSHOT;
	if (lcore->is_worker != 0) {
		lcore->worker_snapshot_id = SL_MADE_SNAPSHOT;
		lcore->worker_snapshot.stored -= 30;
		lcore->worker_snapshot.open_events = 10;
		lcore->worker_snapshot.in_flight_events = 20;
	}
}

static void fill_ring(struct sl_shm_ring *ring, uint64_t events)
{
	*ring = (struct sl_shm_ring){
		.entry_count = 1024,
		.enqueued = events,
		.enqueued_at_marker = events,
		.enqueued_at_copy = events,
		.marker_sent = SL_MADE_SNAPSHOT,
		.dequeued = events,
		.dequeued_at_marker = events,
		.dequeued_at_copy = events,
		.marker_received = SL_MADE_SNAPSHOT,
		.occupancy_max = 17,
	};
}

// 160 frames redirected: 150 reached the driver, 10 were lost on the way.
static void fill_port(struct sl_made_segment *made)
{
	struct sl_shm_port *port = &made->shm.ports[0];

	snprintf(port->device, sizeof(port->device), "af_xdp:veth1");
	snprintf(port->interface, sizeof(port->interface), "veth1");
	memcpy(port->mac, "\x02\x00\x00\x00\x00\x01", 6);
	port->queue_count = 1;
	port->ledger = SL_LEDGER_EXACT;
	port->link_up = 1;
	port->ipackets = 150;
	port->xdp_redirect = 160;
	port->xdp_pass = 12;
	port->xsk_ring_full = 4;
	port->xsk_fill_empty = 5;
	port->xsk_rx_dropped = 1;
	made->ports_before[0] = *port;
	made->ports_before[0].ipackets = 130;
	made->ports_before[0].xdp_redirect = 150;
	made->ports_before[0].xsk_in_ring = 10;
}

static void fill_store(struct sl_shm *shm)
{
	struct sl_shm_lane *lane = &shm->lanes[0];

	snprintf(lane->class_name, sizeof(lane->class_name), "default");
	lane->durability = SL_DURABILITY_DURABLE;
	lane->in_flight_max = 8;
	lane->epoch = 3;
	lane->segment = 1;
	lane->position = 16384;
	lane->batch_number = 5;
	lane->watermark_number = 5;
	lane->segment_count = 1;
	lane->writes_failed = 3;
	lane->write_error = -EIO;
	lane->breaker = SL_BREAKER_HALF_OPEN;
	lane->segment_bytes_total = 1 << 30;
	shm->lanes[1] = (struct sl_shm_lane){
		.lane = 1, .worker_index = SL_LANE_NONE, .state = SL_LANE_OWNERLESS};
	shm->streams[0] = (struct sl_shm_stream){
		.name = "plays", .udp_port = 9000, .first_partition = 0, .partition_count = 2};
	shm->streams[1] = (struct sl_shm_stream){
		.name = "likes", .udp_port = 9001, .first_partition = 2, .partition_count = 1};
	shm->partitions[0] = (struct sl_shm_partition){.next_offset = 60, .watermark = 60};
	shm->partitions[1] = (struct sl_shm_partition){.next_offset = 25, .watermark = 25};
	shm->partitions[2] = (struct sl_shm_partition){.next_offset = 50, .watermark = 50};
}

int sl_made_segment_create(struct sl_made_segment *made)
{
	const struct sl_shm_counts counts = {.port_count = 1,
		.lcore_count = 3,
		.ring_count = 3,
		.lane_count = 2,
		.drive_count = 1,
		.stream_count = 2,
		.partition_count = 3};
	struct sl_err err;

	*made = (struct sl_made_segment){.runtime_dir = "/tmp/sluice-made-XXXXXX"};
	if (mkdtemp(made->runtime_dir) == NULL ||
		sl_shm_create(&made->shm, made->runtime_dir, &counts, &err) != 0) {
		printf("cannot make a segment in %s\n", made->runtime_dir);
		return -1;
	}
	struct sl_shm_header *header = made->shm.header;
	snprintf(header->program_version, sizeof(header->program_version), "0.1.0");
	snprintf(header->store_path, sizeof(header->store_path), "/var/lib/sluice");
	header->state = SL_DATAPLANE_RUNNING;
	header->snapshot_request = SL_MADE_SNAPSHOT;
	fill_rx(&made->shm.lcores[0]);
	fill_worker(&made->shm.lcores[1]);
	fill_both(&made->shm.lcores[2]);
	for (uint32_t i = 0; i < header->lcore_count; i++)
		fill_snapshot(&made->shm.lcores[i]);
	fill_ring(&made->shm.rings[0], 60);
	fill_ring(&made->shm.rings[1], 30);
	// The third stays zero: lcore 2 has no ring to itself.
	made->shm.rings[2].rx_index = 1;
	made->shm.rings[2].worker_index = 1;
	fill_port(made);
	fill_store(&made->shm);
	return 0;
}

void sl_made_segment_destroy(struct sl_made_segment *made)
{
	sl_shm_close(&made->shm);
	sl_shm_remove(made->runtime_dir);
	rmdir(made->runtime_dir);
}
