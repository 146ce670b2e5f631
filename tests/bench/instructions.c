/* SPDX-License-Identifier: BSD-3-Clause */
// sluice-instructions receive|worker: a fixed input through the receive path (parse, steer,
// dispatch) or the worker path (append, seal, writes that complete at once), for callgrind to
// count: see instructions.py. Only what happens within measured_receive() and measured_worker()
// counts. Same input, same memory, same build: same number.
#include "burst.h"
#include "event.h"
#include "rx/dispatch.h"
#include "rx/parse.h"
#include "rx/steer.h"
#include "store/lane_setup.h"
#include "store/segment.h"
#include "worker/append.h"

#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UDP_PORT 9000
#define PAYLOAD_BYTES 18 // of a 64-byte frame
#define PARTITION_COUNT 16
#define BURST_COUNT 1024
#define RING_ENTRIES 256
#define BATCH_BYTES (512u * 1024)
#define IN_FLIGHT_MAX 8
#define SEGMENT_BYTES (32 * SL_MIB)
#define START_NS (1000 * SL_NS_PER_S)
#define BURST_NS 4000 // 16 million events a second
#define MBUF_COUNT 1023

static struct rte_mempool *pool;
static struct sl_parse_table parse_table;
static struct sl_steer_table steer_table;
static struct sl_dispatch dispatch;
static struct sl_shm_ring shm_ring;
static struct sl_rx_counters rx_counters;
static struct sl_burst burst;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "sluice-instructions: %s\n", what);
	exit(1);
}

// ---- writes that complete at once

struct memory_io {
	struct sl_io io;
	struct sl_io_request *queued[SL_LANE_BATCH_COUNT_MAX];
	uint32_t queued_count;
};

static int memory_queue(struct sl_io *io, struct sl_io_request *request)
{
	struct memory_io *memory = (struct memory_io *)io;

	memory->queued[memory->queued_count++] = request;
	return 0;
}

static int memory_submit(struct sl_io *io SL_UNUSED)
{
	return 0;
}

static uint32_t memory_reap(struct sl_io *io, struct sl_io_request **done, uint32_t count_max)
{
	struct memory_io *memory = (struct memory_io *)io;
	uint32_t count = SL_MIN(memory->queued_count, count_max);

	for (uint32_t i = 0; i < count; i++) {
		done[i] = memory->queued[i];
		done[i]->result = (int32_t)done[i]->bytes;
	}
	memory->queued_count -= count;
	return count;
}

static const struct sl_io_ops memory_ops = {
	.queue = memory_queue, .submit = memory_submit, .reap = memory_reap};
static struct memory_io memory_io = {.io.ops = &memory_ops};

// ---- the input

// Event number, as sluice-blast's binary events start with a key of three bytes.
static void fill_frame(struct rte_mbuf *mbuf, uint32_t number)
{
	struct {
		struct rte_ether_hdr ether;
		struct rte_ipv4_hdr ip;
		struct rte_udp_hdr udp;
		uint8_t payload[PAYLOAD_BYTES];
	} __attribute__((packed, aligned(2))) frame = {
		.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.ip = {.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16(sizeof(frame) - sizeof(frame.ether)),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
			.src_addr = RTE_BE32(RTE_IPV4(198, 18, 0, 1)),
			.dst_addr = RTE_BE32(RTE_IPV4(198, 18, 0, 2))},
		.udp = {.src_port = rte_cpu_to_be_16((uint16_t)(40000 + number % 64)),
			.dst_port = RTE_BE16(UDP_PORT),
			.dgram_len = rte_cpu_to_be_16(sizeof(frame.udp) + PAYLOAD_BYTES)},
	};
	uint32_t key = number * 2654435761u >> 8;

	frame.ip.hdr_checksum = rte_ipv4_cksum(&frame.ip);
	memcpy(frame.payload, &key, 3);
	memcpy(frame.payload + 3, &number, sizeof(number));
	memcpy(rte_pktmbuf_append(mbuf, sizeof(frame)), &frame, sizeof(frame));
}

static void fill_burst(uint32_t index)
{
	require(rte_pktmbuf_alloc_bulk(pool, burst.mbufs, SL_BURST_COUNT_MAX) == 0, "no mbufs");
	for (uint32_t i = 0; i < SL_BURST_COUNT_MAX; i++)
		fill_frame(burst.mbufs[i], index * SL_BURST_COUNT_MAX + i);
	burst.count = SL_BURST_COUNT_MAX;
	burst.dead_count = 0;
	burst.receive_ns = START_NS + (uint64_t)index * BURST_NS;
}

static void set_up(void)
{
	char *arguments[] = {"sluice-instructions", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "--iova-mode=va", "--log-level=4", "--lcores=0", "-m", "32",
		NULL};

	require(rte_eal_init((int)SL_ARRAY_COUNT(arguments) - 1, arguments) >= 0,
		"EAL does not start");
	pool = rte_pktmbuf_pool_create("pool", MBUF_COUNT, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	require(pool != NULL, "no memory for mbufs");
	memset(&parse_table, 0xff, sizeof(parse_table)); // SL_STREAM_NONE
	parse_table.stream_by_port[UDP_PORT] = 0;
	steer_table.streams[0] = (struct sl_steer_stream){
		.key = {.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908},
		.partition_count = PARTITION_COUNT,
		.key_bytes = 3,
		.near_end = 3};
	// valgrind knows no AVX-512, and the figure must not depend on the CPU.
	steer_table.hash = sl_siphash_batch_choose(SL_SIPHASH_AVX2);
	steer_table.ring_count = 1;
	steer_table.worker_count = 1;
	dispatch.steer = &steer_table;
	dispatch.shm_rings = &shm_ring;
	dispatch.own_worker = SL_WORKER_NONE;
	dispatch.counters = &rx_counters;
	dispatch.rings[0] = rte_ring_create_elem("ring", sizeof(struct sl_event), RING_ENTRIES, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	require(dispatch.rings[0] != NULL, "no memory for a ring");
}

// ---- what counts

__attribute__((noinline)) static void measured_receive(void)
{
	sl_parse_burst(&parse_table, &burst, &rx_counters);
	sl_steer_burst(&steer_table, &burst);
	sl_dispatch_burst(&dispatch, &burst);
}

__attribute__((noinline)) static void measured_worker(
	struct sl_append *append, const struct sl_event *events, uint32_t count, uint64_t now_ns)
{
	struct sl_lane *lane = append->lanes[0];
	struct sl_io_request *done[IN_FLIGHT_MAX];
	uint32_t done_count = lane->io->ops->reap(lane->io, done, IN_FLIGHT_MAX);

	for (uint32_t i = 0; i < done_count; i++)
		sl_lane_complete(done[i]->owner, done[i], now_ns);
	sl_append_burst(append, events, count);
	sl_lane_tick(lane, now_ns);
	lane->io->ops->submit(lane->io);
}

// ---- the two paths

static uint32_t take_events(struct sl_event *events)
{
	uint32_t count = rte_ring_sc_dequeue_burst_elem(
		dispatch.rings[0], events, sizeof(events[0]), SL_BURST_COUNT_MAX, NULL);

	require(count == SL_BURST_COUNT_MAX, "an event is missing from the ring");
	return count;
}

static uint64_t run_receive(void)
{
	struct sl_event events[SL_BURST_COUNT_MAX];

	for (uint32_t index = 0; index < BURST_COUNT; index++) {
		fill_burst(index);
		measured_receive();
		take_events(events);
		for (uint32_t i = 0; i < SL_BURST_COUNT_MAX; i++)
			rte_pktmbuf_free(events[i].mbuf);
	}
	return rx_counters.enqueued;
}

static void open_lane(struct sl_lane *lane, struct sl_partition *partitions,
	struct sl_worker_counters *counters, char *directory)
{
	static uint16_t owned[PARTITION_COUNT];
	static struct sl_shm_lane shm;
	static struct sl_shm_partition shm_partitions[PARTITION_COUNT];
	const struct sl_lane_chain chain = {.next_number = 1, .time_last_ns = START_NS};
	struct sl_err err = {0};

	for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
		owned[i] = (uint16_t)i;
		partitions[i].term = 1;
	}
	uint64_t bytes = sl_lane_memory_bytes(&(struct sl_lane_size){
		.in_flight_max = IN_FLIGHT_MAX,
		.owned_count = PARTITION_COUNT,
		.batch_bytes = BATCH_BYTES,
	});
	struct sl_lane_setup setup = {
		.batch_bytes = BATCH_BYTES,
		.linger_us = 1000,
		.in_flight_max = IN_FLIGHT_MAX,
		.epoch = 1,
		.partitions = partitions,
		.owned = owned,
		.owned_count = PARTITION_COUNT,
		.memory = aligned_alloc(SL_BLOCK_BYTES, bytes),
		.counters = counters,
		.shm = &shm,
		.shm_partitions = shm_partitions,
	};
	require(setup.memory != NULL, "no memory for batches");
	require(sl_lane_init(lane, &setup, &err) == 0, err.text);
	require(mkdtemp(directory) != NULL, "cannot make a directory");
	struct sl_segment *segment = sl_segment_create(directory, 1, SEGMENT_BYTES, &err);
	require(segment != NULL, err.text);
	require(sl_lane_begin(lane, segment, &chain, &err) == 0, err.text);
	lane->io = &memory_io.io;
}

static void remove_directory(const char *directory)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" SL_SEGMENT_NAME_FORMAT, directory, 1ull);
	unlink(path);
	rmdir(directory);
}

static uint64_t run_worker(void)
{
	static struct sl_partition partitions[PARTITION_COUNT];
	static struct sl_worker_counters counters;
	static struct sl_lane lane;
	struct sl_append append = {
		.partitions = partitions, .lanes = {&lane}, .lane_count = 1, .counters = &counters};
	struct sl_event events[SL_BURST_COUNT_MAX];
	char directory[] = "./sluice-instructions.XXXXXX";

	open_lane(&lane, partitions, &counters, directory);
	for (uint32_t index = 0; index < BURST_COUNT; index++) {
		fill_burst(index);
		measured_receive(); // not counted here: the other function is
		uint32_t count = take_events(events);
		measured_worker(&append, events, count, burst.receive_ns + BURST_NS);
	}
	require(counters.batches > 3, "too few batches were sealed");
	remove_directory(directory);
	return counters.appended;
}

int main(int argc, char **argv)
{
	uint64_t count;

	require(argc == 2, "usage: sluice-instructions receive|worker");
	set_up();
	count = strcmp(argv[1], "receive") == 0 ? run_receive() : run_worker();
	require(count == (uint64_t)BURST_COUNT * SL_BURST_COUNT_MAX,
		"not every event came through");
	printf("events %lu\n", count);
	return 0;
}
