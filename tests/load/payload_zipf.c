/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/payload.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

// The harmonic sum up to each slot's end is followed rank by rank. A slot covers the ranks from the
// one that its beginning falls into to the one before that of its end, and at least one.
static void fill_slots(
	struct sl_payload_zipf *zipf, double exponent, uint32_t key_count, double total)
{
	uint32_t rank = 0; // the rank that the slot begins in, from 0
	double sum = 1.0; // of ranks [0, rank]

	for (uint32_t i = 0; i < SL_ZIPF_SLOT_COUNT; i++) {
		double end = total * (i + 1) / SL_ZIPF_SLOT_COUNT;
		uint32_t first = rank;

		while (sum <= end && rank + 1 < key_count) {
			rank++;
			sum += pow(rank + 1.0, -exponent);
		}
		zipf->slots[i] = (struct sl_payload_zipf_slot){first, SL_MAX(rank - first, 1)};
	}
	// Rounding may have kept the last ranks out.
	struct sl_payload_zipf_slot *last = &zipf->slots[SL_ZIPF_SLOT_COUNT - 1];
	last->key_count = key_count - last->first_key;
}

int sl_payload_set_zipf(struct sl_payload_config *config, uint32_t per_mille, struct sl_err *err)
{
	double exponent = per_mille / 1000.0, total = 0;
	struct sl_payload_zipf *zipf = NULL;

	if (per_mille != 0) {
		zipf = malloc(sizeof(*zipf));
		if (zipf == NULL)
			return sl_err_set(err, -ENOMEM, "no memory for the distribution of keys");
		for (uint32_t rank = 1; rank <= config->key_count; rank++)
			total += pow(rank, -exponent);
		fill_slots(zipf, exponent, config->key_count, total);
	}
	config->zipf_per_mille = per_mille;
	config->zipf = zipf;
	return 0;
}

void sl_payload_free_zipf(struct sl_payload_config *config)
{
	free((void *)(uintptr_t)config->zipf);
	config->zipf = NULL;
}
