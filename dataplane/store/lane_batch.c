/* SPDX-License-Identifier: BSD-3-Clause */
// Opening and sealing batches of a lane.
#include "fault.h"
#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "lap.h"
#include "store/lane_internal.h"
#include "store/source_dictionary.h"

#include <string.h>

#include "hotpath.h"

struct sl_batch *sl_lane_take_batch(struct sl_lane *lane)
{
	struct sl_batch *batch = lane->free_batches[--lane->free_count];

	batch->event_count = 0;
	batch->event_bytes = 0;
	batch->ages.count = 0;
	return batch;
}

static void start_batch(struct sl_lane *lane, uint64_t receive_ns)
{
	struct sl_batch *batch = sl_lane_take_batch(lane);

	batch->state = SL_BATCH_OPEN;
	lane->open_batch = batch;
	lane->batch_number = SL_MAX(lane->batch_number + 1, lane->next_number);
	lane->cursor = batch->data + SL_BATCH_RUNS_OFFSET;
	lane->limit = batch->data + lane->batch_bytes - SL_LANE_TAIL_BYTES;
	// Receive times never go back within a lane.
	lane->time_base_ns = SL_MAX(receive_ns, lane->time_last_ns);
	lane->time_last_ns = lane->time_base_ns;
	lane->run_time_base_ns = lane->time_base_ns;
	lane->open_since_ns = receive_ns;
	lane->burst_ns = receive_ns;
	lane->aged_count = 0;
	lane->table_count = 0;
	lane->run_count = 0;
	lane->ledger_run_count = 0;
	lane->event_count = 0;
	lane->event_bytes = 0;
	if (lane->sources != NULL)
		sl_source_dictionary_reset(lane->sources);
}

// There is room for one open batch behind what will be written again (lane_mend.c).
static bool make_room_when_halted(struct sl_lane *lane, uint64_t receive_ns)
{
	lane->refusal = lane->halt_refusal;
	if (lane->open_batch != NULL || lane->free_count == 0)
		return false;
	start_batch(lane, receive_ns);
	return true;
}

bool sl_lane_make_room(struct sl_lane *lane, uint32_t run_bytes, uint64_t receive_ns)
{
	if (sl_unlikely(lane->failed))
		return false;
	if (sl_unlikely(
		    SL_BATCH_RUNS_OFFSET + run_bytes + SL_LANE_TAIL_BYTES > lane->batch_bytes)) {
		lane->refusal = SL_DROP_TOO_LARGE;
		return false;
	}
	if (sl_unlikely(lane->is_halted))
		return make_room_when_halted(lane, receive_ns);
	lane->refusal = lane->is_disk_full ? SL_DROP_DISK_FULL : SL_DROP_LANE_FULL;
	if (lane->open_batch != NULL) {
		// The drive has all the batches it may have: this one waits, and what does not fit
		// is refused.
		if (lane->unretired >= lane->in_flight_max)
			return false;
		sl_lane_seal(lane, receive_ns);
	}
	if (!sl_lane_roll(lane, receive_ns))
		return false;
	if (lane->free_count == 0)
		return false;
	start_batch(lane, receive_ns);
	return true;
}

// Header and checksums of a batch whose body is complete but for its prefix.
static void fill_header(const struct sl_lane *lane, const struct sl_batch *batch,
	enum sl_batch_kind kind, uint8_t flags, uint32_t table_offset, uint32_t table_count,
	uint32_t run_count)
{
	struct sl_batch_header *header = (struct sl_batch_header *)batch->data;
	uint64_t body_prefix[2] = {lane->epoch, lane->next_number};
	uint32_t byte_length = table_offset + table_count * (uint32_t)sizeof(lane->table[0]);

	memcpy(batch->data + SL_BATCH_HEADER_BYTES, body_prefix, sizeof(body_prefix));
	*header = (struct sl_batch_header){
		.magic = SL_BATCH_MAGIC,
		.version = SL_FORMAT_VERSION,
		.header_bytes = SL_BATCH_HEADER_BYTES,
		.prev_body_crc = lane->prev_body_crc,
		.kind = (uint8_t)kind,
		.flags = flags,
		.lane = lane->lane,
		.segment = lane->segment->number,
		.position = lane->position,
		.epoch = lane->epoch,
		.number = lane->next_number,
		.durable_mark = lane->durable_mark,
		.byte_length = byte_length,
		.table_offset = table_offset,
		.table_count = table_count,
		.run_count = run_count,
		.event_count = batch->event_count,
		.time_base_ns = lane->time_base_ns,
		.time_last_ns = lane->time_last_ns,
	};
	header->body_crc = sl_crc32c(lane->salt_crc, batch->data + SL_BATCH_HEADER_BYTES,
		byte_length - SL_BATCH_HEADER_BYTES);
	sl_batch_header_seal(header, lane->salt_crc);
}

void sl_lane_link_batch(struct sl_lane *lane, struct sl_batch *batch, uint32_t block_bytes)
{
	const struct sl_batch_header *header = (const struct sl_batch_header *)batch->data;

	batch->number = lane->next_number;
	batch->attempt_count = 0;
	batch->room_attempt_count = 0;
	batch->segment = lane->segment;
	batch->request = (struct sl_io_request){
		.fd = lane->segment->fd,
		.buffer_index = lane->buffer_index,
		.sync = lane->durability == SL_DURABILITY_DURABLE,
		.bytes = block_bytes,
		.position = lane->position,
		.data = batch->data,
		.owner = lane,
		.user = (uint32_t)(batch - lane->batches),
	};
#ifdef SL_FAULTS
	if (sl_fault_breaks(SL_FAULT_SKIP_FLUSH))
		batch->request.sync = false;
#endif
	lane->prev_body_crc = header->body_crc;
	lane->position += block_bytes;
	lane->by_number[lane->next_number % SL_LANE_BATCH_COUNT_MAX] = batch;
	lane->next_number++;
	lane->unretired++;
	SL_STORE(lane->shm->batch_number, batch->number);
	SL_STORE(lane->shm->position, lane->position);
	SL_STORE(lane->shm->unwritten_extents, sl_lane_meets_unwritten(lane));
	SL_STORE(lane->shm->in_flight, lane->unretired);
}

void sl_lane_finish_batch(struct sl_lane *lane, struct sl_batch *batch, enum sl_batch_kind kind,
	uint8_t flags, uint32_t runs_end, uint32_t run_count, uint64_t now_ns)
{
	uint32_t table_offset = SL_ALIGN_UP(runs_end, 8u);
	uint32_t table_count = kind == SL_BATCH_EVENTS ? lane->table_count : 0;
	uint32_t byte_length = table_offset + table_count * (uint32_t)sizeof(lane->table[0]);
	uint32_t block_bytes = SL_ALIGN_UP(byte_length, SL_BLOCK_BYTES);

	memset(batch->data + runs_end, 0, table_offset - runs_end);
	memcpy(batch->data + table_offset, lane->table, table_count * sizeof(lane->table[0]));
	memset(batch->data + byte_length, 0, block_bytes - byte_length);
	fill_header(lane, batch, kind, flags, table_offset, table_count, run_count);
	sl_lane_link_batch(lane, batch, block_bytes);
	lane->last_seal_ns = now_ns;
	lane->last_kind = (uint8_t)kind;
	sl_lane_send(lane, batch, now_ns);
}

void sl_lane_seal(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_batch *batch = lane->open_batch;
	uint64_t start_tsc = lane->cycles != NULL ? __rdtsc() : 0;

	sl_lane_note_ages(lane);
	batch->event_count = lane->event_count;
	batch->event_bytes = lane->event_bytes;
	// A segment with nothing but ledgers is left to gather more of them.
	if (lane->segment_since_ns == 0 && lane->run_count > lane->ledger_run_count)
		lane->segment_since_ns = lane->open_since_ns;
	for (uint32_t i = 0; i < lane->table_count; i++) {
		const struct sl_batch_table_entry *entry = &lane->table[i];

		SL_STORE(lane->shm_partitions[entry->partition].next_offset,
			entry->first_offset + entry->event_count);
	}
	sl_lane_finish_batch(lane, batch, SL_BATCH_EVENTS, 0,
		(uint32_t)(lane->cursor - batch->data), lane->run_count, now_ns);
	lane->counters->in_flight_events += lane->event_count;
	lane->open_batch = NULL;
	lane->event_count = 0;
	lane->cursor = NULL;
	lane->limit = NULL;
	if (lane->cycles != NULL)
		sl_lap_nested(lane->cycles, SL_TIMED_SEAL, batch->event_count, start_tsc);
}
