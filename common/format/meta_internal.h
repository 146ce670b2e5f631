/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by meta.c (what store.meta and lane.meta say) and meta_slots.c (the two slots that both
// are made of). Nobody else includes this.
#pragma once

#include "format/meta.h"

#define SL_META_SLOT_COUNT 2

// One kind of two-slot file.
struct sl_meta_kind {
	const char *name;
	uint64_t magic;
	size_t slot_bytes;
	// By the CRC, in every version; 0: the slot says it, at the place of byte_length in
	// struct sl_store_meta_header.
	size_t covered_bytes;
	bool (*is_right)(const void *slot); // besides its checksum; NULL: always
};

struct sl_meta_slots {
	enum sl_meta_slot_state states[SL_META_SLOT_COUNT];
	uint64_t generations[SL_META_SLOT_COUNT];
	char *bytes[SL_META_SLOT_COUNT]; // slot_bytes each (less at the end of the file: zeros)
};

// Reads both slots of DIRECTORY/NAME and says which is the valid one of the higher generation.
// Returns its index, with *slots to be freed, or a negative errno.
int sl_meta_slots_read(struct sl_meta_slots *slots, const struct sl_meta_kind *kind,
	const char *directory, struct sl_err *err);

void sl_meta_slots_free(struct sl_meta_slots *slots);

// Judges both slots of DIRECTORY/NAME. Returns 0 or a negative errno.
int sl_meta_slots_judge(enum sl_meta_slot_state states[SL_META_SLOT_COUNT],
	const struct sl_meta_kind *kind, const char *directory, struct sl_err *err);

// Writes slot (bytes long, its header filled but for the crc, with the generation it replaces) over
// the slot that is not the newest valid one, and flushes it. Fills crc and generation in slot.
int sl_meta_slots_write(const struct sl_meta_kind *kind, const char *directory, char *slot,
	size_t bytes, struct sl_err *err);

// Writes the newest slot again and flushes it: after a flush that failed, what a read shows may be
// nowhere but in a cache, and the next flush says that all is well. Returns 0 or a negative errno
// with err.
int sl_meta_slots_settle(
	const struct sl_meta_kind *kind, const char *directory, struct sl_err *err);
