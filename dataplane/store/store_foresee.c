/* SPDX-License-Identifier: BSD-3-Clause */
// What a start will find in its store, and make of it, before there is a start.
#include "store/store_internal.h"

#include <string.h>

int sl_store_foresee(struct sl_store *store, const struct sl_config *config, struct sl_err *err)
{
	memset(store, 0, sizeof(*store));
	store->config = config;
	for (uint32_t i = 0; i < config->store.path_count; i++) {
		struct sl_store_meta meta;
		bool is_newer = sl_store_meta_read(&meta, config->store.paths[i], NULL) == 0 &&
			(store->path_count == 0 ||
				meta.header.generation > store->meta.header.generation);

		if (!is_newer) {
			sl_store_meta_free(&meta);
			continue;
		}
		sl_store_meta_free(&store->meta);
		store->meta = meta;
		store->paths[0].path = config->store.paths[i]; // for messages
		store->path_count = 1;
	}
	if (sl_store_match(store, err) == 0)
		return 0;
	sl_store_meta_free(&store->meta);
	return err->code;
}
