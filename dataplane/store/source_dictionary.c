/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/source_dictionary.h"

#include <string.h>

#include "hotpath.h"

void sl_source_dictionary_reset(struct sl_source_dictionary *dictionary)
{
	dictionary->count = 0;
	dictionary->generation++;
	if (sl_unlikely(dictionary->generation == 0)) {
		// Once in 65,536 batches slots of an old round could look alive.
		memset(dictionary->slots, 0, sizeof(dictionary->slots));
		dictionary->generation = 1;
	}
}

uint16_t sl_source_dictionary_add(
	struct sl_source_dictionary *dictionary, const struct sl_run_source *source, bool *is_new)
{
	uint32_t slot_index = (uint32_t)(sl_siphash13(&dictionary->key, source, sizeof(*source)) %
		SL_SOURCE_SLOT_COUNT);

	// At most half of the slots are taken, so a free one comes soon.
	for (;;) {
		struct sl_source_slot *slot = &dictionary->slots[slot_index];

		if (slot->generation != dictionary->generation) {
			if (dictionary->count == SL_SOURCE_COUNT_MAX)
				return SL_RUN_SOURCE_NONE;
			slot->source = *source;
			slot->generation = dictionary->generation;
			slot->index = (uint16_t)++dictionary->count;
			*is_new = true;
			return slot->index;
		}
		if (memcmp(&slot->source, source, sizeof(*source)) == 0) {
			*is_new = false;
			return slot->index;
		}
		slot_index = (slot_index + 1) % SL_SOURCE_SLOT_COUNT;
	}
}
