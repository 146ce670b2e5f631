/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/source_dictionary.h"

#include <stdlib.h>

struct sl_source_dictionary *sl_source_dictionary_create(void)
{
	struct sl_source_dictionary *dictionary = calloc(1, sizeof(*dictionary));

	// Generation 0 marks slots that were never used.
	if (dictionary != NULL)
		dictionary->generation = 1;
	return dictionary;
}

void sl_source_dictionary_destroy(struct sl_source_dictionary *dictionary)
{
	free(dictionary);
}
