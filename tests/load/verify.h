/* SPDX-License-Identifier: BSD-3-Clause */
// Holds what a store gave back against what a run must have put there: every sequence once,
// ascending for each key, each key in one partition, offsets dense, every byte as it was built. Fed
// event by event, from a store or from memory; takes one bit a sequence and eight bytes a key (a
// thousand million events with a million keys: 133 MB).
// Thread rule: one thread.
#pragma once

#include "base.h"
#include "err.h"
#include "load/payload.h"

#define SL_VERIFY_EXAMPLE_COUNT_MAX 10u
#define SL_VERIFY_NOWHERE UINT32_MAX // no partition

enum sl_verify_fault {
	SL_VERIFY_MISSING, // sent and not stored
	SL_VERIFY_DOUBLED, // stored again
	SL_VERIFY_REORDERED, // behind a later event of its key
	SL_VERIFY_CORRUPT, // of this run, content wrong or never sent
	SL_VERIFY_STRAYED, // in another partition than earlier events of its key
	SL_VERIFY_OFFSET, // the partition's offsets are not dense here
	SL_VERIFY_FOREIGN, // no event of the generator, or with a damaged head
	SL_VERIFY_FAULT_COUNT,
};

struct sl_verify_config {
	struct sl_payload_config payload;
	bool whole; // all of payload is known; else only kind and run_id
	uint64_t sent_count;
	uint32_t doubt_count; // behind sent_count: stored or not, both are right
	bool allow_missing; // after an overload or a crash: loss is counted, not a fault
	bool allow_foreign; // the stream has other producers
};

struct sl_verify_example {
	uint64_t sequence; // MISSING: the first of count; OFFSET: the offset expected
	uint64_t count; // MISSING: sequences in a row; else 1
	uint64_t offset;
	uint32_t partition; // or SL_VERIFY_NOWHERE
	uint32_t key;
};

struct sl_verify {
	struct sl_verify_config config;
	uint64_t *seen; // a bit a sequence
	uint64_t *keys; // by key: (last sequence + 1) << 16 | partition; 0: none yet
	uint64_t *next_offsets; // by partition; 0 before its first event
	uint32_t key_count;

	uint64_t event_count; // fed, of any kind
	uint64_t stored_count; // whole events of this run, doubled ones included
	uint64_t distinct_count; // sequences seen
	uint64_t other_run_count;
	uint64_t fault_counts[SL_VERIFY_FAULT_COUNT];
	struct sl_verify_example examples[SL_VERIFY_FAULT_COUNT][SL_VERIFY_EXAMPLE_COUNT_MAX];
	uint32_t example_counts[SL_VERIFY_FAULT_COUNT];
	uint32_t partition_count; // that held any event

	// Of this run's whole events.
	uint64_t first_receive_ns, last_receive_ns;
	int64_t age_ns_min, age_ns_max, age_ns_sum; // from send to receive
};

struct sl_verify_event {
	uint32_t partition; // store-wide, 16 bits
	uint64_t offset;
	uint64_t receive_ns;
	const void *data;
	uint32_t bytes;
};

// Returns 0, -EINVAL when the configuration contradicts itself, or -ENOMEM.
int sl_verify_init(
	struct sl_verify *verify, const struct sl_verify_config *config, struct sl_err *err);

// Takes the next event; those of a partition in offset order.
void sl_verify_event(struct sl_verify *verify, const struct sl_verify_event *event);

// Looks for what is missing; once, after the last event.
void sl_verify_finish(struct sl_verify *verify);

// After finish: nothing but what the configuration allows.
bool sl_verify_is_good(const struct sl_verify *verify);

// "missing", "doubled", ... as in the JSON.
const char *sl_verify_fault_name(enum sl_verify_fault fault);

// Legal on a zeroed struct.
void sl_verify_fini(struct sl_verify *verify);
