/* SPDX-License-Identifier: BSD-3-Clause */
// Ledgers of a lane: from the main lcore into its log.
#include "store/lane_internal.h"

#include <string.h>

#include "hotpath.h"

static_assert(
	SL_LEDGER_BYTES_MAX + SL_BATCH_RUNS_OFFSET + sizeof(struct sl_run_header) <= SL_BLOCK_BYTES,
	"one block of SL_LANE_END_BYTES is enough");

void sl_lane_set_ledger(struct sl_lane *lane, const void *record, uint32_t bytes)
{
	assert(bytes > 0 && bytes <= SL_LEDGER_BYTES_MAX);
	memcpy(lane->ledger.data, record, bytes);
	SL_STORE_RELEASE(lane->ledger.bytes, bytes);
}

bool sl_lane_post_ledger(struct sl_lane *lane, const void *record, uint32_t bytes)
{
	if (SL_LOAD_ACQUIRE(lane->ledger.bytes) != 0)
		return false;
	sl_lane_set_ledger(lane, record, bytes);
	return true;
}

bool sl_lane_take_ledger(struct sl_lane *lane, uint64_t now_ns)
{
	uint32_t bytes = SL_LOAD_ACQUIRE(lane->ledger.bytes);

	if (bytes == 0 ||
		!sl_lane_append_run(lane, SL_RUN_LEDGER, lane->ledger.data, bytes, now_ns))
		return false;
	lane->ledger_run_count++;
	SL_STORE_RELEASE(lane->ledger.bytes, 0);
	return true;
}

void sl_lane_write_ledger(struct sl_lane *lane, uint64_t now_ns)
{
	const struct sl_run_header header = {
		.length_type = SL_RUN_LENGTH_TYPE(lane->ledger.bytes, SL_RUN_LEDGER)};
	struct sl_batch *batch;

	// Only a segment smaller than any configuration allows has no room here.
	if (lane->ledger.bytes == 0 ||
		lane->position + SL_LANE_END_BYTES > sl_segment_usable_bytes(lane->segment))
		return;
	batch = sl_lane_take_batch(lane);
	memcpy(batch->data + SL_BATCH_RUNS_OFFSET, &header, sizeof(header));
	memcpy(batch->data + SL_BATCH_RUNS_OFFSET + sizeof(header), lane->ledger.data,
		lane->ledger.bytes);
	lane->table_count = 0;
	lane->time_base_ns = lane->time_last_ns;
	sl_lane_finish_batch(lane, batch, SL_BATCH_EVENTS, 0,
		SL_BATCH_RUNS_OFFSET + (uint32_t)sizeof(header) + lane->ledger.bytes, 1, now_ns);
	lane->counters->ledger_runs++;
	lane->ledger.bytes = 0;
}
