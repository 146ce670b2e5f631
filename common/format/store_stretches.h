/* SPDX-License-Identifier: BSD-3-Clause */
// Which offsets of which partition lie in which lane, and whether the lanes agree. Thread rule:
// belongs to its caller.
#pragma once

#include "base.h"
#include "format/judgement.h"
#include "format/log_format.h"
#include "format/meta.h"

struct sl_store_stretches;

// NULL without memory.
struct sl_store_stretches *sl_store_stretches_create(const struct sl_store_meta *meta);
void sl_store_stretches_destroy(struct sl_store_stretches *all); // NULL is legal

// Adds what a batch holds, or says to be lost; its runs add up. False without memory.
bool sl_store_stretches_add(struct sl_store_stretches *all, const struct sl_batch_header *batch);

// Offsets of one partition that are gone, as a finding says.
bool sl_store_stretches_add_lost(
	struct sl_store_stretches *all, uint16_t lane, const struct sl_lost_range *range);

// The oldest segments of the lane have expired: what it held begins where it begins.
void sl_store_stretches_expired(struct sl_store_stretches *all, uint16_t lane);

// Adds what the lanes say against each other or against store.meta to the judgement. path: of the
// store.
void sl_store_stretches_judge(
	struct sl_store_stretches *all, const char *path, struct sl_judgement *judgement);
