/* SPDX-License-Identifier: BSD-3-Clause */
// What is known to be missing, and what the main lcore has counted, goes into the log: looked for
// about once a second and at the stop.
#include "lcore.h"

#include "hotpath.h"

#define GAP_INTERVAL_NS SL_NS_PER_S

// UINT32_MAX: of no class, as a stream that is unknown.
static uint32_t class_of(const struct sl_gap_table *table, const struct sl_run_gap *gap)
{
	const struct sl_gap_streams *streams = table->streams;

	for (uint32_t i = 0; i < streams->count; i++) {
		if (streams->streams[i].stream == gap->stream)
			return streams->streams[i].class_index;
	}
	return UINT32_MAX;
}

// Rather where retention treats the gap as it does the stream's events.
static bool write_gap(struct sl_worker *worker, const struct sl_gap_table *table,
	const struct sl_run_gap *gap, uint64_t now_ns)
{
	uint32_t class_index = class_of(table, gap);

	for (uint32_t i = 0; i < worker->lane_count; i++) {
		if (worker->lanes[i]->class_index == class_index &&
			sl_lane_append_gap(worker->lanes[i], gap, now_ns))
			return true;
	}
	for (uint32_t i = 0; i < worker->lane_count; i++) {
		if (worker->lanes[i]->class_index != class_index &&
			sl_lane_append_gap(worker->lanes[i], gap, now_ns))
			return true;
	}
	return false;
}

static uint32_t write_table(
	struct sl_worker *worker, struct sl_gap_table *table, uint64_t now_ns, bool *has_room)
{
	uint32_t written_count = 0;

	for (uint32_t i = 0; i < SL_GAP_SLOT_COUNT && *has_room; i++) {
		struct sl_run_gap gap;
		uint64_t count = sl_gap_peek(table, i, &gap);

		if (count == 0)
			continue;
		*has_room = write_gap(worker, table, &gap, now_ns);
		if (!*has_room)
			break;
		sl_gap_take(table, i, count, gap.last_ns);
		written_count++;
	}
	return written_count;
}

uint32_t sl_worker_write_gaps(struct sl_worker *worker, uint64_t now_ns)
{
	uint32_t written_count = 0;
	bool has_room = true;

	for (uint32_t i = 0; i < worker->lane_count; i++)
		worker->counters->ledger_runs += sl_lane_take_ledger(worker->lanes[i], now_ns);
	for (uint32_t i = 0; i < worker->gap_table_count; i++)
		written_count += write_table(worker, worker->gap_tables[i], now_ns, &has_room);
	worker->counters->gap_runs += written_count;
	// Without room the next turn tries again. A drain needs no more: a lane that has no room
	// but will have some is not quiet.
	if (has_room)
		worker->gaps_due_ns = now_ns + GAP_INTERVAL_NS;
	return written_count;
}
