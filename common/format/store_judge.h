/* SPDX-License-Identifier: BSD-3-Clause */
// Judges a whole store: reads everything and says everything that is wrong. Takes no lock but the
// readers', writes nothing. Thread rule: belongs to its caller.
#pragma once

#include "base.h"
#include "err.h"
#include "format/judgement.h"

struct sl_store_judge_config {
	const char *path; // of the store
	bool first_only; // end at the first damage, once it is known what it means
	// Of a running writer: the number of the last batch of a lane that it says to be stored.
	// NULL: nobody writes, and the log goes on to its end.
	uint64_t (*number_max)(void *context, uint16_t lane);
	void *context;
};

// Fills *judgement, the caller's to free, also on errors. Returns 0 when everything was looked at
// (or everything up to the first damage), however damaged; -ENOENT without a store, -EPROTO for an
// unknown version, -EBADMSG when store.meta cannot be read, or another negative errno, with err
// filled.
int sl_store_judge(const struct sl_store_judge_config *config, struct sl_judgement *judgement,
	struct sl_err *err);
