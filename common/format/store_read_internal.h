/* SPDX-License-Identifier: BSD-3-Clause */
// What the reads of one partition (store_read_partition.c) and of a whole stream
// (store_read_stream.c) share; store_read.c implements it.
#pragma once

#include "format/lane_reader.h"
#include "format/store_reader_internal.h"

// One read: the lane being read, and who wants the events.
struct sl_store_read {
	struct sl_store_reader *store;
	struct sl_lane_reader reader;
	const struct sl_store_visitor *visitor;
	struct sl_store_report *report;
	struct sl_err *err;
	int stopped; // what the visitor said to stop
	bool is_lane_done; // nothing wanted can follow in this lane
	uint64_t expired_seen; // segments that were gone at the last event
	uint32_t last_term; // of the last batch that was handed out; reads of one partition only
	// What is wanted of fences.
	uint16_t first_partition;
	uint32_t partition_count;
	uint32_t term; // 0: any
	uint64_t from;
	uint64_t due; // the first event, of one partition; 0: any
};

// One partition within the batch at hand.
struct sl_store_slot {
	uint64_t next_offset; // of its next event
	uint64_t from, end; // events outside are left out
	uint64_t void_start; // events from here on are void
	uint32_t term;
};

// The visitor's limit for a partition, UINT64_MAX without one.
uint64_t sl_store_read_limit(const struct sl_store_read *read, uint16_t partition);

// Walks the runs of a batch and hands out their events. slot_of() gives the place of a run's
// partition, NULL for one that nobody wants. Returns 0 or a negative errno.
int sl_store_read_runs(struct sl_store_read *read, const struct sl_batch_header *batch,
	struct sl_store_slot *(*slot_of)(void *context, uint16_t partition), void *context);

// Reads the lane that was opened with result, until its end, damage, the visitor's stop, or
// is_lane_done; on_batch gets the batches of events. Closes the lane. Returns 0 or a negative
// errno.
int sl_store_read_lane(struct sl_store_read *read, int result,
	int (*on_batch)(
		struct sl_store_read *read, const struct sl_batch_header *batch, void *context),
	void *context);
