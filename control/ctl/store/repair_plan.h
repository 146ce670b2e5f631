/* SPDX-License-Identifier: BSD-3-Clause */
// What is done about each finding, in an order that may be cut off anywhere: what keeps offsets
// from being given twice comes first. Thread rule: the caller holds the store's lock.
#pragma once

#include "base.h"
#include "err.h"
#include "format/judgement.h"
#include "format/meta.h"
#include "format/store_paths.h"

struct sl_repair_plan {
	const struct sl_store_paths *paths; // all are here
	struct sl_store_meta *meta; // rewritten when one of its slots has rotted
	const struct sl_judgement *judgement;
	bool accepts_loss, is_dry_run, keep_originals;
	// Findings: done (or that would be), left because a loss must be accepted, left for good.
	uint64_t done_count, refused_count, unmendable_count;
};

// Returns 0, also when damage is left, or a negative errno with err filled: run it again.
int sl_repair_run(struct sl_repair_plan *plan, struct sl_err *err);
