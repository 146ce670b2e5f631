/* SPDX-License-Identifier: BSD-3-Clause */
// Judges one lane: reads every batch, finds every break of the chain, and says what is lost by it.
// Where lane_reader.h stops, this goes on behind the damage. Reads only. Thread rule: belongs to
// its caller.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "format/batch_scan.h"
#include "format/judgement.h"
#include "format/meta.h"
#include "format/read_ahead.h"

struct sl_lane_judge_config {
	const char *path; // of the lane's folder
	uint16_t lane;
	uint32_t salt_crc;
	const struct sl_store_meta *meta; // partitions of the store
	struct sl_read_ahead *reader;
	// Of a running writer: batches up to this number must be there, what is behind them is not
	// looked at. UINT64_MAX: nobody writes, the log goes on to its end.
	uint64_t number_max;
	bool first_only; // to end when something is wrong, once it is known what it means
	// Called for each batch of the chain that is right, may be NULL. It lives until the return.
	void (*on_batch)(void *context, const struct sl_batch_header *batch);
	void *context;
};

// What is known of the lane afterwards.
struct sl_lane_judged {
	uint64_t last_number, epoch_max;
	bool is_finished; // false: ended early, at the first finding
};

// Adds what is wrong to the judgement. Returns 0 (also for damage), -EPROTO for an unknown version,
// or another negative errno, with err filled.
int sl_lane_judge(const struct sl_lane_judge_config *config, struct sl_judgement *judgement,
	struct sl_lane_judged *judged, struct sl_err *err);
