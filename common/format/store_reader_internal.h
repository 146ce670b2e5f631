/* SPDX-License-Identifier: BSD-3-Clause */
// What the files of the store reader share: store_reader.c (opening), store_terms.c (who owned
// which offsets), store_read.c (events), store_count.c (counts).
#pragma once

#include "format/lane_reader.h"
#include "format/store_reader.h"

// Learns the terms of all partitions from store.meta and, when some partition has moved, from the
// checkpoints and epoch starts of all lanes. 0 or a negative errno with err filled.
int sl_store_terms_learn(struct sl_store_reader *store, struct sl_err *err);
void sl_store_terms_free(struct sl_store_reader *store);

// First offset that a higher term owns: from there on, runs of this term are void. UINT64_MAX when
// there is no higher term.
uint64_t sl_store_void_start(
	const struct sl_store_reader *store, uint16_t partition, uint32_t term);

// Raises the floors of partitions that have moved above terms that have expired between others. All
// terms are known. 0 or a negative errno with err filled.
int sl_store_floors_set(struct sl_store_reader *store, struct sl_err *err);

// Learns of all batches of one segment, as long as it is there. 0 or a negative errno with err
// filled.
int sl_store_terms_learn_segment(
	struct sl_store_reader *store, uint16_t lane, uint64_t segment, struct sl_err *err);

// Opens the lane for reading.
int sl_store_open_lane(const struct sl_store_reader *store, uint16_t lane,
	struct sl_lane_reader *reader, struct sl_err *err);

// Calls on_state for each state of the checkpoint at the head of the segment; *epoch is that of its
// first batch, 0 when the segment has no valid head. Returns 0 or a negative errno.
int sl_store_head_states(struct sl_segment_file *file, uint64_t *epoch,
	void (*on_state)(void *context, const struct sl_partition_state *state), void *context,
	struct sl_err *err);

// Calls on_state for each partition state in a batch whose runs were checked.
void sl_store_batch_states(const struct sl_batch_header *batch,
	void (*on_state)(void *context, const struct sl_partition_state *state), void *context);

// Calls on_lost for each range of offsets that a fence names. Its runs were checked.
void sl_store_batch_lost(const struct sl_batch_header *batch,
	void (*on_lost)(void *context, const struct sl_lost_offsets *lost), void *context);

// Adds what a lane reader met to the report. At the end of a lane, before closing it.
void sl_store_report_lane(
	struct sl_store_report *report, const struct sl_lane_reader *reader, bool is_at_end);
