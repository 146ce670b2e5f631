/* SPDX-License-Identifier: BSD-3-Clause */
// Reads the gaps of a store: what its appliance knows to be missing. Thread rule: that of the
// store's reader.
#pragma once

#include "base.h"
#include "err.h"
#include "format/store_reader.h"

struct sl_store_gap_visitor {
	void *context;
	// Gets each gap and the lane it stands in; it lives during the call. Returns 0 to go on or
	// a negative errno to fail.
	int (*on_gap)(void *context, uint16_t lane, const struct sl_run_gap *gap);
};

// Walks all lanes, in order of writing within each. Returns 0 or a negative errno with err filled:
// what on_gap returned, -EBADMSG for damage, or what the file system said.
int sl_store_read_gaps(struct sl_store_reader *store, const struct sl_store_gap_visitor *visitor,
	struct sl_store_report *report, struct sl_err *err);
