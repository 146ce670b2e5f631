/* SPDX-License-Identifier: BSD-3-Clause */
// What an lcore knows to be missing, until a worker has written it into the log. A fixed number of
// slots, one for each (source, stream, reason); what finds none is counted without its source, and
// in the end without its stream: no loss goes uncounted.
//
// Thread rule: one lcore notes (its own slow path: nobody notes what was not lost), one worker
// takes. Each slot is under a sequence of its own, so the taker never waits for the noter.
#pragma once

#include "base.h"
#include "bounds.h"
#include "format/log_format.h"

#define SL_GAP_SOURCE_SLOT_COUNT 64 // with a source
#define SL_GAP_STREAM_SLOT_COUNT 64 // without one
#define SL_GAP_REASON_SLOT_COUNT 32 // without a stream either: more than there are reasons
#define SL_GAP_SLOT_COUNT \
	(SL_GAP_SOURCE_SLOT_COUNT + SL_GAP_STREAM_SLOT_COUNT + SL_GAP_REASON_SLOT_COUNT)

// Whose the lost ones were, and why.
struct sl_gap_key {
	uint64_t address[2]; // as in struct sl_run_gap; zero without a source
	const char *reason; // of static storage: compared by its address
	uint16_t stream; // index in store.meta, or SL_GAP_STREAM_NONE
	uint8_t family; // 4, 6, or 0 without a source
	uint8_t sources; // enum sl_gap_sources
	uint8_t unit; // enum sl_gap_unit
	uint8_t port; // as in struct sl_run_gap
	uint8_t reserved[2];
};

struct sl_gap_slot {
	struct sl_gap_key key;
	uint64_t count; // since start, of whatever keys the slot has had
	uint64_t first_ns, last_ns;
	uint32_t sequence; // odd while the noter writes
	uint32_t reserved;
} SL_CACHE_ALIGNED;
static_assert(sizeof(struct sl_gap_slot) == SL_CACHE_LINE, "one line, written by one lcore");

// Whose partitions are whose. Const after start.
struct sl_gap_streams {
	uint32_t count;
	struct sl_gap_stream {
		uint32_t partition_count;
		uint16_t first_partition; // store-wide
		uint16_t stream; // index in store.meta
		uint32_t class_index; // of the configuration
	} streams[SL_STREAM_COUNT_MAX];
};

struct sl_gap_table {
	const struct sl_gap_streams *streams;
	// Written by the noter.
	struct sl_gap_slot slots[SL_GAP_SLOT_COUNT] SL_CACHE_ALIGNED;
	// Written by the taker: of a slot whose count is taken the noter may change the key.
	uint64_t taken[SL_GAP_SLOT_COUNT] SL_CACHE_ALIGNED;
	uint64_t taken_ns[SL_GAP_SLOT_COUNT]; // the last loss that was taken
};

// The stream of a partition, NULL when none of the configuration has it.
const struct sl_gap_stream *sl_gap_stream_of(
	const struct sl_gap_streams *streams, uint16_t partition);

// Notes count losses at now_ns. The noter.
void sl_gap_note(
	struct sl_gap_table *table, const struct sl_gap_key *key, uint64_t count, uint64_t now_ns);

// Notes events of a partition, of whatever sources. The noter; table may be NULL: nobody asks.
void sl_gap_note_partition(struct sl_gap_table *table, uint16_t partition, const char *reason,
	uint64_t event_count, uint64_t now_ns);

// Fills gap with what slot index has and the taker has not taken. Returns the slot's count, for
// sl_gap_take; 0 when there is nothing to take now. The taker.
uint64_t sl_gap_peek(const struct sl_gap_table *table, uint32_t index, struct sl_run_gap *gap);

// What a slot has that is not taken, and of which key. Once neither noter nor taker runs any more.
uint64_t sl_gap_left(
	const struct sl_gap_table *table, uint32_t index, const struct sl_gap_key **key);

// What sl_gap_peek has found is in the log. The taker.
void sl_gap_take(struct sl_gap_table *table, uint32_t index, uint64_t count, uint64_t last_ns);
