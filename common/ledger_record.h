/* SPDX-License-Identifier: BSD-3-Clause */
// Makes the ledgers that go into the log (format/run_ledger.h) from the shared memory segment.
// Thread rule: the main lcore of the data plane; the segment is only read.
#pragma once

#include "bounds.h"
#include "counters.h"
#include "format/run_ledger.h"

struct sl_shm;
struct sl_shm_port;

struct sl_ledger_stamp {
	uint64_t boot; // of this start, never 0
	uint64_t sequence;
	uint64_t time_ns; // CLOCK_REALTIME
	uint16_t lane_count; // that this start writes
};

// Losses that no gap in the log says.
struct sl_ledger_unwritten {
	uint64_t drops[SL_DROP_REASON_COUNT]; // events
	uint64_t ports[SL_PORT_COUNT_MAX]; // frames
};

// What a start begins with, before anything is counted. Each of these fills record, which has room
// for SL_LEDGER_BYTES_MAX, and returns its bytes.
uint32_t sl_ledger_record_first(
	void *record, const struct sl_shm *shm, const struct sl_ledger_stamp *stamp);

// Of a whole snapshot; ports_before as for sl_ledger_at_snapshot().
uint32_t sl_ledger_record_at_snapshot(void *record, const struct sl_shm *shm,
	const struct sl_shm_port *ports_before, const struct sl_ledger_stamp *stamp);

// The last one: the polling lcores have stopped.
uint32_t sl_ledger_record_at_rest(void *record, const struct sl_shm *shm,
	const struct sl_ledger_unwritten *unwritten, const struct sl_ledger_stamp *stamp);
