/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/source_dictionary.h"

#include <stdlib.h>
#include <sys/random.h>

struct sl_source_dictionary *sl_source_dictionary_create(void)
{
	struct sl_source_dictionary *dictionary = calloc(1, sizeof(*dictionary));

	if (dictionary == NULL)
		return NULL;
	if (getrandom(&dictionary->key, sizeof(dictionary->key), 0) != sizeof(dictionary->key)) {
		free(dictionary);
		return NULL;
	}
	// Generation 0 marks slots that were never used.
	dictionary->generation = 1;
	return dictionary;
}

void sl_source_dictionary_destroy(struct sl_source_dictionary *dictionary)
{
	free(dictionary);
}
