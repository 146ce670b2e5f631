/* SPDX-License-Identifier: BSD-3-Clause */
#include "appliance.h"

#include "disk.h"
#include "files.h"
#include "judge.h"
#include "lcore.h"
#include "memory.h"
#include "network.h"
#include "oracle.h"
#include "ring.h"
#include "rx/steer.h"
#include "sim.h"
#include "store/store.h"
#include "task.h"
#include "weather.h"

#include <errno.h>
#include <rte_ring_elem.h>
#include <stdlib.h>
#include <string.h>

#define RING_ENTRIES 128

// What the process has of its own; a new one begins with zeros.
static struct {
	struct sim_life *life;
	struct sl_store store;
	struct sl_shm shm;
	struct sl_worker workers[SIM_WORKER_COUNT_MAX];
	struct sl_lcore lcores[SIM_WORKER_COUNT_MAX];
	struct sl_stop_words stop;
	struct sim_network network;
	struct sim_task *lcore_tasks[SIM_WORKER_COUNT_MAX];
	bool readers_may_go;
	bool is_closing; // what the store has is being freed
} process;

// Outlive the process, so that the oracle sees what it said last.
static struct sl_shm_partition partitions[SIM_PARTITION_COUNT_MAX];
static struct sl_shm_lcore shm_lcores[SIM_WORKER_COUNT_MAX];
static struct sl_shm_lane shm_lanes[SL_LANE_COUNT_MAX];
static struct sl_shm_drive shm_drives[SL_STORE_PATH_COUNT_MAX];
static struct sl_shm_ring shm_rings[SIM_WORKER_COUNT_MAX];
static struct sl_shm_header shm_header;
static struct sl_steer_table steer;
static struct sl_io *rings[SIM_WORKER_COUNT_MAX];

// ---- start

static void deal(void *context SL_UNUSED, const struct sl_store *store)
{
	sl_steer_init(&steer, process.life->config, &store->meta, store->meta_index_by_stream,
		process.life->worker_count);
}

static void *allocate_batches(uint64_t bytes)
{
	return aligned_alloc(SL_BLOCK_BYTES, bytes);
}

static void make_worker(uint32_t index)
{
	struct sl_worker *worker = &process.workers[index];
	uint32_t ring_bytes = (uint32_t)rte_ring_get_memsize_elem(
		sizeof(struct sl_event), SL_ALIGN_UP(RING_ENTRIES + 1, 256));

	worker->clock = &sim_clock;
	worker->counters = &shm_lcores[index].worker;
	worker->stage = &shm_lcores[index].stage;
	worker->append.partitions = process.store.partitions;
	worker->append.counters = worker->counters;
	worker->io = rings[index] = sim_ring_create();
	for (uint32_t i = 0; i < process.store.lane_count; i++) {
		struct sl_store_lane *lane = &process.store.lanes[i];

		if (lane->worker_index != index)
			continue;
		lane->lane.io = worker->io;
		lane->lane.buffer_index = (uint16_t)worker->lane_count;
		worker->append.lanes[lane->slot] = &lane->lane;
		worker->append.lane_count = SL_MAX(worker->append.lane_count, lane->slot + 1u);
		worker->lanes[worker->lane_count++] = &lane->lane;
	}
	worker->rings[0].ring = sim_host_allocate(ring_bytes);
	worker->rings[0].shm = &shm_rings[index];
	rte_ring_init(worker->rings[0].ring, "ring", RING_ENTRIES,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	worker->ring_count = 1;
}

static void *run_lcore(void *argument)
{
	sl_lcore_run(argument);
	return NULL;
}

static void launch_lcore(uint32_t index)
{
	process.lcores[index] = (struct sl_lcore){
		.lcore_id = index,
		.worker = &process.workers[index],
		.stop = &process.stop,
		.shm = &shm_lcores[index],
		.snapshot_request = &shm_header.snapshot_request,
	};
	process.stop.working++;
	process.lcore_tasks[index] = sim_task_spawn("lcore", run_lcore, &process.lcores[index]);
}

static int start(void)
{
	struct sim_life *life = process.life;
	struct sl_store_start with = {.shm = &process.shm, .allocate = allocate_batches};
	int result = sl_store_open(
		&process.store, life->config, deal, NULL, steer.worker_by_partition, &life->err);

	if (result != 0)
		return result;
	process.shm = (struct sl_shm){.header = &shm_header,
		.lcores = shm_lcores,
		.lanes = shm_lanes,
		.partitions = partitions,
		.drives = shm_drives};
	for (uint32_t i = 0; i < life->worker_count; i++)
		with.counters_by_worker[i] = &shm_lcores[i].worker;
	result = sl_store_start(&process.store, &with, &life->err);
	if (result != 0)
		return result;
	sl_store_keep(&process.store);
	sim_oracle_started(&process.store);
	life->was_ready = true;
	sim_counts.starts++;
	for (uint32_t i = 0; i < life->worker_count; i++) {
		make_worker(i);
		launch_lcore(i);
	}
	return 0;
}

// ---- readers and network beside it

static void *run_reader(void *argument SL_UNUSED)
{
	while (process.readers_may_go) {
		sim_judge_live((uint16_t)sim_below(process.life->partition_count), partitions);
		sim_task_sleep(sim_between(100, 5000) * SL_NS_PER_US);
	}
	return NULL;
}

static void wait_for(const struct sim_task *task)
{
	while (!sim_task_is_done(task))
		sim_task_sleep(20 * SL_NS_PER_US);
}

static void serve(void)
{
	struct sim_life *life = process.life;
	struct sim_task *network, *readers[2];

	process.network = (struct sim_network){
		.workers = process.workers,
		.worker_count = life->worker_count,
		.worker_by_partition = steer.worker_by_partition,
		.partition_count = life->partition_count,
		.payload_bytes_max = life->payload_bytes_max,
		.event_count = life->event_count,
	};
	network = sim_task_spawn("network", sim_network_run, &process.network);
	process.readers_may_go = true;
	for (uint32_t i = 0; i < life->reader_count; i++)
		readers[i] = sim_task_spawn("reader", run_reader, NULL);
	wait_for(network);
	process.readers_may_go = false;
	for (uint32_t i = 0; i < life->reader_count; i++)
		wait_for(readers[i]);
}

// ---- stop

// Every event that was sent is stored or refused by name: nothing is under way any more.
static void check_identity(void)
{
	uint64_t dequeued = 0;

	for (uint32_t w = 0; w < process.life->worker_count; w++) {
		const struct sl_worker_counters *counters = &shm_lcores[w].worker;
		uint64_t accounted = counters->stored;

		for (uint32_t i = 0; i < SL_DROP_REASON_COUNT; i++)
			accounted += counters->drops[i];
		if (accounted != counters->dequeued)
			sim_fail("worker %u took %lu events from its ring, and accounts for %lu", w,
				counters->dequeued, accounted);
		dequeued += counters->dequeued;
	}
	if (dequeued != process.network.sent_count)
		sim_fail("%lu events were sent, %lu arrived", process.network.sent_count, dequeued);
	if (sim_network_held_count() > 0)
		sim_fail("%u mbufs were not freed", sim_network_held_count());
}

static bool all_lcores_are_back(void)
{
	for (uint32_t i = 0; i < process.life->worker_count; i++) {
		if (!sim_task_is_done(process.lcore_tasks[i]))
			return false;
	}
	return true;
}

static void stop_lcores(void)
{
	uint64_t patience_ns = sim_now_ns() + SL_NS_PER_S / 4;

	SL_STORE_RELEASE(process.stop.phase, SL_PHASE_STOP_RX);
	sim_task_wake_idle();
	while (!all_lcores_are_back() && sim_now_ns() < patience_ns)
		sim_task_sleep(20 * SL_NS_PER_US);
	if (!all_lcores_are_back() && sim_chance(500)) {
		// A second signal: the process leaves without what the drive does not take.
		SL_STORE_RELEASE(process.stop.phase, SL_PHASE_ABANDON);
		while (!all_lcores_are_back())
			sim_task_sleep(20 * SL_NS_PER_US);
		check_identity();
		sim_log_note("abandoned");
		sim_task_crash();
	}
	// Or somebody makes room.
	if (!all_lcores_are_back()) {
		sim_weather_end();
		sim_disk_make_room();
	}
	while (!all_lcores_are_back())
		sim_task_sleep(20 * SL_NS_PER_US);
	check_identity();
}

static bool any_lane_failed(void)
{
	for (uint32_t i = 0; i < process.store.lane_count; i++) {
		if (SL_LOAD(shm_lanes[i].state) == SL_LANE_FAILED)
			return true;
	}
	return false;
}

static void *run(void *argument SL_UNUSED)
{
	struct sim_life *life = process.life;
	struct sl_err err = {0};
	int stop_result;

	life->result = start();
	if (life->result == 0) {
		serve();
		stop_lcores();
	}
	stop_result = process.store.lanes == NULL ? 0 : sl_store_stop(&process.store, &err);
	if (life->result == 0 && stop_result != 0) {
		life->result = stop_result;
		life->err = err;
	}
	if (life->result == 0 && !any_lane_failed())
		sim_oracle_stopped();
	process.is_closing = true;
	sl_store_close(&process.store, free);
	return NULL;
}

// ---- a life

static void watch(void)
{
	if (!process.life->was_ready)
		return;
	for (uint32_t p = 0; !process.is_closing && p < process.life->partition_count; p++)
		sim_oracle_rehomed((uint16_t)p, process.store.partitions[p].term,
			sim_weather_strike_count() > 0);
	sim_oracle_watch(partitions);
}

static void bury(struct sim_life *life)
{
	uint32_t open_count;
	uint64_t left_bytes;

	sim_tasks_drop();
	if (life->has_crashed)
		sim_disk_abandon_writes();
	open_count = sim_files_close_all();
	for (uint32_t i = 0; i < SIM_WORKER_COUNT_MAX; i++) {
		if (rings[i] != NULL)
			rings[i]->ops->destroy(rings[i]);
		rings[i] = NULL;
		sim_host_free(process.workers[i].rings[0].ring);
	}
	left_bytes = sim_memory_reset();
	if (life->has_crashed || sim_has_failed())
		return;
	if (open_count > 0)
		sim_fail("%u files were left open", open_count);
	if (left_bytes > 0)
		sim_fail("%lu bytes of memory were not freed", left_bytes);
}

static void count_lanes(void)
{
	for (uint32_t i = 0; i < SL_LANE_COUNT_MAX; i++) {
		sim_counts.rolls += shm_lanes[i].segments_rolled;
		sim_counts.recycled += shm_lanes[i].segments_recycled;
		sim_counts.expired += shm_lanes[i].segments_expired;
	}
}

void sim_life_run(struct sim_life *life)
{
	memset(&process, 0, sizeof(process));
	memset(partitions, 0, sizeof(partitions));
	memset(shm_lcores, 0, sizeof(shm_lcores));
	memset(shm_lanes, 0, sizeof(shm_lanes));
	memset(shm_rings, 0, sizeof(shm_rings));
	memset(shm_drives, 0, sizeof(shm_drives));
	process.life = life;
	sim_network_reset();
	sim_oracle_next_life();
	sim_crash_at(life->crash_call);
	life->has_crashed = sim_tasks_run(sim_task_spawn("main", run, NULL), watch);
	count_lanes();
	bury(life);
}
