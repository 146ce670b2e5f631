/* SPDX-License-Identifier: BSD-3-Clause */
// Making and destroying the keeper: what segments each lane has when the appliance starts.
#include "store/keeper_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int list_lane(const struct sl_keeper *keeper, struct sl_kept_lane *kept, struct sl_err *err)
{
	struct sl_segment_entry *entries;
	uint32_t entry_count;

	// Its drive is missing.
	if (kept->config.path[0] == '\0')
		return 0;
	int result = sl_segment_list(kept->config.path, kept->config.number,
		keeper->config.salt_crc, false, &entries, &entry_count, err);

	if (result != 0)
		return result;
	kept->sealed = entries;
	for (uint32_t i = 0; i < entry_count; i++) {
		if (entries[i].sealed) {
			entries[kept->sealed_count++] = entries[i];
		} else {
			kept->open_count++;
			// What is taken off when it is closed, however sparse it is now.
			kept->open_bytes += entries[i].file_bytes;
		}
	}
	return 0;
}

struct sl_keeper *sl_keeper_create(const struct sl_keeper_config *config,
	const struct sl_keeper_lane *lanes, uint32_t lane_count, struct sl_err *err)
{
	struct sl_keeper *keeper = calloc(1, sizeof(*keeper));

	if (keeper == NULL) {
		sl_err_set(err, -ENOMEM, "keeper: out of memory");
		return NULL;
	}
	keeper->config = *config;
	keeper->lanes = calloc(lane_count, sizeof(*keeper->lanes));
	keeper->zeros = aligned_alloc(SL_BLOCK_BYTES, SL_KEEPER_FORMAT_BYTES);
	if (keeper->lanes == NULL || keeper->zeros == NULL) {
		sl_err_set(err, -ENOMEM, "keeper: out of memory");
		goto destroy_keeper;
	}
	memset(keeper->zeros, 0, SL_KEEPER_FORMAT_BYTES);
	for (uint32_t i = 0; i < lane_count; i++) {
		keeper->lanes[i].config = lanes[i];
		keeper->lane_count++;
		if (list_lane(keeper, &keeper->lanes[i], err) != 0)
			goto destroy_keeper;
	}
	return keeper;

destroy_keeper:
	sl_keeper_destroy(keeper);
	return NULL;
}

void sl_keeper_destroy(struct sl_keeper *keeper)
{
	if (keeper == NULL)
		return;
	sl_keeper_stop(keeper);
	for (uint32_t i = 0; i < keeper->lane_count; i++) {
		sl_index_builder_destroy(keeper->lanes[i].index_builder);
		free(keeper->lanes[i].sealed);
	}
	free(keeper->lanes);
	free(keeper->zeros);
	free(keeper);
}
