/* SPDX-License-Identifier: BSD-3-Clause */
// After a failed write. What its range holds is unknown, so nothing is skipped and nothing is
// written there again: the segment ends in front of the failed batch, and the next one begins at
// that batch's number, with a checkpoint of the state before it and all that is not retired,
// written anew from buffers that are still whole. docs/architecture.md, "When a write fails".
#include "format/batch_scan.h"
#include "format/crc32c.h"
#include "store/breaker.h"
#include "store/lane_internal.h"

#include <errno.h>
#include <string.h>

#include "hotpath.h"

static void note_failure(struct sl_lane *lane, uint64_t now_ns)
{
	lane->is_failure_noted = true;
	lane->mend_ns = now_ns +
		sl_backoff_ns(lane->failure_count, lane->backoff_ns_min, lane->backoff_ns_max);
	lane->failure_count++;
	if (!lane->is_probing && lane->failure_count <= lane->retry_limit)
		return;
	lane->is_probing = false;
	SL_STORE(lane->shm->breaker_opened, lane->shm->breaker_opened + 1);
	sl_breaker_trip(lane->breaker, now_ns);
}

static void hand_over(struct sl_lane *lane, struct sl_segment *segment)
{
	SL_STORE_RELEASE(lane->closing, segment);
}

// The keeper removes what holds nothing that counts, and seals the rest, oldest first. True when no
// more than one segment is left unsealed: recovery reads two, and the next one is the second.
static bool leave_segments(struct sl_lane *lane)
{
	if (lane->segment == NULL)
		return SL_LOAD_ACQUIRE(lane->sealed_segment) >= lane->previous_segment
			? SL_LOAD_ACQUIRE(lane->closing) == NULL
			: SL_LOAD_ACQUIRE(lane->stuck_segment) == lane->previous_segment;
	if (SL_LOAD_ACQUIRE(lane->closing) != NULL)
		return false;
	if (lane->segment->first_number == 0) {
		// Its checkpoint is not retired: the failed batch is of that or stands in the
		// segment before it.
		lane->segment->is_void = true;
		hand_over(lane, lane->segment);
		lane->segment = lane->full_segment;
		lane->full_segment = NULL;
	} else if (lane->full_segment != NULL) {
		hand_over(lane, lane->full_segment);
		lane->full_segment = NULL;
	} else {
		lane->previous_segment = lane->segment->number;
		hand_over(lane, lane->segment);
		lane->segment = NULL;
	}
	return false;
}

struct rewrite {
	struct sl_batch *batches[SL_LANE_BATCH_COUNT_MAX]; // by number
	uint32_t count;
	uint64_t bytes;
	uint64_t time_ns; // of the first batch that is not retired
};

// What is to be written again. Checkpoints are not: the new segment opens with its own.
static void gather(struct sl_lane *lane, struct rewrite *rewrite)
{
	*rewrite = (struct rewrite){.time_ns = lane->time_last_ns};
	for (uint64_t number = lane->watermark_number + 1; number < lane->next_number; number++) {
		struct sl_batch *batch = lane->by_number[number % SL_LANE_BATCH_COUNT_MAX];
		const struct sl_batch_header *header = (const void *)batch->data;

		if (number == lane->watermark_number + 1) {
			rewrite->time_ns = header->time_base_ns;
			lane->prev_body_crc = header->prev_body_crc;
		}
		if (header->kind == SL_BATCH_CHECKPOINT) {
			batch->state = SL_BATCH_FREE;
			lane->free_batches[lane->free_count++] = batch;
			continue;
		}
		rewrite->batches[rewrite->count++] = batch;
		rewrite->bytes += sl_batch_block_bytes(header);
	}
}

void sl_lane_set_offsets(
	struct sl_lane *lane, const struct sl_batch_table_entry *table, uint32_t count, bool behind)
{
	for (uint32_t i = 0; i < count; i++)
		lane->partitions[table[i].partition].next_offset =
			table[i].first_offset + (behind ? table[i].event_count : 0);
}

// Partitions as they were before the first batch of the rewrite, or as they are behind the open
// one.
static void move_offsets(struct sl_lane *lane, const struct rewrite *rewrite, bool behind)
{
	uint32_t open_count = lane->open_batch != NULL ? lane->table_count : 0;

	if (!behind)
		sl_lane_set_offsets(lane, lane->table, open_count, behind);
	for (uint32_t i = 0; i < rewrite->count; i++) {
		const struct sl_batch *batch =
			rewrite->batches[behind ? i : rewrite->count - 1 - i];
		const struct sl_batch_header *header = (const void *)batch->data;

		sl_lane_set_offsets(lane, sl_batch_table(header), header->table_count, behind);
	}
	if (behind)
		sl_lane_set_offsets(lane, lane->table, open_count, behind);
}

static void write_checkpoint(struct sl_lane *lane, const struct rewrite *rewrite, uint64_t now_ns)
{
	uint64_t time_base_ns = lane->time_base_ns;
	uint64_t time_last_ns = lane->time_last_ns;

	// Receive times never fall along the chain.
	lane->time_last_ns = rewrite->time_ns;
	sl_lane_wind_incoming(lane, false);
	move_offsets(lane, rewrite, false);
	sl_lane_write_states(lane, SL_BATCH_CHECKPOINT, now_ns);
	move_offsets(lane, rewrite, true);
	sl_lane_wind_incoming(lane, true);
	lane->time_base_ns = time_base_ns;
	lane->time_last_ns = time_last_ns;
}

// The same runs and the same table, under a new number, at a new place.
static void write_anew(struct sl_lane *lane, struct sl_batch *batch, uint64_t now_ns)
{
	struct sl_batch_header *header = (struct sl_batch_header *)batch->data;
	uint64_t body_prefix[2] = {lane->epoch, lane->next_number};

	memcpy(batch->data + SL_BATCH_HEADER_BYTES, body_prefix, sizeof(body_prefix));
	header->segment = lane->segment->number;
	header->position = lane->position;
	header->number = lane->next_number;
	header->prev_body_crc = lane->prev_body_crc;
	header->durable_mark = lane->durable_mark;
	header->body_crc = sl_crc32c(lane->salt_crc, batch->data + SL_BATCH_HEADER_BYTES,
		header->byte_length - SL_BATCH_HEADER_BYTES);
	sl_batch_header_seal(header, lane->salt_crc);
	sl_lane_link_batch(lane, batch, (uint32_t)sl_batch_block_bytes(header));
	if (header->kind == SL_BATCH_EVENTS && lane->segment_since_ns == 0)
		lane->segment_since_ns = header->time_base_ns;
	lane->last_kind = header->kind;
	sl_lane_send(lane, batch, now_ns);
}

static void rewrite_into(struct sl_lane *lane, struct sl_segment *segment, uint64_t now_ns)
{
	uint64_t room_bytes = sl_segment_usable_bytes(segment);
	struct rewrite rewrite;

	gather(lane, &rewrite);
	sl_lane_enter_segment(lane, segment);
	// The configuration makes room for all of it, and for the open batch.
	if (lane->checkpoint_batch_count * (uint64_t)lane->batch_bytes + rewrite.bytes +
			lane->batch_bytes + SL_LANE_END_BYTES >
		room_bytes) {
		if (lane->is_probing)
			sl_breaker_trip(lane->breaker, now_ns);
		sl_lane_fail(lane, SL_DROP_LANE_FAILED, -EFBIG);
		return;
	}
	lane->next_number = lane->watermark_number + 1;
	lane->unretired = 0;
	lane->retry_ns = 0;
	lane->is_halted = false;
	write_checkpoint(lane, &rewrite, now_ns);
	for (uint32_t i = 0; i < rewrite.count; i++)
		write_anew(lane, rewrite.batches[i], now_ns);
	lane->mend_until_number = lane->next_number - 1;
	SL_STORE(lane->shm->segments_mended, lane->shm->segments_mended + 1);
	SL_STORE(lane->shm->batches_rewritten, lane->shm->batches_rewritten + rewrite.count);
}

// A segment that cannot be closed keeps the lane from opening another one, and no write can tell
// the breaker. Only one more may be open beside an old one whose footer fails.
static bool is_blocked(const struct sl_lane *lane)
{
	uint64_t stuck = SL_LOAD(lane->stuck_segment);

	return stuck != 0 && (lane->segment != NULL || stuck != lane->previous_segment);
}

// Whether the drive lets the lane try again now.
static bool may_try(struct sl_lane *lane, uint64_t now_ns)
{
	enum sl_breaker_answer answer;

	answer = sl_breaker_ask(lane->breaker, now_ns);
	SL_STORE(lane->shm->breaker, SL_LOAD(lane->breaker->state));
	lane->is_probing = answer == SL_BREAKER_PROBE;
	return answer != SL_BREAKER_WAIT;
}

// No mark may vouch for what could not be flushed: the lane does not go on here. Other lanes of the
// drive wait for what its probe has shown.
static uint32_t end_unflushed(struct sl_lane *lane, uint64_t now_ns)
{
	lane->halt_refusal = SL_DROP_DRIVE_FAILED;
	if (lane->is_probing) {
		lane->is_probing = false;
		sl_breaker_trip(lane->breaker, now_ns);
	}
	if (sl_lane_ask_to_leave(lane))
		return 0;
	sl_lane_fail(lane, SL_DROP_LANE_FAILED, lane->halt_error);
	return 1;
}

uint32_t sl_lane_mend(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_segment *spare;

	if (lane->under_way > 0)
		return 0;
	// At start and stop nobody makes segments, neither here nor where it may be about to go.
	if (lane->is_settling) {
		sl_lane_fail(lane, SL_DROP_LANE_FAILED, lane->halt_error);
		return 1;
	}
	if (SL_LOAD_ACQUIRE(lane->leaving) > SL_LEAVING_WANTED)
		return sl_lane_leave(lane, now_ns);
	if (SL_LOAD_ACQUIRE(lane->seal_error) != 0)
		return end_unflushed(lane, now_ns);
	if (!lane->is_failure_noted)
		note_failure(lane, now_ns);
	if (SL_LOAD(lane->breaker->state) != SL_BREAKER_CLOSED || is_blocked(lane)) {
		lane->halt_refusal = SL_DROP_DRIVE_FAILED;
		SL_STORE(lane->shm->state, SL_LANE_HALTED);
		SL_STORE(lane->shm->breaker, SL_LOAD(lane->breaker->state));
	}
	if (lane->halt_refusal != SL_DROP_LANE_FULL)
		sl_lane_ask_to_leave(lane);
	if (!leave_segments(lane))
		return 0;
	spare = SL_LOAD_ACQUIRE(lane->spare);
	if (spare == NULL) {
		SL_STORE(lane->wants_spare, true);
		lane->halt_refusal = sl_lane_spare_refusal(lane, lane->halt_refusal);
		return 0;
	}
	// Asked last: who asks an open breaker may get the probe, and must send it. What is
	// promised is looked at again when the keeper cannot promise any more.
	if (lane->is_promised || now_ns < lane->mend_ns ||
		sl_breaker_is_waiting(lane->breaker, now_ns) || !sl_lane_withdraw(lane) ||
		lane->is_promised)
		return 0;
	if (!may_try(lane, now_ns))
		return 0;
	SL_STORE(lane->wants_spare, false);
	SL_STORE_RELEASE(lane->spare, NULL);
	rewrite_into(lane, spare, now_ns);
	return 1;
}

// Some write finds no room, and has been tried more often than any other trouble lets it.
static bool lacks_room_to_write(const struct sl_lane *lane)
{
	for (uint64_t number = lane->watermark_number + 1;
		lane->is_disk_full && number < lane->next_number; number++) {
		const struct sl_batch *batch = lane->by_number[number % SL_LANE_BATCH_COUNT_MAX];

		if (batch->state == SL_BATCH_RETRY && batch->room_attempt_count > lane->retry_limit)
			return true;
	}
	return false;
}

// What comes here from another lane waits for a segment that cannot be entered.
static bool keeps_another_waiting(const struct sl_lane *lane)
{
	return lane->is_stuck && lane->incoming != NULL &&
		SL_LOAD_ACQUIRE(lane->leaving) == SL_LEAVING_WANTED;
}

void sl_lane_stop_waiting(struct sl_lane *lane)
{
	if (lane->failed || lane->under_way > 0)
		return;
	if (lane->is_halted) {
		if (lane->halt_refusal != SL_DROP_LANE_FULL && !sl_lane_is_idle_for_room(lane) &&
			sl_lane_withdraw(lane))
			sl_lane_fail(lane, lane->halt_refusal, lane->halt_error);
	} else if (lacks_room_to_write(lane)) {
		if (sl_lane_withdraw(lane))
			sl_lane_fail(lane, SL_DROP_DISK_FULL, -ENOSPC);
	} else if (keeps_another_waiting(lane) && sl_lane_withdraw(lane)) {
		sl_lane_fail(lane, lane->refusal, lane->halt_error);
	}
}

void sl_lane_note_success(struct sl_lane *lane, uint64_t now_ns)
{
	if (lane->is_probing) {
		lane->is_probing = false;
		sl_breaker_close(lane->breaker);
		SL_STORE(lane->shm->breaker, SL_BREAKER_CLOSED);
		lane->retry_ns = now_ns;
	}
	if (lane->is_halted || lane->watermark_number < lane->mend_until_number)
		return;
	lane->failure_count = 0;
	sl_breaker_forget(lane->breaker);
	SL_STORE(lane->shm->state, SL_LANE_ACTIVE);
}
