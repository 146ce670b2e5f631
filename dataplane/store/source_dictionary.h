/* SPDX-License-Identifier: BSD-3-Clause */
// Source addresses seen in the open batch of a lane: each is written once, as a source run, and
// named by its number from then on. Thread rule: belongs to the lane's worker; created and
// destroyed on the main lcore.
#pragma once

#include "base.h"
#include "format/log_format.h"
#include "siphash.h"

// Sources one batch may name; one more closes the batch. 24 bytes each, twice as many slots.
#define SL_SOURCE_COUNT_MAX 8192u
#define SL_SOURCE_SLOT_COUNT (2 * SL_SOURCE_COUNT_MAX)

struct sl_source_slot {
	struct sl_run_source source;
	uint16_t index; // from 1
	uint16_t generation; // of the batch; other slots are free
};
static_assert(sizeof(struct sl_source_slot) == 24, "sized by SL_SOURCE_SLOT_COUNT");

struct sl_source_dictionary {
	struct sl_siphash_key key; // random: senders forge sources, and must not aim at one slot
	uint32_t count;
	uint16_t generation;
	struct sl_source_slot slots[SL_SOURCE_SLOT_COUNT];
};

// Heap-allocated; NULL with errno. Destroying NULL is legal.
struct sl_source_dictionary *sl_source_dictionary_create(void);
void sl_source_dictionary_destroy(struct sl_source_dictionary *dictionary);

// Forgets everything: a new batch.
void sl_source_dictionary_reset(struct sl_source_dictionary *dictionary);

// The number of source, from 1; *is_new when it was not known in this batch (then the caller writes
// its run). Returns SL_RUN_SOURCE_NONE when the dictionary is full.
uint16_t sl_source_dictionary_add(
	struct sl_source_dictionary *dictionary, const struct sl_run_source *source, bool *is_new);
