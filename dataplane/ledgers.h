/* SPDX-License-Identifier: BSD-3-Clause */
// The ledgers that go into the log: one at the start, one an interval while something is counted,
// one at an orderly stop. Each is of one snapshot of all polling lcores, the same for every lane;
// the lanes' workers write it. Thread rule: the main lcore.
#pragma once

#include "base.h"
#include "bounds.h"
#include "format/run_ledger.h"
#include "shm.h"

struct sl_dataplane;

struct sl_ledgers {
	uint64_t boot; // random: tells this start from others
	uint64_t next_sequence;
	uint64_t due_ns; // when the next one is, by the wall clock
	uint64_t snapshot; // that is waited for; 0 none
	uint32_t look_count; // at this one, so far
	uint32_t record_bytes;
	char record[SL_LEDGER_BYTES_MAX]; // the last one
	struct sl_shm_port ports_before[SL_PORT_COUNT_MAX]; // when the snapshot began
};

// Makes the first ledger, which the lanes begin with: dataplane->ledgers.record. Before lanes are.
void sl_ledgers_first(struct sl_dataplane *dataplane);

// Once a second: true when the interval is over and a snapshot is wanted. The caller asks for one
// and sets ledgers.snapshot.
bool sl_ledgers_are_due(struct sl_dataplane *dataplane);

// Right before that snapshot is asked for: the ports as they are.
void sl_ledgers_before_snapshot(struct sl_dataplane *dataplane);

// It is whole, and the ports have been published anew: gives the ledger to the lanes. False when
// what drivers counted meanwhile does not fit yet, and another look is wanted.
bool sl_ledgers_on_snapshot(struct sl_dataplane *dataplane);

// The last ledger, for the lanes to end with: the polling lcores are back, the ports are published.
void sl_ledgers_last(struct sl_dataplane *dataplane);
