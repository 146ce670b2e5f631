/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/lane_setup.h"

#include "log.h"
#include "store/bookmark.h"
#include "store/checkpoint.h"
#include "store/io_sync.h"
#include "store/lane_internal.h"
#include "store/segment.h"
#include "store/source_dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t sl_lane_batch_count(const struct sl_lane_size *size)
{
	return size->in_flight_max + 1 +
		sl_checkpoint_batch_count(size->owned_count, size->batch_bytes) +
		(size->has_alike ? SL_LANE_INCOMING_BATCH_COUNT : 0);
}

uint64_t sl_lane_memory_bytes(const struct sl_lane_size *size)
{
	return (uint64_t)sl_lane_batch_count(size) * size->batch_bytes;
}

uint64_t sl_lane_heap_bytes(const struct sl_lane_size *size)
{
	return sl_lane_batch_count(size) * sizeof(struct sl_batch) +
		size->owned_count * sizeof(struct sl_batch_table_entry) +
		(size->keep_source ? sizeof(struct sl_source_dictionary) : 0);
}

static uint32_t capacity_of(const struct sl_lane_setup *setup)
{
	return SL_MAX(setup->owned_capacity, setup->owned_count);
}

static int allocate(struct sl_lane *lane, const struct sl_lane_setup *setup)
{
	lane->batches = calloc(lane->batch_count, sizeof(*lane->batches));
	lane->table = calloc(SL_MAX(capacity_of(setup), 1u), sizeof(*lane->table));
	if (setup->keep_source)
		lane->sources = sl_source_dictionary_create();
	if (lane->batches == NULL || lane->table == NULL ||
		(setup->keep_source && lane->sources == NULL))
		return -ENOMEM;
	for (uint32_t i = 0; i < lane->batch_count; i++) {
		lane->batches[i].data = (char *)setup->memory + (size_t)i * setup->batch_bytes;
		lane->free_batches[lane->free_count++] = &lane->batches[i];
	}
	return 0;
}

int sl_lane_init(struct sl_lane *lane, const struct sl_lane_setup *setup, struct sl_err *err)
{
	uint32_t capacity = capacity_of(setup);
	const struct sl_lane_size size = {
		.in_flight_max = setup->in_flight_max,
		.owned_count = capacity,
		.batch_bytes = setup->batch_bytes,
		.has_alike = setup->may_leave,
	};

	*lane = (struct sl_lane){
		.partitions = setup->partitions,
		.owned = setup->owned,
		.counters = setup->counters,
		.shm = setup->shm,
		.shm_partitions = setup->shm_partitions,
		.epoch = setup->epoch,
		.linger_ns = setup->linger_us * SL_NS_PER_US,
		.segment_age_ns = setup->segment_age_s * SL_NS_PER_S,
		.breaker = setup->breaker,
		.backoff_ns_min = setup->backoff_ns_min,
		.backoff_ns_max = setup->backoff_ns_max,
		.retry_limit = setup->retry_limit,
		.owned_count = setup->owned_count,
		.salt_crc = setup->salt_crc,
		.batch_bytes = setup->batch_bytes,
		.batch_count = sl_lane_batch_count(&size),
		.in_flight_max = setup->in_flight_max,
		.checkpoint_batch_count = sl_checkpoint_batch_count(capacity, setup->batch_bytes),
		.lane = setup->lane,
		.class_index = setup->class_index,
		.buffer_index = setup->buffer_index,
		.slot = setup->slot,
		.may_leave = setup->may_leave,
		.durability = setup->durability,
	};
	SL_STORE(lane->shm->partition_count, setup->owned_count);
	if (allocate(lane, setup) != 0)
		return sl_err_set(err, -ENOMEM, "lane %u: out of memory", setup->lane);
	return 0;
}

// A flush that failed says nothing about what it was to cover, and the next one may say that all is
// well: the lane states nothing durable any more.
static int flush(struct sl_lane *lane, struct sl_err *err)
{
	int result;

	if (fdatasync(lane->segment->fd) == 0)
		return 0;
	result = -errno;
	sl_lane_fail(lane, SL_DROP_LANE_FAILED, result);
	return sl_err_set(err, result,
		"lane %u: cannot flush segment %lu: %s; look at the drive, then start again: recovery finds what it holds",
		lane->lane, lane->segment->number, strerror(-result));
}

// Runs the lane on synchronous writes until everything is retired. The lane's own io is put back by
// whoever starts the worker.
static int settle(struct sl_lane *lane, struct sl_err *err)
{
	// At time 0 nothing is ever due.
	uint64_t now_ns = SL_MAX(lane->last_seal_ns, (uint64_t)1);
	struct sl_io_request *done;

	lane->is_settling = true;
	while (lane->unretired > 0 && !lane->failed) {
		if (lane->io->ops->reap(lane->io, &done, 1) == 0)
			// No time goes by here: what is to be sent again is due.
			sl_lane_tick(lane, SL_MAX(now_ns, lane->retry_ns));
		else if (done->result == -ENOSPC || done->result == -EDQUOT)
			// A worker would try again later; at start and stop there is no later.
			sl_lane_fail(lane, SL_DROP_LANE_FAILED, done->result);
		else
			sl_lane_complete(lane, done, now_ns);
	}
	lane->is_settling = false;
	if (lane->failed)
		return sl_err_set(err, lane->write_error,
			"lane %u: cannot write to segment %lu: %s", lane->lane,
			lane->segment->number, strerror(-lane->write_error));
	return flush(lane, err);
}

int sl_lane_begin(struct sl_lane *lane, struct sl_segment *segment,
	const struct sl_lane_chain *chain, struct sl_err *err)
{
	int result;

	lane->segment = segment;
	// An old lane's first segment may begin at time 0, which here means that it has no events.
	lane->segment_since_ns =
		segment->event_count > 0 ? SL_MAX(segment->time_first_ns, (uint64_t)1) : 0;
	lane->io = sl_io_sync_create();
	if (lane->io == NULL)
		return sl_err_set(err, -ENOMEM, "lane %u: out of memory", lane->lane);
	lane->next_number = chain->next_number;
	lane->watermark_number = chain->next_number - 1;
	lane->position = chain->position;
	lane->durable_mark = chain->durable_mark;
	lane->synced_number = chain->durable_mark;
	lane->prev_body_crc = chain->prev_body_crc;
	lane->time_last_ns = chain->time_last_ns;
	SL_STORE(lane->shm->segment, segment->number);
	SL_STORE(lane->shm->unwritten_extents, sl_lane_meets_unwritten(lane));
	sl_lane_write_states(lane,
		chain->position == 0 ? SL_BATCH_CHECKPOINT : SL_BATCH_EPOCH_START,
		chain->time_last_ns);
	sl_lane_write_ledger(lane, chain->time_last_ns);
	result = settle(lane, err);
	lane->io->ops->destroy(lane->io);
	lane->io = NULL;
	return result;
}

// Without it the next start reads the segment, and finds the same.
static void leave_bookmark(const struct sl_lane *lane)
{
	struct sl_err err = {0};
	int result = sl_bookmark_write(lane, &err);

	if (result != 0 && result != -E2BIG)
		sl_log_warning("store", "%s; the next start reads its last segment", err.text);
}

int sl_lane_end(struct sl_lane *lane, struct sl_err *err)
{
	int result;

	// One that has a segment and no number did not come to write its first batch.
	if (lane->failed || lane->segment == NULL || lane->next_number == 0)
		return 0;
	// The keeper says why in the log. A mark would state as durable what could not be flushed.
	if (lane->seal_error != 0)
		return sl_err_set(err, lane->seal_error,
			"lane %u: its previous segment could not be sealed: %s; the next start recovers it",
			lane->lane, strerror(-lane->seal_error));
	lane->io = sl_io_sync_create();
	if (lane->io == NULL)
		return sl_err_set(err, -ENOMEM, "lane %u: out of memory", lane->lane);
	sl_lane_write_ledger(lane, lane->last_seal_ns);
	result = settle(lane, err);
	if (result == 0) {
		lane->durable_mark = lane->watermark_number;
		lane->time_base_ns = lane->time_last_ns;
		sl_lane_finish_batch(lane, sl_lane_take_batch(lane), SL_BATCH_MARK,
			SL_BATCH_FLAG_CLEAN_STOP, SL_BATCH_RUNS_OFFSET, 0, lane->last_seal_ns);
		result = settle(lane, err);
	}
	if (result == 0)
		leave_bookmark(lane);
	lane->io->ops->destroy(lane->io);
	lane->io = NULL;
	return result;
}

void sl_lane_fini(struct sl_lane *lane)
{
	sl_segment_close(lane->full_segment);
	sl_segment_close(lane->segment);
	sl_source_dictionary_destroy(lane->sources);
	free(lane->table);
	free(lane->batches);
	lane->segment = NULL;
	lane->full_segment = NULL;
	lane->sources = NULL;
	lane->table = NULL;
	lane->batches = NULL;
}
