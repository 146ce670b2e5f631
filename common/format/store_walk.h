/* SPDX-License-Identifier: BSD-3-Clause */
// Walks all batches of a store, lane by lane, and counts what they hold: what sl_store_count(),
// sl_store_read_gaps() and the offline ledger stand on. Thread rule: that of the store's reader.
#pragma once

#include "base.h"
#include "err.h"
#include "format/lane_reader.h"
#include "format/store_reader.h"

// Gets each batch of all lanes, in order of writing within each; what is under its checksums fits
// together. Returns 0 or a negative errno with err filled.
typedef int (*sl_store_on_batch)(void *context, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err);

// Returns 0, what on_batch returned, -EBADMSG for damage, or what the file system said.
int sl_store_walk(struct sl_store_reader *store, sl_store_on_batch on_batch, void *context,
	struct sl_store_report *report, struct sl_err *err);

struct sl_store_counter;

// Counts partition by partition. Of visitor, which may be NULL, only limit is used. NULL without
// memory, with err filled.
struct sl_store_counter *sl_store_counter_create(struct sl_store_reader *store,
	const struct sl_store_visitor *visitor, struct sl_store_report *report, struct sl_err *err);
void sl_store_counter_destroy(struct sl_store_counter *counter); // NULL is legal

// An sl_store_on_batch; context is the counter.
int sl_store_counter_add(void *context, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err);

// counts has meta.header.partition_count entries.
void sl_store_counter_sum_up(struct sl_store_counter *counter, struct sl_store_count *counts);

// Whether the oldest segments of some lane, or of this one, have expired.
bool sl_store_counter_has_any_expired(const struct sl_store_counter *counter);
bool sl_store_counter_has_expired(const struct sl_store_counter *counter, uint16_t lane);
