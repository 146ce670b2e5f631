/* SPDX-License-Identifier: BSD-3-Clause */
// What `sluicectl store dump` lists: one item is one object, printed as a line of JSON or as
// "WORD key=value ..." in text. Thread rule: sluicectl has one thread.
#pragma once

#include "ctl/ctl.h"
#include "format/batch_scan.h"
#include "format/meta.h"

// Prints the item and releases it; its member "item" is the word. NULL: no memory, which the output
// keeps as its error.
void sl_ctl_item_print(struct sl_ctl *ctl, json_t *item);

json_t *sl_ctl_item_footer(const struct sl_segment_footer *footer, bool is_valid);
// Every field of a header as it stands, and the verdict on the batch.
json_t *sl_ctl_item_batch(
	const struct sl_batch_header *header, uint64_t position, const char *verdict);
json_t *sl_ctl_item_table_entry(const struct sl_batch_table_entry *entry);

// Prints table and runs of a batch as they stand: readable_bytes of it are in memory. Ends with an
// item that says what is wrong where a length leads out of it.
void sl_ctl_items_of_body(
	struct sl_ctl *ctl, const struct sl_batch_header *batch, size_t readable_bytes);
