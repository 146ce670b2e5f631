/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/store_read_internal.h"

#include "format/run_events.h"

#include <errno.h>

uint64_t sl_store_read_limit(const struct sl_store_read *read, uint16_t partition)
{
	const struct sl_store_visitor *visitor = read->visitor;

	return visitor->limit != NULL ? visitor->limit(visitor->context, partition) : UINT64_MAX;
}

static int hand_out(struct sl_store_read *read, const struct sl_batch_header *batch,
	const struct sl_run *run, const struct sl_run_event *from_run,
	const struct sl_store_slot *slot)
{
	const struct sl_store_event event = {
		.value = from_run->value,
		.value_bytes = from_run->value_bytes,
		.term = slot->term,
		.offset = slot->next_offset,
		.receive_ns = run->receive_ns,
		.source = run->source,
		.partition = run->partition,
		.lane = batch->lane,
		.segment = batch->segment,
		.position = batch->position,
		.attributes = *from_run,
	};
	struct sl_store_report *report = read->report;
	int result;

	if (!report->has_first)
		report->first_offset = event.offset;
	report->has_first = true;
	report->next_offset = event.offset + 1;
	result = read->visitor->on_event(read->visitor->context, &event);
	report->event_count++;
	if (result > 0)
		read->stopped = result;
	return SL_MIN(result, 0);
}

static int hand_out_run(struct sl_store_read *read, const struct sl_batch_header *batch,
	const struct sl_run *run, struct sl_store_slot *slot)
{
	struct sl_run_events events;
	struct sl_run_event event;
	int result = 0;

	sl_run_events_init(&events, run);
	while (result == 0 && read->stopped == 0 && sl_run_events_next(&events, &event)) {
		read->report->further_attribute_count += event.further_bytes > 0;
		if (slot->next_offset >= slot->void_start)
			read->report->void_event_count++;
		else if (slot->next_offset >= slot->from && slot->next_offset < slot->end)
			result = hand_out(read, batch, run, &event, slot);
		slot->next_offset++;
	}
	return result;
}

int sl_store_read_runs(struct sl_store_read *read, const struct sl_batch_header *batch,
	struct sl_store_slot *(*slot_of)(void *context, uint16_t partition), void *context)
{
	struct sl_run_iterator iterator;
	struct sl_run run;
	int result = 0;

	if (sl_batch_check_runs(batch) != SL_BATCH_OK)
		return sl_lane_reader_damage(
			&read->reader, "runs that do not add up to the table", read->err);
	sl_run_iterator_init(&iterator, batch);
	while (result == 0 && read->stopped == 0 &&
		sl_run_next(&iterator, &run, &read->report->unknown_run_count)) {
		struct sl_store_slot *slot = NULL;

		if (sl_run_event_count(&run) > 0)
			slot = slot_of(context, run.partition);
		if (slot != NULL)
			result = hand_out_run(read, batch, &run, slot);
	}
	if (result == 0 && iterator.out_of_memory)
		result = sl_err_set(read->err, -ENOMEM, "no memory for the sources of a batch");
	sl_run_iterator_fini(&iterator);
	return result;
}

static void take_lost(void *context, const struct sl_lost_offsets *from_fence)
{
	struct sl_store_read *read = context;
	uint32_t index = (uint32_t)from_fence->partition - read->first_partition;
	struct sl_store_report *report = read->report;
	struct sl_lost_offsets lost = *from_fence;
	uint64_t end = lost.first_offset + lost.count;

	if (from_fence->partition < read->first_partition || index >= read->partition_count ||
		(read->term != 0 && read->term != lost.term))
		return;
	end = SL_MIN(end, sl_store_void_start(read->store, lost.partition, lost.term));
	end = SL_MIN(end, sl_store_read_limit(read, lost.partition));
	lost.first_offset = SL_MAX(lost.first_offset, read->from);
	lost.first_offset =
		SL_MAX(lost.first_offset, read->store->partitions[lost.partition].floor);
	if (lost.first_offset >= end)
		return;
	lost.count = end - lost.first_offset;
	report->lost_event_count += lost.count;
	// Of one partition, the next event is that behind them.
	if (!report->has_first)
		report->first_offset = lost.first_offset;
	if (!report->has_first || report->next_offset == lost.first_offset)
		report->next_offset = end;
	report->has_first = true;
	if (read->visitor->on_lost != NULL)
		read->visitor->on_lost(read->visitor->context, &lost);
}

static int take_fence(struct sl_store_read *read, const struct sl_batch_header *batch)
{
	if (sl_batch_check_runs(batch) != SL_BATCH_OK)
		return sl_lane_reader_damage(&read->reader, "runs that do not add up", read->err);
	sl_store_batch_lost(batch, take_lost, read);
	return 0;
}

int sl_store_read_lane(struct sl_store_read *read, int result,
	int (*on_batch)(
		struct sl_store_read *read, const struct sl_batch_header *batch, void *context),
	void *context)
{
	const struct sl_batch_header *batch;
	bool is_at_end = false;

	read->is_lane_done = false;
	read->expired_seen = 0;
	while (result == 0 && !read->is_lane_done && read->stopped == 0) {
		result = sl_lane_reader_next(&read->reader, &batch, read->err);
		is_at_end = result == 0;
		if (result <= 0)
			break;
		read->report->unknown_batch_count += !sl_batch_kind_is_known(batch->kind);
		if (batch->kind == SL_BATCH_EVENTS)
			result = on_batch(read, batch, context);
		else
			result = batch->kind == SL_BATCH_FENCE ? take_fence(read, batch) : 0;
	}
	sl_store_report_lane(read->report, &read->reader, is_at_end);
	sl_lane_reader_close(&read->reader);
	return result;
}
