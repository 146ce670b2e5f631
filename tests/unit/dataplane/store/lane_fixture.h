/* SPDX-License-Identifier: BSD-3-Clause */
// One lane over real segments in a real directory, with the test as its worker and its keeper, and
// time as the test says. Also reads back what the lane wrote, holding every batch against the rules
// of docs/format.md. Thread rule: one test at a time.
#pragma once

#include "base.h"
#include "format/batch_scan.h"
#include "scratch.h"
#include "store/breaker.h"
#include "store/io_fault.h"
#include "store/keeper.h"
#include "store/lane_setup.h"
#include "store/segment.h"

#define SL_FIXTURE_LANE 7
#define SL_FIXTURE_SALT_CRC 0x5a17u
#define SL_FIXTURE_EPOCH 3
#define SL_FIXTURE_BACKOFF_NS_MIN SL_NS_PER_MS
#define SL_FIXTURE_BACKOFF_NS_MAX (8 * SL_NS_PER_MS)
#define SL_FIXTURE_START_NS (1000 * SL_NS_PER_S)

struct sl_fixture_options { // zeros: the default in the comment
	uint32_t partition_count; // 4
	uint32_t batch_bytes; // 64 KiB
	uint32_t in_flight_max; // 4
	uint32_t linger_us; // 1000
	uint64_t segment_age_s; // never
	uint64_t segment_bytes; // 4 MiB
	enum sl_durability durability; // none
	bool keep_source;
	bool sync; // pwrite instead of io_uring
	uint32_t retry_limit; // 0
	struct sl_io_fault fault;
};

struct sl_fixture {
	char path[64];
	struct sl_fixture_options options;
	struct sl_lane lane;
	struct sl_breaker breaker;
	struct sl_partition *partitions;
	uint16_t *owned;
	struct sl_worker_counters counters;
	struct sl_shm_lane shm;
	struct sl_shm_partition *shm_partitions;
	void *memory;
	struct sl_io *io;
	uint64_t next_segment;
};

// A new lane that has begun: its checkpoint is on the disk.
void sl_fixture_open(struct sl_fixture *fixture, const struct sl_fixture_options *options);
void sl_fixture_close(struct sl_fixture *fixture);

// A keeper of the fixture's lane alone, which config says more of than sizes and salt (these are
// the fixture's). Never NULL; the caller's to destroy.
struct sl_keeper *sl_fixture_keeper(struct sl_fixture *fixture, struct sl_keeper_config config);

// Everything but the lane itself and its directory's segments: for tests of begin and of crashes.
void sl_fixture_init(struct sl_fixture *fixture, const struct sl_fixture_options *options);

// Appends one event as worker/append.c does. False when it is refused; then it is counted.
bool sl_fixture_append_to(struct sl_lane *lane, struct sl_partition *partitions, uint16_t partition,
	const void *data, uint32_t bytes, uint64_t receive_ns);
bool sl_fixture_append(struct sl_fixture *fixture, uint16_t partition, const void *data,
	uint32_t bytes, uint64_t receive_ns);

// One turn of a worker: completions, tick, submit. Returns the completions taken.
uint32_t sl_fixture_turn(struct sl_fixture *fixture, uint64_t now_ns);

// Turns at the same time until nothing is under way or the lane has failed or is halted.
void sl_fixture_settle(struct sl_fixture *fixture, uint64_t now_ns);

// The keeper's two duties.
void sl_fixture_give_spare(struct sl_fixture *fixture);
void sl_fixture_seal_closing(struct sl_fixture *fixture); // or removes it, when it is void

// Turns with both of them, time going on by a millisecond each, until the breaker is in that state,
// a thousand at most. Returns the time then.
uint64_t sl_fixture_turn_until(
	struct sl_fixture *fixture, enum sl_breaker_state state, uint64_t now_ns);

// Turns with both of them, time going on by a millisecond each, until the lane is whole (nothing
// under way, not halted) or has failed; a thousand at most. Returns the time.
uint64_t sl_fixture_mend(struct sl_fixture *fixture, uint64_t now_ns);

// Reads a segment file batch by batch; asserts place, checksums, runs, and the chain, also from one
// segment to the next.
struct sl_fixture_walk {
	const struct sl_fixture *fixture;
	uint64_t segment;
	char *bytes; // of the file
	uint64_t file_bytes, position;
	uint64_t last_number;
	uint32_t last_body_crc;
};

void sl_fixture_walk_init(struct sl_fixture_walk *walk, const struct sl_fixture *fixture);
void sl_fixture_walk_segment(struct sl_fixture_walk *walk, uint64_t segment);
const struct sl_batch_header *sl_fixture_walk_next(struct sl_fixture_walk *walk); // NULL: the end
void sl_fixture_walk_fini(struct sl_fixture_walk *walk);
