/* SPDX-License-Identifier: BSD-3-Clause */
// Giving polling lcores their rings, queues and lanes, launching them and waiting for them.
#include "dataplane.h"
#include "fault.h"
#include "log.h"
#include "priority.h"
#include "store/uring.h"

#include <errno.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Every batch of every lane of a worker may be under way at once.
static uint32_t uring_entry_count(const struct sl_worker *worker)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < worker->lane_count; i++)
		count += worker->lanes[i]->batch_count;
	return SL_MAX(count, 1u);
}

static int make_uring(struct sl_dataplane *dataplane, struct sl_worker *worker,
	uint32_t worker_index, struct sl_err *err)
{
	struct iovec regions[SL_WORKER_LANE_COUNT_MAX];

	for (uint32_t i = 0; i < dataplane->store.lane_count; i++) {
		struct sl_store_lane *lane = &dataplane->store.lanes[i];

		if (lane->worker_index != worker_index)
			continue;
		lane->lane.buffer_index = (uint16_t)worker->lane_count;
		regions[worker->lane_count] = (struct iovec){
			.iov_base = lane->memory,
			.iov_len = (size_t)lane->lane.batch_count * lane->lane.batch_bytes,
		};
		assert(lane->slot == worker->lane_count);
		worker->append.lanes[lane->slot] = &lane->lane;
		worker->append.lane_count = SL_MAX(worker->append.lane_count, lane->slot + 1u);
		worker->lanes[worker->lane_count++] = &lane->lane;
	}
	worker->io = sl_uring_create(uring_entry_count(worker), regions, worker->lane_count, err);
	if (worker->io == NULL)
		return err->code;
#ifdef SL_FAULTS
	worker->io = sl_fault_wrap_io(worker->io);
	if (worker->io == NULL)
		return sl_err_set(err, -ENOMEM, "faults: out of memory");
#endif
	for (uint32_t i = 0; i < worker->lane_count; i++) {
		worker->lanes[i]->io = worker->io;
		worker->lanes[i]->cycles = worker->cycles;
		worker->lanes[i]->gaps = worker->append.gaps;
	}
	return 0;
}

static struct rte_ring *make_ring(const struct sl_dataplane *dataplane, uint32_t rx_index,
	uint32_t worker_index, struct sl_err *err)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *made;

	snprintf(name, sizeof(name), "rx%u-worker%u", rx_index, worker_index);
	// The exact size: all entries are usable, as the memory plan counted them.
	made = rte_ring_create_elem(name, sizeof(struct sl_event), dataplane->memory.ring_entries,
		SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (made == NULL)
		sl_err_set(err, -ENOMEM,
			"no hugepage memory for ring %s of %u entries; reserve more hugepages, or lower memory.ring_entries",
			name, dataplane->memory.ring_entries);
	return made;
}

static struct sl_lcore *lcore_of_worker(struct sl_dataplane *dataplane, uint32_t worker_index)
{
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		if (dataplane->layout.lcores[i].worker_index == worker_index)
			return &dataplane->lcores[i];
	}
	return NULL;
}

static int connect_rings(struct sl_dataplane *dataplane, struct sl_lcore *lcore, uint32_t rx_index,
	struct sl_err *err)
{
	struct sl_dispatch *dispatch = &lcore->rx->dispatch;

	for (uint32_t w = 0; w < dataplane->steer->ring_count; w++) {
		struct sl_lcore *consumer = lcore_of_worker(dataplane, w);
		struct sl_shm_ring *shm_ring = &dispatch->shm_rings[w];

		shm_ring->rx_index = rx_index;
		shm_ring->worker_index = w;
		if (consumer == lcore)
			continue;
		dispatch->rings[w] = make_ring(dataplane, rx_index, w, err);
		if (dispatch->rings[w] == NULL)
			return err->code;
		shm_ring->entry_count = dataplane->memory.ring_entries;
		consumer->worker->rings[consumer->worker->ring_count++] =
			(struct sl_worker_ring){.ring = dispatch->rings[w], .shm = shm_ring};
	}
	return 0;
}

static void deal_queues(struct sl_dataplane *dataplane, struct sl_rx *rx, uint32_t rx_index)
{
	for (uint32_t p = 0; p < dataplane->config.port_count; p++) {
		for (uint32_t q = 0; q < dataplane->ports[p].queue_count; q++) {
			// Ports with fewer queues than RX lcores start at different lcores.
			if ((q + p) % dataplane->layout.rx_count == rx_index)
				rx->queues[rx->queue_count++] = (struct sl_rx_queue){
					.port_id = dataplane->ports[p].port_id,
					.queue_id = (uint16_t)q,
					.port_index = p,
				};
		}
	}
}

static int make_worker(struct sl_dataplane *dataplane, struct sl_lcore *lcore,
	uint32_t worker_index, struct sl_err *err)
{
	struct sl_worker *worker = rte_zmalloc("worker", sizeof(*worker), SL_CACHE_LINE);

	if (worker == NULL)
		return sl_err_set(err, -ENOMEM,
			"no hugepage memory for worker %u; reserve more hugepages", worker_index);
	lcore->worker = worker;
	worker->clock = &dataplane->clock;
	worker->counters = &lcore->shm->worker;
	worker->stage = &lcore->shm->stage;
	worker->cycles = lcore->cycles;
	worker->append.partitions = dataplane->store.partitions;
	worker->append.counters = worker->counters;
	worker->append.gaps = lcore->gaps;
	return make_uring(dataplane, worker, worker_index, err);
}

static int make_rx(struct sl_dataplane *dataplane, struct sl_lcore *lcore,
	const struct sl_layout_lcore *plan, struct sl_err *err)
{
	struct sl_rx *rx = rte_zmalloc("rx", sizeof(*rx), SL_CACHE_LINE);

	if (rx == NULL)
		return sl_err_set(err, -ENOMEM,
			"no hugepage memory for RX lcore %u; reserve more hugepages",
			plan->rx_index);
	lcore->rx = rx;
	rx->parse = dataplane->parse;
	rx->clock = &dataplane->clock;
	rx->counters = &lcore->shm->rx;
	rx->stage = &lcore->shm->stage;
	rx->cycles = lcore->cycles;
	rx->dispatch.steer = dataplane->steer;
	rx->dispatch.shm_rings =
		&dataplane->shm.rings[plan->rx_index * dataplane->steer->ring_count];
	rx->dispatch.append = lcore->worker != NULL ? &lcore->worker->append : NULL;
	rx->dispatch.own_worker = plan->worker_index;
	rx->dispatch.counters = rx->counters;
	rx->dispatch.gaps = lcore->gaps;
	if (lcore->worker != NULL)
		lcore->worker->rx = rx;
	deal_queues(dataplane, rx, plan->rx_index);
	return connect_rings(dataplane, lcore, plan->rx_index, err);
}

static void describe_lcore(struct sl_dataplane *dataplane, uint32_t index)
{
	const struct sl_layout_lcore *plan = &dataplane->layout.lcores[index];
	struct sl_lcore *lcore = &dataplane->lcores[index];

	lcore->lcore_id = plan->lcore_id;
	lcore->cpu = plan->cpu;
	lcore->helper_cpu = dataplane->layout.main_cpu;
	lcore->stop = dataplane->stop;
	lcore->shm = &dataplane->shm.lcores[index];
	lcore->cycles = dataplane->config.lcores.stage_cycles ? &lcore->shm->cycles : NULL;
	lcore->snapshot_request = &dataplane->shm.header->snapshot_request;
	lcore->shm->lcore_id = plan->lcore_id;
	lcore->shm->cpu = plan->cpu;
	lcore->shm->is_rx = plan->rx_index != SL_ROLE_NONE;
	lcore->shm->is_worker = plan->worker_index != SL_ROLE_NONE;
	lcore->shm->rx_index = lcore->shm->is_rx ? plan->rx_index : 0;
	lcore->shm->worker_index = lcore->shm->is_worker ? plan->worker_index : 0;
}

static int make_lcores(struct sl_dataplane *dataplane, struct sl_err *err)
{
	const struct sl_layout *layout = &dataplane->layout;

	for (uint32_t i = 0; i < layout->lcore_count; i++) {
		describe_lcore(dataplane, i);
		if (layout->lcores[i].worker_index != SL_ROLE_NONE &&
			make_worker(dataplane, &dataplane->lcores[i],
				layout->lcores[i].worker_index, err) != 0)
			return err->code;
	}
	for (uint32_t i = 0; i < layout->lcore_count; i++) {
		if (layout->lcores[i].rx_index != SL_ROLE_NONE &&
			make_rx(dataplane, &dataplane->lcores[i], &layout->lcores[i], err) != 0)
			return err->code;
	}
	return 0;
}

static int run_lcore(void *argument)
{
	struct sl_lcore *lcore = argument;

	int refused = sl_priority_poll();

	if (refused != 0)
		sl_log_warning("lcore",
			"cpu %d: the kernel refuses a polling thread's priority (%s): "
			"other programs on that CPU delay it; CAP_SYS_NICE is needed",
			sched_getcpu(), strerror(-refused));
	if (lcore->worker != NULL)
		lcore->worker->io->ops->attach(lcore->worker->io, lcore->helper_cpu);
	return sl_lcore_run(argument);
}

int sl_lcores_launch(struct sl_dataplane *dataplane, struct sl_err *err)
{
	int result;

	dataplane->stop = rte_zmalloc("stop", sizeof(*dataplane->stop), SL_CACHE_LINE);
	if (dataplane->stop == NULL)
		return sl_err_set(err, -ENOMEM, "no hugepage memory; reserve more hugepages");
	result = sl_gaps_make(dataplane, err);
	if (result == 0)
		result = make_lcores(dataplane, err);
	if (result != 0)
		return result;
	sl_gaps_deal(dataplane);
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		bool is_rx = dataplane->lcores[i].rx != NULL;

		// Counted before it runs, and only if it does: workers wait for all that are
		// counted.
		__atomic_add_fetch(&dataplane->stop->rx_running, is_rx, __ATOMIC_RELEASE);
		__atomic_add_fetch(&dataplane->stop->working, 1, __ATOMIC_RELEASE);
		result = rte_eal_remote_launch(
			run_lcore, &dataplane->lcores[i], dataplane->lcores[i].lcore_id);
		if (result != 0) {
			__atomic_sub_fetch(&dataplane->stop->rx_running, is_rx, __ATOMIC_RELEASE);
			__atomic_sub_fetch(&dataplane->stop->working, 1, __ATOMIC_RELEASE);
			return sl_err_set(err, result, "cannot launch lcore %u",
				dataplane->lcores[i].lcore_id);
		}
		dataplane->lcores_launched = true;
	}
	return 0;
}

bool sl_lcores_are_back(const struct sl_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		if (rte_eal_get_lcore_state(dataplane->lcores[i].lcore_id) != WAIT)
			return false;
	}
	return true;
}

void sl_lcores_join(struct sl_dataplane *dataplane)
{
	if (!dataplane->lcores_launched)
		return;
	SL_STORE_RELEASE(
		dataplane->stop->phase, SL_MAX(dataplane->stop->phase, (uint32_t)SL_PHASE_STOP_RX));
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++)
		rte_eal_wait_lcore(dataplane->lcores[i].lcore_id);
	dataplane->lcores_launched = false;
}

void sl_lcores_free(struct sl_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		struct sl_lcore *lcore = &dataplane->lcores[i];

		for (uint32_t r = 0; lcore->rx != NULL && r < SL_LCORE_COUNT_MAX; r++)
			rte_ring_free(lcore->rx->dispatch.rings[r]);
		for (uint32_t l = 0; lcore->worker != NULL && l < lcore->worker->lane_count; l++)
			lcore->worker->lanes[l]->gaps = NULL;
		if (lcore->worker != NULL && lcore->worker->io != NULL)
			lcore->worker->io->ops->destroy(lcore->worker->io);
		rte_free(lcore->rx);
		rte_free(lcore->worker);
		lcore->rx = NULL;
		lcore->worker = NULL;
	}
	sl_gaps_free(dataplane);
	rte_free(dataplane->stop);
	dataplane->stop = NULL;
}
