/* SPDX-License-Identifier: BSD-3-Clause */
// A polling lcore: the RX side, the worker side, or both (run to completion), and the words by
// which the main lcore stops them. Thread rule: one struct an lcore, filled by the main lcore
// before launch, written by the lcore afterwards.
#pragma once

#include "base.h"
#include "bounds.h"
#include "burst.h"
#include "clock.h"
#include "rx/dispatch.h"
#include "rx/parse.h"
#include "shm.h"
#include "store/io_ops.h"
#include "worker/append.h"

enum sl_phase {
	SL_PHASE_RUN,
	SL_PHASE_STOP_RX, // receive no more; hand on what was received
	SL_PHASE_ABANDON, // a second signal: do not wait for the drive
};

// Written by the main lcore and by lcores that finish; read once a turn.
struct sl_stop_words {
	uint32_t phase SL_CACHE_ALIGNED; // enum sl_phase; main lcore
	uint32_t rx_running SL_CACHE_ALIGNED; // RX lcores that may still enqueue; each subtracts
					      // itself once, with release
	uint32_t working SL_CACHE_ALIGNED; // lcores that are not through with the drain; each
					   // subtracts itself once
};

struct sl_rx_queue {
	uint16_t port_id, queue_id; // DPDK's
	uint32_t port_index; // of the configuration
};

struct sl_rx {
	// Const after start.
	const struct sl_parse_table *parse;
	const struct sl_clock *clock;
	struct sl_rx_queue queues[SL_PORT_COUNT_MAX * SL_QUEUE_COUNT_MAX];
	uint32_t queue_count;
	struct sl_rx_counters *counters;
	uint32_t *stage; // of the lcore's heartbeat
	struct sl_lcore_cycles *cycles; // NULL: stages are not measured
	// Written by the lcore.
	struct sl_burst burst;
	struct sl_dispatch dispatch;
	bool has_more; // the last turn left frames in a queue
};

struct sl_worker_ring {
	struct rte_ring *ring;
	struct sl_shm_ring *shm;
};

struct sl_worker {
	// Const after start.
	const struct sl_clock *clock;
	struct sl_worker_ring rings[SL_LCORE_COUNT_MAX];
	uint32_t ring_count;
	struct sl_lane *lanes[SL_WORKER_LANE_COUNT_MAX]; // those that exist, dense
	uint32_t lane_count;
	struct sl_io *io;
	struct sl_worker_counters *counters;
	uint32_t *stage;
	struct sl_lcore_cycles *cycles; // NULL: stages are not measured
	const struct sl_rx *rx; // of the same lcore; NULL: it does not receive
	// Tables whose gaps this worker writes: its own lcore's, and those of lcores without a lane
	// and of the main lcore.
	struct sl_gap_table *gap_tables[SL_LCORE_COUNT_MAX + 1];
	uint32_t gap_table_count;
	// Written by the lcore.
	struct sl_append append;
	uint64_t gaps_due_ns; // when gaps are looked for next
	int32_t submit_error; // negative errno while io takes no writes, else 0; read by the main
			      // lcore, which says so when it lasts
};

struct sl_lcore {
	uint32_t lcore_id;
	uint32_t cpu;
	uint32_t helper_cpu; // where the kernel's own threads for our writes belong
	struct sl_rx *rx; // NULL: no RX here
	struct sl_worker *worker; // NULL: no worker here
	struct sl_stop_words *stop;
	struct sl_shm_lcore *shm;
	struct sl_lcore_cycles *cycles; // also of rx and worker; NULL: stages are not measured
	struct sl_gap_table *gaps; // what this lcore loses
	const uint64_t *snapshot_request; // policy word
};

// One turn of the RX side: from each queue a burst, or a few while they are full, through all
// stages. Returns the frames received.
uint32_t sl_rx_turn(struct sl_rx *rx);

// The same, and measures its stages: rx->cycles is there.
uint32_t sl_rx_turn_timed(struct sl_rx *rx);

// One turn of the worker side: completions, rings, lanes, submission. Returns the work done.
uint32_t sl_worker_turn(struct sl_worker *worker);

// The same, and measures its stages: worker->cycles is there.
uint32_t sl_worker_turn_timed(struct sl_worker *worker);

// True when nothing waits in the worker's rings.
bool sl_worker_rings_are_empty(const struct sl_worker *worker);

// True when its rings are empty and its lanes quiet.
bool sl_worker_is_drained(const struct sl_worker *worker);

// Seals what is open, whatever its age, and ends the waiting of halted lanes: part of the drain.
void sl_worker_flush(struct sl_worker *worker);

// Writes what the worker's tables know to be missing, and ledgers that were posted, into its lanes.
// Returns the gaps written.
uint32_t sl_worker_write_gaps(struct sl_worker *worker, uint64_t now_ns);

// Gives up what is not stored, as SL_DROP_ABANDONED.
void sl_worker_abandon(struct sl_worker *worker);

// The lcore's life: turns until it is stopped and drained. argument is a struct sl_lcore *; the
// function for rte_eal_remote_launch. Returns 0.
int sl_lcore_run(void *argument);

// What a polling lcore does when a turn found nothing.
void sl_lcore_idle(void);
