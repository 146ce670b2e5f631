/* SPDX-License-Identifier: BSD-3-Clause */
// A lane whose drive takes no writes leaves its partitions to a lane of the same worker and class
// on another drive. The keeper chooses it and raises the terms in store.meta (rehome.c); then,
// here, the target opens a segment whose checkpoint has the new terms, and takes what is not
// stored, batch by batch, at the same offsets. Only when it has all of it do events go there
// directly: until then they go to the open batch here. docs/architecture.md, "When a drive fails".
#include "format/batch_scan.h"
#include "store/lane_internal.h"

#include <errno.h>
#include <string.h>

#include "hotpath.h"

bool sl_lane_ask_to_leave(struct sl_lane *lane)
{
	if (!lane->may_leave || lane->owned_count == 0)
		return false;
	if (SL_LOAD(lane->leaving) == SL_LEAVING_NONE)
		SL_STORE_RELEASE(lane->leaving, SL_LEAVING_WANTED);
	return true;
}

// Nothing is under way in it, so it can halt as behind a write that has failed; the drive's breaker
// has nothing to do with it.
static void halt(struct sl_lane *lane)
{
	lane->is_stuck = false;
	lane->is_halted = true;
	lane->is_failure_noted = true;
	lane->failure_count = SL_MAX(lane->failure_count, 1u);
	lane->halt_refusal = sl_lane_spare_refusal(lane, SL_DROP_DRIVE_FAILED);
	lane->mend_ns = 0;
	if (lane->halt_refusal != SL_DROP_DISK_FULL)
		SL_STORE(lane->shm->state, SL_LANE_HALTED);
}

// Its next segment can be made again. Whoever looks for a target shall find it, and its partitions
// stay, though no event may come that would open that segment.
static void go_on(struct sl_lane *lane)
{
	if (!sl_lane_withdraw(lane) || lane->is_promised || SL_LOAD_ACQUIRE(lane->spare) == NULL)
		return;
	lane->is_stuck = false;
	SL_STORE(lane->shm->state, SL_LANE_ACTIVE);
}

// Why its next segment cannot be entered; 0: it can, or will be as soon as it is there.
static int next_segment_error(const struct sl_lane *lane)
{
	if (SL_LOAD(lane->stuck_segment) != 0)
		return -EIO; // the keeper has said what it was
	return SL_LOAD_ACQUIRE(lane->spare) != NULL ? 0 : SL_LOAD(lane->spare_error);
}

uint32_t sl_lane_look_elsewhere(struct sl_lane *lane)
{
	int error = next_segment_error(lane);

	if (lane->unretired > 0 || lane->open_batch != NULL)
		return 0;
	if (SL_LOAD_ACQUIRE(lane->leaving) > SL_LEAVING_WANTED || lane->is_promised) {
		halt(lane);
		return 1;
	}
	if (error == 0) {
		go_on(lane);
		return 0;
	}
	SL_STORE(lane->halt_error, error);
	sl_lane_ask_to_leave(lane);
	return 0;
}

bool sl_lane_withdraw(struct sl_lane *lane)
{
	uint32_t wanted = SL_LEAVING_WANTED;

	return SL_LOAD_ACQUIRE(lane->leaving) == SL_LEAVING_NONE ||
		__atomic_compare_exchange_n(&lane->leaving, &wanted, SL_LEAVING_NONE, false,
			__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

// ---- offsets: partitions stand where their last event got its own, in whichever lane that waits

static struct sl_batch *batch_at(const struct sl_lane *lane, uint64_t number)
{
	return lane->by_number[number % SL_LANE_BATCH_COUNT_MAX];
}

static void wind_batches(struct sl_lane *lane, bool forth)
{
	uint64_t count = lane->next_number - lane->leave_number;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = forth ? lane->leave_number + i : lane->next_number - 1 - i;
		const struct sl_batch_header *header = (const void *)batch_at(lane, number)->data;

		sl_lane_set_offsets(lane, sl_batch_table(header), header->table_count, forth);
	}
}

void sl_lane_wind_incoming(struct sl_lane *lane, bool forth)
{
	struct sl_lane *source = lane->incoming;
	uint32_t open_count;

	if (sl_likely(source == NULL))
		return;
	open_count = source->open_batch != NULL ? source->table_count : 0;
	// What comes to the source stands behind what the source has.
	if (forth) {
		wind_batches(source, forth);
		sl_lane_set_offsets(source, source->table, open_count, forth);
		sl_lane_wind_incoming(source, forth);
	} else {
		sl_lane_wind_incoming(source, forth);
		sl_lane_set_offsets(source, source->table, open_count, forth);
		wind_batches(source, forth);
	}
}

// ---- from buffer to buffer

// What is taken over: runs, and what header and table say of them.
struct parcel {
	const char *data; // of the batch
	uint32_t runs_end, run_count;
	const struct sl_batch_table_entry *table;
	uint32_t table_count;
	uint32_t event_count;
	uint64_t event_bytes;
	uint64_t time_base_ns, time_last_ns;
	const struct sl_batch_ages *ages;
};

// Receive times never fall along a chain: what is older than the target's last event counts as old
// as that, as when it is appended. Ledgers become filler: they speak of the lane that leaves, and
// the target writes its own, whose sequence rises.
static void adapt_runs(char *data, const struct parcel *parcel, uint64_t floor_ns)
{
	uint64_t old_base_ns = parcel->time_base_ns;
	uint64_t new_base_ns = SL_MAX(old_base_ns, floor_ns);
	char *next = data + SL_BATCH_RUNS_OFFSET;

	for (uint32_t i = 0; i < parcel->run_count; i++) {
		struct sl_run_header run;
		uint32_t type;

		memcpy(&run, next, sizeof(run));
		type = SL_RUN_TYPE(run.length_type);
		if (type == SL_RUN_TIME) {
			memcpy(&old_base_ns, next + sizeof(run), sizeof(old_base_ns));
			new_base_ns = SL_MAX(old_base_ns, floor_ns);
			memcpy(next + sizeof(run), &new_base_ns, sizeof(new_base_ns));
		} else if (type == SL_RUN_EVENT) {
			run.time_delta_ns =
				(uint32_t)(SL_MAX(old_base_ns + run.time_delta_ns, floor_ns) -
					new_base_ns);
			memcpy(next, &run, sizeof(run));
		} else if (type == SL_RUN_LEDGER) {
			run.length_type =
				SL_RUN_LENGTH_TYPE(SL_RUN_LENGTH(run.length_type), SL_RUN_FILLER);
			memcpy(next, &run, sizeof(run));
		}
		next += sizeof(run) + SL_RUN_LENGTH(run.length_type);
	}
}

static void put_table(struct sl_lane *target, const struct parcel *parcel)
{
	for (uint32_t i = 0; i < parcel->table_count; i++) {
		struct sl_batch_table_entry *entry = &target->table[i];

		*entry = parcel->table[i];
		entry->term = target->partitions[entry->partition].term;
		SL_STORE(target->shm_partitions[entry->partition].next_offset,
			SL_MAX(target->shm_partitions[entry->partition].next_offset,
				entry->first_offset + entry->event_count));
	}
	target->table_count = parcel->table_count;
}

static void take_parcel(struct sl_lane *target, const struct parcel *parcel, uint64_t now_ns)
{
	struct sl_batch *batch = sl_lane_take_batch(target);
	uint64_t floor_ns = target->time_last_ns;

	memcpy(batch->data + SL_BATCH_RUNS_OFFSET, parcel->data + SL_BATCH_RUNS_OFFSET,
		parcel->runs_end - SL_BATCH_RUNS_OFFSET);
	adapt_runs(batch->data, parcel, floor_ns);
	target->time_base_ns = SL_MAX(parcel->time_base_ns, floor_ns);
	target->time_last_ns = SL_MAX(parcel->time_last_ns, floor_ns);
	if (target->segment_since_ns == 0)
		target->segment_since_ns = target->time_base_ns;
	put_table(target, parcel);
	batch->event_count = parcel->event_count;
	batch->event_bytes = parcel->event_bytes;
	batch->ages = *parcel->ages;
	sl_lane_finish_batch(
		target, batch, SL_BATCH_EVENTS, 0, parcel->runs_end, parcel->run_count, now_ns);
}

// Room for one more batch behind what is sealed. The target's own batches wait for fewer writes
// under way than this, so that a drive that is busy does not keep what comes here waiting for ever;
// there are buffers for it (SL_LANE_INCOMING_BATCH_COUNT): those of a checkpoint are needed when
// the target's own drive fails.
static bool make_place(struct sl_lane *target, uint64_t now_ns)
{
	if (target->is_halted || target->unretired > target->in_flight_max)
		return false;
	if (target->open_batch != NULL)
		sl_lane_seal(target, now_ns);
	return sl_lane_roll(target, now_ns) && target->free_count > 0;
}

static void free_batch(struct sl_lane *lane, struct sl_batch *batch)
{
	batch->state = SL_BATCH_FREE;
	lane->free_batches[lane->free_count++] = batch;
}

static void send_sealed(struct sl_lane *lane, struct sl_batch *batch, uint64_t now_ns)
{
	const struct sl_batch_header *header = (const void *)batch->data;
	const struct parcel parcel = {
		.data = batch->data,
		.runs_end = header->table_offset,
		.run_count = header->run_count,
		.table = sl_batch_table(header),
		.table_count = header->table_count,
		.event_count = batch->event_count,
		.event_bytes = batch->event_bytes,
		.time_base_ns = header->time_base_ns,
		.time_last_ns = header->time_last_ns,
		.ages = &batch->ages,
	};

	take_parcel(lane->target, &parcel, now_ns);
	lane->leave_number++;
	free_batch(lane, batch);
}

static void send_open(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_batch *batch = lane->open_batch;

	sl_lane_note_ages(lane);
	const struct parcel parcel = {
		.data = batch->data,
		.runs_end = (uint32_t)(lane->cursor - batch->data),
		.run_count = lane->run_count,
		.table = lane->table,
		.table_count = lane->table_count,
		.event_count = lane->event_count,
		.event_bytes = lane->event_bytes,
		.time_base_ns = lane->time_base_ns,
		.time_last_ns = lane->time_last_ns,
		.ages = &batch->ages,
	};

	take_parcel(lane->target, &parcel, now_ns);
	lane->counters->in_flight_events += lane->event_count;
	lane->open_batch = NULL;
	lane->event_count = 0;
	lane->cursor = NULL;
	lane->limit = NULL;
	free_batch(lane, batch);
}

// ---- the steps

// The target owns the partitions from here on: its segment begins with their new terms.
static void begin(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_lane *target = lane->target;

	assert(target->incoming == NULL);
	lane->leave_number = lane->watermark_number + 1;
	if (lane->unretired > 0) {
		const struct sl_batch_header *first =
			(const void *)batch_at(lane, lane->leave_number)->data;

		lane->prev_body_crc = first->prev_body_crc;
	}
	for (uint32_t i = 0; i < lane->move_count; i++) {
		const struct sl_lane_move *move = &lane->moves[i];
		struct sl_partition *partition = &lane->partitions[move->partition];

		partition->term = move->term;
		partition->term_start = move->term_start;
		target->owned[target->owned_count++] = move->partition;
	}
	lane->owned_count = 0;
	target->incoming = lane;
	SL_STORE(target->wants_spare, false);
	SL_STORE(lane->shm->partition_count, 0);
	SL_STORE(target->shm->partition_count, target->owned_count);
	SL_STORE_RELEASE(lane->leaving, SL_LEAVING_UNDER_WAY);
	sl_lane_roll_early(target, now_ns);
}

static bool can_take(const struct sl_lane *target)
{
	return !target->failed && !target->is_halted && SL_LOAD(target->stuck_segment) == 0 &&
		(SL_LOAD_ACQUIRE(target->spare) != NULL || SL_LOAD(target->spare_error) == 0);
}

// The target has failed before it took anything: another one, in yet higher terms.
static void ask_again(struct sl_lane *lane)
{
	SL_STORE(lane->target->wants_spare, false);
	SL_STORE_RELEASE(lane->leaving, SL_LEAVING_WANTED);
}

// Events of the partitions that lived here go to the target itself from now on. Those of a lane
// that is still coming here follow there.
static void end(struct sl_lane *lane)
{
	struct sl_lane *target = lane->target;
	struct sl_lane *incoming = lane->incoming;

	for (uint32_t i = 0; i < lane->move_count; i++) {
		struct sl_partition *partition = &lane->partitions[lane->moves[i].partition];

		if (partition->lane_slot != lane->slot)
			continue;
		partition->lane_slot = target->slot;
		partition->batch_number = 0; // numbers of batches are a lane's own
	}
	target->incoming = incoming;
	if (incoming != NULL)
		SL_STORE(incoming->target, target);
	lane->incoming = NULL;
	lane->next_number = lane->watermark_number + 1;
	lane->leave_number = 0;
	lane->unretired = 0;
	lane->retry_ns = 0;
	lane->is_promised = false;
	SL_STORE(lane->shm->in_flight, 0);
	SL_STORE(lane->shm->rehomed, lane->shm->rehomed + 1);
	SL_STORE(lane->shm->partitions_rehomed, lane->shm->partitions_rehomed + lane->move_count);
	SL_STORE_RELEASE(lane->leaving, SL_LEAVING_NONE);
}

static void give_up(struct sl_lane *lane, enum sl_drop_reason reason)
{
	sl_lane_fail(lane, reason, lane->halt_error);
	SL_STORE_RELEASE(lane->leaving, SL_LEAVING_NONE);
}

// Checkpoints and marks of this lane mean nothing in another one.
static struct sl_batch *next_sealed(struct sl_lane *lane)
{
	while (lane->leave_number < lane->next_number) {
		struct sl_batch *batch = batch_at(lane, lane->leave_number);
		const struct sl_batch_header *header = (const void *)batch->data;

		if (header->kind == SL_BATCH_EVENTS)
			return batch;
		free_batch(lane, batch);
		lane->leave_number++;
	}
	return NULL;
}

// One batch a turn: the other lanes of the worker go on meanwhile.
static uint32_t move_on(struct sl_lane *lane, uint64_t now_ns)
{
	struct sl_batch *sealed = next_sealed(lane);

	if (sealed == NULL && lane->open_batch == NULL) {
		end(lane);
		return 1;
	}
	if (!make_place(lane->target, now_ns))
		return 0;
	if (sealed != NULL)
		send_sealed(lane, sealed, now_ns);
	else
		send_open(lane, now_ns);
	SL_STORE(lane->shm->batches_rehomed, lane->shm->batches_rehomed + 1);
	if (sealed == NULL)
		end(lane);
	return 1;
}

uint32_t sl_lane_leave(struct sl_lane *lane, uint64_t now_ns)
{
	switch (SL_LOAD_ACQUIRE(lane->leaving)) {
	case SL_LEAVING_GRANTED:
		if (!can_take(lane->target)) {
			ask_again(lane);
			return 1;
		}
		if (!sl_lane_may_roll(lane->target)) {
			// It may be seconds until the whole of it is written ahead.
			SL_STORE(lane->target->wants_spare, true);
			return 0;
		}
		// It may have been stuck, and have asked; it was not heard.
		if (!sl_lane_withdraw(lane->target))
			return 0;
		begin(lane, now_ns);
		return 1;
	case SL_LEAVING_UNDER_WAY:
		if (!lane->target->failed)
			return move_on(lane, now_ns);
		give_up(lane, lane->target->refusal);
		return 1;
	case SL_LEAVING_DENIED:
		give_up(lane, SL_DROP_LANE_FAILED);
		return 1;
	default:
		return 0;
	}
}
