/* SPDX-License-Identifier: BSD-3-Clause */
// Makes whole stores for tests, batch by batch, in a temporary directory below the build: stores as
// a correct writer leaves them, and, with the setters below, as a crash or a bad disk does.
#pragma once

#include "base.h"
#include "batch_maker.h"
#include "format/meta.h"

#define SL_TEST_LANE_COUNT 3
#define SL_TEST_SEGMENT_BYTES (16u * 1024 * 1024) // mostly holes

struct sl_test_lane {
	char path[128];
	int fd; // of the open segment, -1
	uint64_t segment, position; // where the next batch goes
	uint64_t epoch, number; // of the next batch
	uint32_t prev_body_crc;
	uint64_t durable_mark; // of the next batch
	uint64_t first_number; // of the segment
	uint64_t event_count, time_first_ns, time_last_ns; // of the segment
};

struct sl_test_store {
	char path[64];
	uint32_t salt_crc;
	struct sl_store_meta meta;
	struct sl_test_lane lanes[SL_TEST_LANE_COUNT];
	struct sl_test_batch batch; // being made
};

// A store with one class, one stream "plays" of partition_count partitions, all of term 1 in lane
// 0, lanes with their folders and lane.meta of epoch 1, and no segments.
void sl_test_store_create(struct sl_test_store *store, uint32_t partition_count);

// Closes and removes everything.
void sl_test_store_destroy(struct sl_test_store *store);

// Writes store->meta.
void sl_test_store_write_meta(struct sl_test_store *store);

// Starts the next segment of the lane (number + 1): the file is made, nothing is in it.
void sl_test_segment_open(struct sl_test_store *store, unsigned lane);

// Writes the footer.
void sl_test_segment_seal(struct sl_test_store *store, unsigned lane);

// Seals store->batch as the lane's next one and writes it; the lane moves on. Returns its position.
uint64_t sl_test_batch_write(struct sl_test_store *store, unsigned lane);

// The same without writing: a batch that did not land.
uint64_t sl_test_batch_lose(struct sl_test_store *store, unsigned lane);

// A batch of count events of one partition, "P:OFFSET" each.
uint64_t sl_test_events_write(struct sl_test_store *store, unsigned lane, uint16_t partition,
	uint32_t term, uint64_t offset, unsigned count);

// A whole checkpoint (at the head) or epoch start with these states, in one batch.
uint64_t sl_test_states_write(struct sl_test_store *store, unsigned lane, enum sl_batch_kind kind,
	const struct sl_partition_state *states, unsigned count);

// Path of a segment of a lane; a static buffer.
const char *sl_test_segment_path(
	const struct sl_test_store *store, unsigned lane, uint64_t segment);

// Reads or writes bytes of a segment file as they are.
void sl_test_segment_peek(const struct sl_test_store *store, unsigned lane, uint64_t segment,
	uint64_t position, void *data, size_t bytes);
void sl_test_segment_poke(const struct sl_test_store *store, unsigned lane, uint64_t segment,
	uint64_t position, const void *data, size_t bytes);

// Flips one bit.
void sl_test_segment_flip(
	const struct sl_test_store *store, unsigned lane, uint64_t segment, uint64_t position);
