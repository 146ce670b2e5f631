/* SPDX-License-Identifier: BSD-3-Clause */
// A set of batches that grows in ascending order: a list while it is thin, a bitmap when it is
// dense, so that its memory follows the smaller of the two. Thread rule: its owner's.
#pragma once

#include "base.h"

struct sl_index_set {
	uint32_t count;
	bool is_bitmap;
	size_t capacity_bytes;
	void *data; // uint32_t places, or bits
};

// Adds a place that is higher than all before. Returns false without memory.
bool sl_index_set_add(struct sl_index_set *set, uint32_t place);

// Writes count u32 places, ascending.
void sl_index_set_list(const struct sl_index_set *set, char *target);
// Sets the bits of the set in bytes of zeros, which have room for the highest place.
void sl_index_set_bitmap(const struct sl_index_set *set, char *target, size_t bytes);

void sl_index_set_fini(struct sl_index_set *set);
