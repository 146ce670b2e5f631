/* SPDX-License-Identifier: BSD-3-Clause */
// What is wrong in a store, as JSON and as text: the same for verify and repair. Thread rule:
// sluicectl has one thread.
#pragma once

#include "ctl/ctl.h"
#include "format/judgement.h"
#include "format/meta.h"

// An array of objects, count_max of them at most, the worst first; remarks only when asked for.
// meta: of the store, for the names of its streams; its tables may be empty.
json_t *sl_ctl_store_findings(const struct sl_judgement *judgement,
	const struct sl_store_meta *meta, size_t count_max, bool with_remarks);

// Prints them as text, each with an empty line behind it.
void sl_ctl_store_print_findings(struct sl_ctl *ctl, const json_t *findings);
