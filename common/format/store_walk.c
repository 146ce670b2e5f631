/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_walk.h"

#include "format/batch_scan.h"
#include "format/store_reader_internal.h"

static int walk_lane(struct sl_lane_reader *reader, sl_store_on_batch on_batch, void *context,
	struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_batch_header *batch;
	int result;

	while ((result = sl_lane_reader_next(reader, &batch, err)) > 0) {
		report->unknown_batch_count += !sl_batch_kind_is_known(batch->kind);
		if (sl_batch_check_runs(batch) != SL_BATCH_OK)
			result = sl_lane_reader_damage(
				reader, "runs that do not add up to the table", err);
		else
			result = on_batch(context, reader, batch, err);
		if (result < 0)
			break;
	}
	sl_store_report_lane(report, reader, result == 0);
	return result;
}

int sl_store_walk(struct sl_store_reader *store, sl_store_on_batch on_batch, void *context,
	struct sl_store_report *report, struct sl_err *err)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < store->meta.header.lane_count; i++) {
		struct sl_lane_reader reader;

		result = sl_store_open_lane(store, store->meta.lanes[i].lane, &reader, err);
		if (result == 0)
			result = walk_lane(&reader, on_batch, context, report, err);
		sl_lane_reader_close(&reader);
	}
	return result;
}
