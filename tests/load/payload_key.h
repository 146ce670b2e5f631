/* SPDX-License-Identifier: BSD-3-Clause */
// Which key an event has. Uniform: every key once in a block of key_count sequences, in an order
// that changes from block to block. Zipf: rank r (key r - 1) comes in proportion to 1 / r^s, drawn
// from (seed, sequence) through a table of equal slots, so that any sequence's key is found at
// once. Thread rule: pure functions over const tables, any thread.
#pragma once

#include "base.h"
#include "err.h"

struct sl_payload_config;

#define SL_ZIPF_PER_MILLE_MAX 4000u
#define SL_ZIPF_SLOT_BITS 14
#define SL_ZIPF_SLOT_COUNT (1u << SL_ZIPF_SLOT_BITS)

// A slot stands for 1 / SL_ZIPF_SLOT_COUNT of all events; they are spread evenly over the keys that
// this part of the distribution covers: one key where keys are frequent, many in the tail.
struct sl_payload_zipf_slot {
	uint32_t first_key;
	uint32_t key_count; // at least 1
};

// 128 KiB: stays in the second-level cache.
struct sl_payload_zipf {
	struct sl_payload_zipf_slot slots[SL_ZIPF_SLOT_COUNT];
};

// Makes the table for exponent per_mille / 1000 (0: none, uniform keys) over config->key_count and
// puts it into the configuration; copies of the configuration share it. Returns 0 or -ENOMEM with
// err.
int sl_payload_set_zipf(struct sl_payload_config *config, uint32_t per_mille, struct sl_err *err);

// Frees the table, of one of those that share it. Legal without one.
void sl_payload_free_zipf(struct sl_payload_config *config);

// The key of a sequence, below key_count.
uint32_t sl_payload_key(const struct sl_payload_config *config, uint64_t sequence);

// The keys of count sequences in a row: the same as one by one, but fast.
void sl_payload_keys(const struct sl_payload_config *config, uint64_t first_sequence,
	uint32_t *keys, uint32_t count);
