/* SPDX-License-Identifier: BSD-3-Clause */
// The accounting identities from the log alone: of each ledger in it, of what the log holds against
// the ledgers, and of each partition's offsets. Thread rule: that of the store's reader.
#pragma once

#include "err.h"
#include "format/run_ledger.h"
#include "format/store_reader.h"
#include "ledger.h"

#define SL_LEDGER_FAILURE_COUNT_MAX 100 // that are listed

// Evaluates one ledger, whose run was checked. Returns 0 or -ENOMEM. The caller owns *ledger.
int sl_ledger_of_record(struct sl_ledger *ledger, const void *record);

enum sl_ledger_end {
	SL_LEDGER_END_CLEAN, // with a last ledger
	SL_LEDGER_END_RUNNING, // the store is being written, and this is its newest start
	SL_LEDGER_END_NONE, // it ended without one: a crash, or a lane that was given up
};

// One lane's part in one start.
struct sl_ledger_epoch {
	uint64_t boot; // 0: the log holds no ledger of this epoch
	uint64_t epoch;
	uint64_t event_count; // in the log, void ones too
	uint16_t lane;
	bool has_first, has_last;
	bool has_fence; // a repair says here that something is gone
};

// Gaps of one start and reason.
struct sl_ledger_gaps {
	char reason[SL_GAP_REASON_BYTES_MAX];
	uint64_t count;
	uint8_t unit; // enum sl_gap_unit
};

struct sl_ledger_gap_list {
	struct sl_ledger_gaps *gaps;
	size_t count;
};

// One start of the appliance, as its ledgers and its lanes tell.
struct sl_ledger_boot {
	uint64_t boot, start_ns;
	uint64_t record_count; // all copies
	uint64_t event_count; // of all its lanes
	uint32_t lane_count, first_count; // lanes that hold a ledger of it; that hold its first one
	enum sl_ledger_end end;
	// All that it has written is there: every lane from its first ledger on, and no fence.
	bool is_whole;
	bool has_fence;
	struct sl_run_ledger newest;
	void *newest_record; // newest_bytes of them
	uint32_t newest_bytes;
	struct sl_ledger_gap_list gaps;
	struct sl_ledger lines; // of its newest ledger, and of the log against it
};

struct sl_ledger_failure {
	uint64_t boot, sequence;
	uint16_t lane;
	struct sl_ledger_line line;
};

struct sl_ledger_offline {
	struct sl_ledger_boot *boots; // by start_ns
	size_t boot_count;
	struct sl_ledger_epoch *epochs;
	size_t epoch_count;
	struct sl_store_count *partitions; // by number
	uint32_t partition_count;
	struct sl_ledger_failure *failures; // of single records
	size_t failure_count; // listed
	uint64_t failures_in_all, record_count;
	bool is_live; // somebody was writing the store
	bool is_partial; // a path of the store is not here, and what lies there
	struct sl_store_report report;
};

// Reads all of the store. is_live: a data plane writes it, whose newest start has no last ledger
// yet. Returns 0, or a negative errno with err filled (-EBADMSG is damage). The caller owns
// *result, also after an error.
int sl_ledger_check_offline(struct sl_ledger_offline *result, struct sl_store_reader *store,
	bool is_live, struct sl_err *err);

// Offsets of a partition between its first and its last that nothing says anything of.
uint64_t sl_ledger_partition_unknown(const struct sl_store_count *count);

// True when a partition's offsets add up. In a store of which a path is not here some may be
// unknown.
bool sl_ledger_partition_holds(
	const struct sl_ledger_offline *result, const struct sl_store_count *count);

// True when everything that could be checked holds.
bool sl_ledger_offline_holds(const struct sl_ledger_offline *result);

void sl_ledger_offline_free(struct sl_ledger_offline *result); // legal on a zeroed one
