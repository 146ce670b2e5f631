/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_gaps.h"

#include "format/batch_scan.h"
#include "format/store_walk.h"

#include <errno.h>
#include <string.h>

struct reading {
	const struct sl_store_gap_visitor *visitor;
	struct sl_store_report *report;
};

static int read_batch(void *context, const struct sl_lane_reader *reader,
	const struct sl_batch_header *batch, struct sl_err *err)
{
	const struct reading *reading = context;
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = 0;

	if (batch->kind != SL_BATCH_EVENTS)
		return 0;
	sl_run_iterator_init(&iterator, batch);
	iterator.wants_gaps = true;
	while (result == 0 && sl_run_next(&iterator, &run, &reading->report->unknown_run_count)) {
		struct sl_run_gap gap;

		if (run.type != SL_RUN_GAP)
			continue;
		memcpy(&gap, run.data, sizeof(gap));
		reading->report->gap_count++;
		result = reading->visitor->on_gap(reading->visitor->context, reader->lane, &gap);
	}
	if (result == 0 && iterator.out_of_memory)
		result = sl_err_set(err, -ENOMEM, "no memory for the sources of a batch");
	sl_run_iterator_fini(&iterator);
	return result;
}

int sl_store_read_gaps(struct sl_store_reader *store, const struct sl_store_gap_visitor *visitor,
	struct sl_store_report *report, struct sl_err *err)
{
	struct reading reading = {.visitor = visitor, .report = report};

	return sl_store_walk(store, read_batch, &reading, report, err);
}
