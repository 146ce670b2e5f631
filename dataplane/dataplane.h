/* SPDX-License-Identifier: BSD-3-Clause */
// The one context of the process: everything that main() starts, in the order of the start table,
// and stops in reverse. Thread rule: main lcore; polling lcores see only what lcore.h hands them.
#pragma once

#include "base.h"
#include "clock.h"
#include "config/config.h"
#include "err.h"
#include "layout.h"
#include "lcore.h"
#include "ledgers.h"
#include "memory_plan.h"
#include "port/port.h"
#include "rx/parse.h"
#include "rx/steer.h"
#include "shm.h"
#include "store/store.h"

struct rte_mempool;
struct sl_control;

// Exit codes, as --help lists them.
enum sl_exit {
	SL_EXIT_OK = 0,
	SL_EXIT_START_FAILED = 1,
	// 2 is a wrong command line (options.h)
	SL_EXIT_CONFIG = 4,
	SL_EXIT_LANE_FAILED = 5,
	SL_EXIT_ABANDONED = 6,
	SL_EXIT_CORRUPT = 7,
};

// What a port had lost when it was looked at last.
struct sl_port_losses {
	uint64_t missed, no_mbuf, ring_full, fill_empty, rx_dropped; // frames
};

struct sl_dataplane {
	// From the command line.
	const char *program;
	const char *config_path;
	const char *report_path; // or NULL

	struct sl_config config;
	struct sl_layout layout;
	struct sl_memory_plan memory;
	uint32_t queue_counts[SL_PORT_COUNT_MAX];
	int runtime_lock_fd;
	struct sl_clock clock;
	struct sl_store store;
	struct sl_shm shm;
	struct rte_mempool *mempool;
	struct sl_port ports[SL_PORT_COUNT_MAX];
	struct sl_parse_table *parse;
	struct sl_steer_table *steer;
	struct sl_stop_words *stop;
	struct sl_lcore lcores[SL_LCORE_COUNT_MAX];
	struct sl_gap_streams gap_streams;
	struct sl_gap_table *port_gaps; // noted by the main lcore
	struct sl_port_losses port_losses[SL_PORT_COUNT_MAX];
	struct sl_ledgers ledgers;
	struct sl_control *control;
	bool lcores_launched;
	bool was_abandoned;
	enum sl_exit exit_code;
};

// Makes rings, fills lcores[] and launches them; they poll, but ports admit nothing yet. Fini stops
// and joins them.
int sl_lcores_launch(struct sl_dataplane *dataplane, struct sl_err *err);
void sl_lcores_join(struct sl_dataplane *dataplane);

// True when every polling lcore has returned.
bool sl_lcores_are_back(const struct sl_dataplane *dataplane);

// Frees what sl_lcores_launch allocated.
void sl_lcores_free(struct sl_dataplane *dataplane);

// Tables for what is lost: made before the lcores are, dealt to the workers that write them once
// these have their lanes. Frames that ports have lost since the last time are noted by the main
// lcore.
int sl_gaps_make(struct sl_dataplane *dataplane, struct sl_err *err);
void sl_gaps_deal(struct sl_dataplane *dataplane);
void sl_gaps_note_ports(struct sl_dataplane *dataplane);
void sl_gaps_free(struct sl_dataplane *dataplane);

// From here on a stop signal waits until the start is through, and is served then: it would leave
// shared memory, sockets and a program on the interface behind.
void sl_control_hold_signals(void);

// Signals, timers and the control socket on the main lcore, until a stop signal has been served and
// all lcores are back.
int sl_control_open(struct sl_dataplane *dataplane, struct sl_err *err);
void sl_control_run(struct sl_dataplane *dataplane);
void sl_control_close(struct sl_dataplane *dataplane);

// Reads the ports' counters into the shared memory.
void sl_dataplane_publish_ports(struct sl_dataplane *dataplane);
