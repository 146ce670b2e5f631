/* SPDX-License-Identifier: BSD-3-Clause */
// Gaps of a lane: into its log, and of what it loses itself.
#include "format/batch_scan.h"
#include "store/lane_internal.h"

#include <string.h>

#include "hotpath.h"

bool sl_lane_append_run(struct sl_lane *lane, enum sl_run_type type, const void *data,
	uint32_t bytes, uint64_t now_ns)
{
	const struct sl_run_header header = {.length_type = SL_RUN_LENGTH_TYPE(bytes, type)};
	const uint32_t run_bytes = (uint32_t)sizeof(header) + bytes;

	// What belongs to no partition has a place elsewhere, or in its table. A lane that waits
	// for room without partitions would have a batch that nothing seals, and never be quiet;
	// one that is given up would take it along.
	if (sl_unlikely(lane->is_halted))
		return false;
	if (lane->limit - lane->cursor < (ptrdiff_t)run_bytes) {
		// Events that wait in a ring are older than this moment: the base of a batch that
		// opens with such a run must not make them younger.
		uint64_t base_ns = lane->time_last_ns;

		if (!sl_lane_make_room(lane, run_bytes, now_ns))
			return false;
		if (base_ns != 0)
			lane->time_base_ns = lane->time_last_ns = lane->run_time_base_ns = base_ns;
	}
	memcpy(lane->cursor, &header, sizeof(header));
	memcpy(lane->cursor + sizeof(header), data, bytes);
	lane->cursor += run_bytes;
	lane->run_count++;
	return true;
}

bool sl_lane_append_gap(struct sl_lane *lane, const struct sl_run_gap *gap, uint64_t now_ns)
{
	return sl_lane_append_run(lane, SL_RUN_GAP, gap, sizeof(*gap), now_ns);
}

static void note_table(struct sl_lane *lane, const struct sl_batch_table_entry *table,
	uint32_t table_count, enum sl_drop_reason reason, uint64_t now_ns)
{
	for (uint32_t i = 0; i < table_count; i++)
		sl_gap_note_partition(lane->gaps, table[i].partition, sl_drop_infos[reason].name,
			table[i].event_count, now_ns);
}

void sl_lane_note_open_lost(struct sl_lane *lane, enum sl_drop_reason reason)
{
	if (lane->open_batch != NULL)
		note_table(lane, lane->table, lane->table_count, reason, lane->time_last_ns);
}

void sl_lane_note_batch_lost(
	struct sl_lane *lane, const struct sl_batch *batch, enum sl_drop_reason reason)
{
	const struct sl_batch_header *header = (const struct sl_batch_header *)batch->data;

	if (batch->event_count > 0)
		note_table(lane, sl_batch_table(header), header->table_count, reason,
			header->time_last_ns);
}
