/* SPDX-License-Identifier: BSD-3-Clause */
// Runs of type SL_RUN_LEDGER: what the appliance had counted since its start, as of one snapshot of
// all its lcores (docs/format.md, "Ledgers"). Types, and pure functions over a run's data. Thread
// rule: any thread.
#pragma once

#include "base.h"
#include "format/log_format.h"

#define SL_LEDGER_LAST 0x0001 // written by an orderly stop, with everything at rest

enum sl_ledger_drop_stage { SL_LEDGER_PARSE, SL_LEDGER_STEER, SL_LEDGER_APPEND };

// Behind it stand port_count ports of port_bytes and drop_count drops of drop_bytes.
struct sl_run_ledger {
	uint64_t boot; // random, never 0: the same in all records of one start of the appliance
	uint64_t sequence; // 0 in the record that a start begins with, rising
	uint64_t start_ns; // CLOCK_REALTIME of the start
	uint64_t time_ns; // CLOCK_REALTIME of the snapshot
	uint16_t flags; // SL_LEDGER_*
	uint16_t header_bytes; // of this struct, and what later programs put behind it
	uint16_t port_bytes; // of one port
	uint16_t drop_bytes; // of one drop
	uint8_t port_count;
	uint8_t failed_lane_count; // lanes that have failed since the start
	uint16_t drop_count;
	uint16_t lane_count; // lanes that this start writes
	uint16_t reserved0;
	// Sums over all RX lcores.
	uint64_t frames, datagrams, events;
	uint64_t direct_given; // events handed to the worker on the same lcore
	uint64_t enqueued; // events handed to rings
	// Sums over all rings, at the snapshot's marker, and when all had been read.
	uint64_t enqueued_at_marker, enqueued_after, dequeued_at_marker;
	// Sums over all workers.
	uint64_t dequeued, direct_taken, stored;
	uint64_t open, in_flight; // not stored yet
	uint8_t reserved1[40];
} SL_PACKED;
static_assert(sizeof(struct sl_run_ledger) == 192, "on-disk struct");

#define SL_LEDGER_DEVICE_BYTES_MAX 64 // with the terminating zero; a longer name is cut
#define SL_LEDGER_PORT_REDIRECTS 0x01 // redirected, its sockets' losses: are counted

// What drivers and the kernel count while frames arrive was sampled before the snapshot and behind
// it.
struct sl_run_ledger_port { // index = number of the port
	char device[SL_LEDGER_DEVICE_BYTES_MAX];
	uint8_t ledger; // enum sl_ledger_class: 0 exact, 1 lower bound, 2 blind
	uint8_t flags; // SL_LEDGER_PORT_*
	uint8_t reserved0[6];
	uint64_t frames; // that RX lcores took from it
	uint64_t received_before, received_after; // by the driver
	uint64_t redirected_before, redirected_after; // by the pre-filter
	uint64_t lost_before; // xsk_* below, at the first sample
	uint64_t in_ring; // of its sockets, waiting
	uint64_t missed, no_mbuf, xsk_ring_full, xsk_fill_empty, xsk_rx_dropped;
	uint64_t not_in_gaps; // of those, what no gap in the log says
	uint8_t reserved1[16];
} SL_PACKED;
static_assert(sizeof(struct sl_run_ledger_port) == 192, "on-disk struct");

struct sl_run_ledger_drop {
	char reason[SL_GAP_REASON_BYTES_MAX]; // a name of a-z, 0-9 and _, zero-terminated
	uint8_t stage; // enum sl_ledger_drop_stage
	uint8_t unit; // enum sl_gap_unit
	uint8_t reserved[6];
	uint64_t count; // never 0: what has not happened is left out
	uint64_t not_in_gaps; // in a last record: of those, what no gap in the log says
} SL_PACKED;
static_assert(sizeof(struct sl_run_ledger_drop) == 48, "on-disk struct");

// The longest record that a program of this version writes: alone in its batch it takes one block.
#define SL_LEDGER_BYTES_MAX \
	(SL_BLOCK_BYTES - SL_BATCH_RUNS_OFFSET - (uint32_t)sizeof(struct sl_run_header) - 8)

// True when the data of a run are a ledger whose lengths fit, of this program or a later one.
bool sl_run_ledger_check(const void *data, uint32_t bytes);

// Of a run that was checked: its header, a port (index below port_count), a drop (below
// drop_count).
void sl_run_ledger_header(const void *data, struct sl_run_ledger *header);
void sl_run_ledger_port(const void *data, uint32_t index, struct sl_run_ledger_port *port);
void sl_run_ledger_drop(const void *data, uint32_t index, struct sl_run_ledger_drop *drop);
