/* SPDX-License-Identifier: BSD-3-Clause */
// Lanes that are new. Reading what an earlier run left comes with the next commit; until then such
// a lane is refused, untouched.
#include "store/recovery.h"

#include "format/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sl_lane_recover(struct sl_lane_recovery *recovery, const char *lane_path, uint16_t lane,
	uint16_t class_index, uint32_t salt_crc SL_UNUSED, struct sl_err *err)
{
	struct sl_lane_meta meta = {.lane = lane, .class_index = class_index};
	int result = sl_lane_meta_read(&meta, lane_path, err);

	memset(recovery, 0, sizeof(*recovery));
	if (result == 0)
		return sl_err_set(err, -ENOTSUP, "%s was written by an earlier run", lane_path);
	if (result != -ENOENT)
		return result;
	meta = (struct sl_lane_meta){.lane = lane, .class_index = class_index, .epoch = 1};
	result = sl_lane_meta_write(&meta, lane_path, err);
	recovery->epoch = meta.epoch;
	recovery->next_segment = 1;
	recovery->chain.next_number = 1;
	return result;
}

void sl_lane_recovery_free(struct sl_lane_recovery *recovery)
{
	sl_segment_close(recovery->segment);
	free(recovery->states);
	memset(recovery, 0, sizeof(*recovery));
}
