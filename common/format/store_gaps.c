/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_gaps.h"

#include "format/batch_scan.h"
#include "format/lane_reader.h"
#include "format/store_reader_internal.h"

#include <errno.h>
#include <string.h>

static int read_batch(const struct sl_lane_reader *reader, const struct sl_batch_header *batch,
	const struct sl_store_gap_visitor *visitor, struct sl_store_report *report,
	struct sl_err *err)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = 0;

	if (sl_batch_check_runs(batch) != SL_BATCH_OK)
		return sl_lane_reader_damage(reader, "runs that do not add up to the table", err);
	sl_run_iterator_init(&iterator, batch);
	iterator.wants_gaps = true;
	while (result == 0 && sl_run_next(&iterator, &run, &report->unknown_run_count)) {
		struct sl_run_gap gap;

		if (run.type != SL_RUN_GAP)
			continue;
		memcpy(&gap, run.data, sizeof(gap));
		report->gap_count++;
		result = visitor->on_gap(visitor->context, reader->lane, &gap);
	}
	if (result == 0 && iterator.out_of_memory)
		result = sl_err_set(err, -ENOMEM, "no memory for the sources of a batch");
	sl_run_iterator_fini(&iterator);
	return result;
}

static int read_lane(struct sl_lane_reader *reader, const struct sl_store_gap_visitor *visitor,
	struct sl_store_report *report, struct sl_err *err)
{
	const struct sl_batch_header *batch;
	int result;

	while ((result = sl_lane_reader_next(reader, &batch, err)) > 0) {
		report->unknown_batch_count += !sl_batch_kind_is_known(batch->kind);
		result = batch->kind == SL_BATCH_EVENTS
			? read_batch(reader, batch, visitor, report, err)
			: 0;
		if (result < 0)
			break;
	}
	sl_store_report_lane(report, reader, result == 0);
	return result;
}

int sl_store_read_gaps(struct sl_store_reader *store, const struct sl_store_gap_visitor *visitor,
	struct sl_store_report *report, struct sl_err *err)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < store->meta.header.lane_count; i++) {
		struct sl_lane_reader reader;

		result = sl_store_open_lane(store, store->meta.lanes[i].lane, &reader, err);
		if (result == 0)
			result = read_lane(&reader, visitor, report, err);
		sl_lane_reader_close(&reader);
	}
	return result;
}
