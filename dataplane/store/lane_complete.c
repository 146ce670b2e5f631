/* SPDX-License-Identifier: BSD-3-Clause */
// Completions of a lane's writes, and what follows from them in order: watermarks, the durable
// mark, free batches.
#include "fault.h"
#include "format/batch_scan.h"
#include "store/breaker.h"
#include "store/lane_internal.h"

#include <errno.h>

#include "hotpath.h"

void sl_lane_send(struct sl_lane *lane, struct sl_batch *batch, uint64_t now_ns)
{
	bool may_start = !lane->is_halted && !(lane->is_probing && lane->under_way > 0);

	batch->submit_ns = now_ns;
	if (sl_likely(may_start && lane->io->ops->queue(lane->io, &batch->request) == 0)) {
		batch->state = SL_BATCH_WRITING;
		lane->under_way++;
		return;
	}
	batch->state = SL_BATCH_RETRY;
	lane->retry_ns = now_ns;
}

// What the segment's footer will say, from batches in order.
static void note_in_segment(struct sl_segment *segment, const struct sl_batch *batch,
	const struct sl_batch_header *header)
{
	if (segment->first_number == 0) {
		segment->first_number = batch->number;
		segment->time_first_ns = header->time_base_ns;
	}
	segment->last_number = batch->number;
	segment->last_body_crc = header->body_crc;
	segment->end_position = header->position + sl_batch_block_bytes(header);
	segment->event_count += batch->event_count;
	segment->time_last_ns = header->time_last_ns;
}

static void publish_watermarks(struct sl_lane *lane, const struct sl_batch_header *header)
{
	const struct sl_batch_table_entry *table = sl_batch_table(header);

	for (uint32_t i = 0; i < header->table_count; i++)
		SL_STORE_RELEASE(lane->shm_partitions[table[i].partition].watermark,
			table[i].first_offset + table[i].event_count);
}

static void retire_batch(struct sl_lane *lane, struct sl_batch *batch, uint64_t now_ns)
{
	const struct sl_batch_header *header = (const struct sl_batch_header *)batch->data;
	struct sl_worker_counters *counters = lane->counters;
	uint32_t stored_count = batch->event_count;

	note_in_segment(batch->segment, batch, header);
	if (sl_unlikely((header->flags & SL_BATCH_FLAG_CHECKPOINT_END) != 0))
		SL_STORE_RELEASE(lane->settled_segment, batch->segment->number);
	publish_watermarks(lane, header);
	sl_batch_ages_record(&batch->ages, now_ns, &lane->shm->latency);
#ifdef SL_FAULTS
	stored_count -= sl_fault_lose(SL_FAULT_LOSE_COMPLETION, stored_count);
#endif
	counters->stored += stored_count;
	counters->stored_bytes += batch->event_bytes;
	counters->in_flight_events -= batch->event_count;
	counters->batches++;
	counters->written_bytes += sl_batch_block_bytes(header);
	lane->watermark_number = batch->number;
	if (lane->durability == SL_DURABILITY_DURABLE)
		lane->durable_mark = batch->number;
	lane->unretired--;
	batch->state = SL_BATCH_FREE;
	lane->free_batches[lane->free_count++] = batch;
}

// The batches of a checkpoint are retired together. A segment in which one is retired counts for
// the lane, and is sealed when a later write fails; for recovery it counts once its checkpoint is
// whole, and not before.
static bool may_retire(const struct sl_lane *lane, uint64_t number)
{
	for (; number < lane->next_number; number++) {
		const struct sl_batch *batch = lane->by_number[number % SL_LANE_BATCH_COUNT_MAX];
		const struct sl_batch_header *header = (const void *)batch->data;

		if (batch->state != SL_BATCH_WRITTEN)
			return false;
		if (sl_likely(header->kind != SL_BATCH_CHECKPOINT) ||
			(header->flags & SL_BATCH_FLAG_CHECKPOINT_END) != 0)
			return true;
	}
	return false;
}

static void retire_in_order(struct sl_lane *lane, uint64_t now_ns)
{
	while (may_retire(lane, lane->watermark_number + 1))
		retire_batch(lane,
			lane->by_number[(lane->watermark_number + 1) % SL_LANE_BATCH_COUNT_MAX],
			now_ns);
	SL_STORE(lane->shm->watermark_number, lane->watermark_number);
	SL_STORE(lane->shm->durable_mark, lane->durable_mark);
	SL_STORE(lane->shm->in_flight, lane->unretired);
}

void sl_lane_fail(struct sl_lane *lane, enum sl_drop_reason reason, int error)
{
	struct sl_worker_counters *counters = lane->counters;
	uint64_t lost_count = lane->event_count; // of the open batch

	if (lane->failed)
		return;
	for (uint64_t number = SL_MAX(lane->watermark_number + 1, lane->leave_number);
		number < lane->next_number; number++) {
		const struct sl_batch *batch = lane->by_number[number % SL_LANE_BATCH_COUNT_MAX];

		sl_lane_note_batch_lost(lane, batch, reason);
		lost_count += batch->event_count;
		counters->in_flight_events -= batch->event_count;
	}
	sl_lane_note_open_lost(lane, reason);
	counters->drops[reason] += lost_count;
	lane->failed = true;
	lane->refusal = reason;
	lane->open_batch = NULL;
	lane->event_count = 0;
	lane->cursor = NULL;
	lane->limit = NULL;
	SL_STORE_RELEASE(lane->write_error, error);
	SL_STORE(lane->shm->state, SL_LANE_FAILED);
}

// The rest of a short write, or the same again later. The buffer is intact until the batch is
// retired.
static void write_again(struct sl_lane *lane, struct sl_batch *batch, uint64_t not_before_ns)
{
	batch->state = SL_BATCH_RETRY;
	lane->retry_ns =
		lane->retry_ns == 0 ? not_before_ns : SL_MIN(lane->retry_ns, not_before_ns);
}

static void note_room(struct sl_lane *lane, bool is_disk_full)
{
	if (sl_likely(lane->is_disk_full == is_disk_full))
		return;
	lane->is_disk_full = is_disk_full;
	SL_STORE(lane->shm->state, is_disk_full ? SL_LANE_DISK_FULL : SL_LANE_ACTIVE);
}

// What the failed range holds is unknown, and so is the order of what follows: nothing more goes to
// this segment.
static void halt(struct sl_lane *lane, struct sl_batch *batch, int error)
{
	batch->state = SL_BATCH_FAILED;
	SL_STORE(lane->shm->writes_failed, lane->shm->writes_failed + 1);
	if (lane->is_halted)
		return;
	lane->is_halted = true;
	lane->is_failure_noted = false;
	SL_STORE(lane->halt_error, error);
	lane->halt_refusal = SL_DROP_LANE_FULL;
	SL_STORE(lane->shm->write_error, error);
	SL_STORE(lane->shm->state, SL_LANE_MENDING);
}

// The kernel had no room for the write, or the disk none: the same again, to the same place, for
// nothing has happened to the range. Want of room may last; anything else that does is a failure.
static void retry(struct sl_lane *lane, struct sl_batch *batch, int error, uint64_t now_ns)
{
	bool is_room = error == -ENOSPC || error == -EDQUOT;
	uint32_t attempt = is_room ? batch->room_attempt_count++ : batch->attempt_count++;

	if (!is_room && attempt >= lane->retry_limit) {
		halt(lane, batch, error);
		return;
	}
	lane->counters->writes_retried++;
	if (is_room)
		note_room(lane, true);
	// The first time the kernel may just have been busy.
	else if (attempt == 0)
		return write_again(lane, batch, now_ns);
	write_again(lane, batch,
		now_ns + sl_backoff_ns(attempt, lane->backoff_ns_min, lane->backoff_ns_max));
}

static void note_write(struct sl_lane *lane, const struct sl_batch *batch, uint64_t now_ns)
{
	uint64_t took_ns = now_ns > batch->submit_ns ? now_ns - batch->submit_ns : 0;
	struct sl_worker_counters *counters = lane->counters;
	struct sl_shm_lane *shm = lane->shm;

	counters->write_ns_total += took_ns;
	counters->write_ns_max = SL_MAX(counters->write_ns_max, took_ns);
	SL_STORE(shm->write_count, shm->write_count + 1);
	SL_STORE(shm->write_ns_total, shm->write_ns_total + took_ns);
	SL_STORE(shm->write_ns_max, SL_MAX(shm->write_ns_max, took_ns));
}

void sl_lane_complete(struct sl_lane *lane, struct sl_io_request *request, uint64_t now_ns)
{
	struct sl_batch *batch = &lane->batches[request->user];
	int32_t result = request->result;

	lane->under_way--;
	if (lane->failed)
		return;
	note_write(lane, batch, now_ns);
	if (sl_likely(result == (int32_t)request->bytes)) {
		batch->state = SL_BATCH_WRITTEN;
#ifdef SL_FAULTS
		if (sl_fault_breaks(SL_FAULT_HASTY_WATERMARK))
			publish_watermarks(lane, (const struct sl_batch_header *)batch->data);
#endif
		note_room(lane, false);
		retire_in_order(lane, now_ns);
		if (sl_unlikely(lane->failure_count > 0))
			sl_lane_note_success(lane, now_ns);
	} else if (result > 0 && result % (int32_t)SL_BLOCK_BYTES == 0) {
		lane->counters->writes_short++;
		request->data = (const char *)request->data + result;
		request->position += (uint64_t)result;
		request->bytes -= (uint32_t)result;
		write_again(lane, batch, now_ns);
	} else if (result == -EAGAIN || result == -EINTR || result == -ENOSPC ||
		result == -EDQUOT) {
		retry(lane, batch, result, now_ns);
	} else {
		// Also a completion of no bytes, or one that cuts a block: O_DIRECT does not do
		// that on a healthy file.
		halt(lane, batch, result < 0 ? result : -EIO);
	}
}
