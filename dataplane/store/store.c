/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/store.h"

#include "fault.h"
#include "format/batch_scan.h"
#include "store/store_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Lanes that lost their owner are closed for good: footer on, file closed. Recovery reads them no
// more.
static int seal_ownerless_lanes(struct sl_store *store, struct sl_err *err)
{
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];
		struct sl_segment *segment = lane->recovery.segment;

		if (lane->worker_index != SL_LANE_NONE || segment == NULL)
			continue;
		lane->recovery.segment = NULL;
		if (sl_segment_seal(segment, lane->number, lane->recovery.epoch, store->salt_crc,
			    err) != 0) {
			sl_segment_close(segment);
			return sl_err_prefix(err, "lane %u: cannot seal segment", lane->number);
		}
		sl_segment_close(segment);
	}
	return 0;
}

int sl_store_open(struct sl_store *store, const struct sl_config *config, sl_store_deal deal,
	void *deal_context, const uint8_t *worker_by_partition, struct sl_err *err)
{
	memset(store, 0, sizeof(*store));
	store->config = config;
	if (sl_store_open_directories(store, err) != 0)
		return err->code;
	store->salt_crc = sl_batch_salt_crc(store->meta.header.salt);
	if (sl_store_match(store, err) != 0 || sl_store_recover(store, err) != 0)
		return err->code;
	SL_FAULT_POINT(STORE_RECOVERED);
	deal(deal_context, store);
	if (sl_store_arrange(store, worker_by_partition, err) != 0 ||
		sl_store_write_meta(store, err) != 0)
		return err->code;
	SL_FAULT_POINT(STORE_ARRANGED);
	return seal_ownerless_lanes(store, err);
}

int sl_store_write_moves(struct sl_store *store, const struct sl_lane_move *moves,
	uint32_t move_count, struct sl_err *err)
{
	for (uint32_t i = 0; i < move_count; i++) {
		struct sl_store_meta_partition *stored =
			&store->meta.partitions[moves[i].partition];

#ifndef SL_FAULTS
		assert(moves[i].term > stored->term);
#endif
		assert(moves[i].term_start >= stored->term_start);
		*stored = (struct sl_store_meta_partition){
			.term_start = moves[i].term_start,
			.term = moves[i].term,
			.lane = moves[i].lane,
		};
	}
	return sl_store_write_meta(store, err);
}

void sl_store_post_ledger(struct sl_store *store, const void *record, uint32_t bytes)
{
	for (uint32_t i = 0; i < store->lane_count; i++)
		store->lanes[i].lacks_ledger = store->lanes[i].worker_index != SL_LANE_NONE;
	sl_store_repost_ledger(store, record, bytes);
}

void sl_store_repost_ledger(struct sl_store *store, const void *record, uint32_t bytes)
{
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		if (lane->lacks_ledger)
			lane->lacks_ledger = !sl_lane_post_ledger(&lane->lane, record, bytes);
	}
}

void sl_store_set_last_ledger(struct sl_store *store, const void *record, uint32_t bytes)
{
	for (uint32_t i = 0; i < store->lane_count; i++) {
		if (store->lanes[i].worker_index != SL_LANE_NONE)
			sl_lane_set_ledger(&store->lanes[i].lane, record, bytes);
	}
}

int sl_store_stop(struct sl_store *store, struct sl_err *err)
{
	int result = 0;

	if (store->is_stopped)
		return 0;
	store->is_stopped = true;
	if (store->keeper != NULL)
		sl_keeper_stop(store->keeper);
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_err lane_err = {0};

		if (store->lanes[i].worker_index == SL_LANE_NONE)
			continue;
		if (sl_lane_end(&store->lanes[i].lane, &lane_err) != 0 && result == 0) {
			result = lane_err.code;
			*err = lane_err;
		}
	}
	return result;
}

void sl_store_keep(struct sl_store *store)
{
	store->is_new = false;
}

// A port may have brought some before the start failed, and they may have been acknowledged.
static bool has_taken_events(const struct sl_store *store)
{
	for (uint32_t i = 0; i < store->meta.header.partition_count; i++) {
		if (store->partitions != NULL && store->partitions[i].next_offset > 0)
			return true;
	}
	return false;
}

void sl_store_close(struct sl_store *store, void (*release)(void *memory))
{
	sl_keeper_destroy(store->keeper);
	for (uint32_t i = 0; i < store->lane_count; i++) {
		struct sl_store_lane *lane = &store->lanes[i];

		sl_lane_fini(&lane->lane);
		sl_lane_recovery_free(&lane->recovery);
		free(lane->moves);
		if (lane->memory != NULL)
			release(lane->memory);
	}
	if (store->is_new && !has_taken_events(store))
		sl_store_remove(store);
	free(store->lanes);
	free(store->owned);
	free(store->partitions);
	sl_store_meta_free(&store->meta);
	for (uint32_t i = 0; i < SL_STORE_PATH_COUNT_MAX; i++) {
		if (store->paths[i].path != NULL)
			close(store->paths[i].lock_fd);
	}
	memset(store, 0, sizeof(*store));
}
