/* SPDX-License-Identifier: BSD-3-Clause */
// The keeper: a thread for everything about segments that may block. It keeps one spare segment
// ready for each lane, seals and closes full ones, removes the oldest when a storage class is over
// its retention_bytes or they are over its retention_age_s, and watches the room on each drive.
// Workers only exchange pointers with it. Thread rule: create, start and stop on the main lcore;
// the rest is the thread's own.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "store/lane.h"

struct sl_keeper;

// One lane under care. Ownerless lanes have no lane: they only expire.
struct sl_keeper_lane {
	struct sl_lane *lane; // NULL: ownerless
	char path[SL_PATH_BYTES_MAX];
	uint16_t number;
	uint16_t class_index; // of the configuration
	uint16_t drive_index; // of sl_keeper_config's drives
	struct sl_shm_lane *shm;
	uint64_t next_segment; // number of the next birth
};

struct sl_keeper_config {
	uint64_t segment_bytes;
	uint64_t format_bytes_per_s; // new segments are written once ahead at this rate; 0: never
	uint64_t retention_bytes[SL_CLASS_COUNT_MAX]; // by class of the configuration; 0: keep
						      // everything
	uint64_t retention_age_s[SL_CLASS_COUNT_MAX]; // likewise; 0: never by age
	uint64_t reserve_bytes; // of each drive, that births leave free
	struct sl_shm_drive *drives; // their paths filled in; must outlive the keeper
	uint32_t drive_count;
	uint64_t backoff_ns_min, backoff_ns_max; // between two tries of a footer that fails
	uint32_t salt_crc;
	void (*on_turn)(void *context); // once a turn, from the first one of the thread on; or NULL
	void *context;
};

// How often the thread looks at the lanes' hand-over words. A 1 GiB segment lasts 300 ms at the
// fastest rate these drives take.
#define SL_KEEPER_TURN_NS (2 * SL_NS_PER_MS)

// Zeros are written in pieces of this: one turn writes at most one for each lane.
#define SL_KEEPER_FORMAT_BYTES (1u * 1024 * 1024)

// Copies lanes and configuration. Lists the segments that exist. Returns NULL with err filled.
struct sl_keeper *sl_keeper_create(const struct sl_keeper_config *config,
	const struct sl_keeper_lane *lanes, uint32_t lane_count, struct sl_err *err);

// Starts the thread. Returns 0 or a negative errno.
int sl_keeper_start(struct sl_keeper *keeper, struct sl_err *err);

// Ends the thread once what is handed over is sealed, and removes spares that nobody took.
// Idempotent.
void sl_keeper_stop(struct sl_keeper *keeper);

// Stops first. NULL is legal.
void sl_keeper_destroy(struct sl_keeper *keeper);
