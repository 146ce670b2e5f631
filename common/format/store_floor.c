/* SPDX-License-Identifier: BSD-3-Clause */
// Where a partition that has moved begins, when a whole term of it has expired between two that are
// left: lanes expire each for itself. What a lane has lost of its oldest term is learned with its
// terms (store_terms.c).
#include "format/store_reader_internal.h"

static uint64_t end_of(const struct sl_store_reader *store, uint16_t partition, uint32_t index)
{
	const struct sl_store_term *term = &store->partitions[partition].terms[index];

	return SL_MIN(term->end, sl_store_void_start(store, partition, term->term));
}

// Terms in between of which no lane knows any more. Of a path that is not here nothing is known.
static bool may_have_expired_between(const struct sl_store_reader *store,
	const struct sl_store_term *lower, const struct sl_store_term *upper)
{
	return store->has_expired && !store->is_degraded && upper->term > lower->term + 1 &&
		!sl_term_has_jumped(lower->term, upper->term);
}

static int set_floor(struct sl_store_reader *store, uint16_t partition, struct sl_err *err)
{
	struct sl_store_terms *known = &store->partitions[partition];

	for (uint32_t i = 1; i < known->count; i++) {
		const struct sl_store_term *lower = &known->terms[i - 1];
		const struct sl_store_term *upper = &known->terms[i];
		int result;

		if (!may_have_expired_between(store, lower, upper) ||
			end_of(store, partition, i - 1) >= upper->start || lower->end == 0)
			continue;
		// Where it ends exactly, its last segment alone says.
		result = sl_store_terms_learn_segment(store, lower->lane, lower->last_segment, err);
		if (result < 0)
			return result;
		if (end_of(store, partition, i - 1) < known->terms[i].start)
			known->floor = SL_MAX(known->floor, known->terms[i].start);
	}
	return 0;
}

int sl_store_floors_set(struct sl_store_reader *store, struct sl_err *err)
{
	int result = 0;

	for (uint32_t p = 0; result == 0 && p < store->meta.header.partition_count; p++)
		result = set_floor(store, (uint16_t)p, err);
	return result;
}
