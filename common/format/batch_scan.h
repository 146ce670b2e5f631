/* SPDX-License-Identifier: BSD-3-Clause */
// Checks and walks batches: the same code for recovery, for readers and for tests. Never trusts a
// length before the header's CRC, nor a run before the body's. Pure: works on memory that the
// caller read. Thread rule: any thread; state is the caller's.
#pragma once

#include "base.h"
#include "format/log_format.h"

// CRC of the salt alone: every salted CRC continues from it.
uint32_t sl_batch_salt_crc(const uint8_t salt[SL_SALT_BYTES]);

// Sets header->header_crc. Seal and tests use it.
void sl_batch_header_seal(struct sl_batch_header *header, uint32_t salt_crc);

enum sl_batch_verdict {
	SL_BATCH_OK,
	SL_BATCH_NO_MAGIC, // zeros or anything else: an unwritten or foreign block
	SL_BATCH_BAD_VERSION, // CRC good, version unknown: refuse loudly, never truncate
	SL_BATCH_BAD_HEADER, // header CRC, or fields that contradict each other
	SL_BATCH_MISPLACED, // valid, of another lane, segment or position: stale or misdirected
	SL_BATCH_BAD_BODY, // body CRC, body prefix, or runs that do not add up
};

// Where a block was read from: what its header must say.
struct sl_batch_place {
	uint16_t lane;
	uint64_t segment;
	uint64_t position;
};

// Checks the 128 bytes of a header: magic, CRC, version, place, lengths against each other and
// against bytes_left (from the batch's position to where batches must end in this segment).
enum sl_batch_verdict sl_batch_check_header(const struct sl_batch_header *header, uint32_t salt_crc,
	const struct sl_batch_place *place, uint64_t bytes_left);

// Checks the body of a batch whose header is good; batch points to all of byte_length bytes. Walks
// the runs and holds their counts against header and table. Of a kind that this version does not
// know only CRC and prefix are checked: skip and count it.
enum sl_batch_verdict sl_batch_check_body(const void *batch, uint32_t salt_crc);

// The two halves of it: CRC and prefix, which make table and lengths trustworthy, and the walk,
// which a reader that skips the batch can spare.
enum sl_batch_verdict sl_batch_check_sum(const void *batch, uint32_t salt_crc);
enum sl_batch_verdict sl_batch_check_runs(const void *batch);

const char *sl_batch_verdict_name(enum sl_batch_verdict verdict);

// Bytes that the batch takes in the file: byte_length rounded up to a block.
static inline uint64_t sl_batch_block_bytes(const struct sl_batch_header *header)
{
	return SL_ALIGN_UP((uint64_t)header->byte_length, SL_BLOCK_BYTES);
}

// The partition table of a checked batch: header->table_count entries.
static inline const struct sl_batch_table_entry *sl_batch_table(
	const struct sl_batch_header *header)
{
	return (const struct sl_batch_table_entry *)((const char *)header + header->table_offset);
}

struct sl_run {
	enum sl_run_type type;
	uint16_t partition;
	uint32_t bytes;
	const void *data; // in the batch
	uint64_t receive_ns;
	const struct sl_run_source *source; // in the batch, or NULL
};

// Walks the runs of a batch whose body was checked; finds none in a batch of unknown kind.
struct sl_run_iterator {
	const struct sl_batch_header *header;
	const char *next;
	uint32_t runs_left;
	uint64_t time_base_ns;
	uint32_t source_count, source_capacity;
	const struct sl_run_source **sources; // dictionary; grown by the iterator
	// Set by the caller: SL_RUN_GAP, SL_RUN_LEDGER are handed out, not passed over.
	bool wants_gaps, wants_ledgers;
	bool out_of_memory; // the dictionary could not grow: sl_run_next() ended early
};

void sl_run_iterator_init(struct sl_run_iterator *iterator, const void *batch);
// Fills run with the next run of a type that the caller may see (EVENT, RICH: run_events.h;
// PARTITION_STATE, SESSION_STATE, LOST, GAP and LEDGER where they are wanted); handles SOURCE, TIME
// and FILLER itself and skips unknown types by length, counting them in *unknown_count when not
// NULL. Returns false at the end.
bool sl_run_next(struct sl_run_iterator *iterator, struct sl_run *run, uint64_t *unknown_count);
void sl_run_iterator_fini(struct sl_run_iterator *iterator);
