/* SPDX-License-Identifier: BSD-3-Clause */
// The copies of store.meta on several paths.
#include "format/meta.h"

int sl_store_meta_write_all(struct sl_store_meta *meta, const struct sl_store_meta_place *places,
	uint32_t place_count, struct sl_err *err)
{
	uint64_t generation = meta->header.generation;
	int result = 0;

	// A copy that is ahead, of a write that did not reach the others, keeps its slot.
	for (uint32_t i = 0; i < place_count; i++) {
		struct sl_store_meta there;

		if (sl_store_meta_read(&there, places[i].path, NULL) == 0)
			generation = SL_MAX(generation, there.header.generation);
		sl_store_meta_free(&there);
	}
	for (uint32_t i = 0; result == 0 && i < place_count; i++) {
		meta->header.generation = generation;
		meta->header.path_index = places[i].index;
		result = sl_store_meta_write(meta, places[i].path, err);
	}
	// What a write that failed has left may bear it: it is not used again.
	meta->header.generation = generation + 1;
	return result;
}
