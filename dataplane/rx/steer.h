/* SPDX-License-Identifier: BSD-3-Clause */
// Stage steer: the partition of each event by keyed hash, and from the partition its worker,
// whose number is also that of its ring. Thread rule: sl_steer_init on the main lcore before start;
// sl_steer_burst on an RX lcore; the table is const in between.
#pragma once

#include "base.h"
#include "bounds.h"
#include "burst.h"
#include "config/config.h"
#include "siphash_batch.h"

struct sl_store_meta;

// A key that ends here or before may be read from any accepted datagram without a look at its
// length: headers and key are far shorter than an mbuf's data room.
#define SL_STEER_NEAR_BYTES 512u

struct sl_steer_stream {
	struct sl_siphash_key key;
	uint32_t partition_count;
	uint16_t first_partition;
	uint8_t by_flow; // else by payload bytes
	uint16_t key_offset, key_bytes; // of the payload
	uint16_t near_end; // where a key near the payload's beginning ends; 0: it does not
};

struct sl_steer_table {
	struct sl_steer_stream streams[SL_STREAM_COUNT_MAX];
	uint8_t worker_by_partition[SL_PARTITION_COUNT_MAX]; // by store-wide number
	sl_siphash_batch_run hash; // the variant for this CPU
	uint32_t worker_count;
	uint32_t ring_count; // of each RX lcore: worker_count, or 0 where one lcore does everything
};

// Fills the table. meta_index_by_stream[i] is the stream of the store that config->streams[i]
// names; partitions of stored streams that the configuration no longer names are dealt too, so that
// their place in the store lives on. Each stream's partitions go to workers in contiguous ranges,
// so that cache lines of partition state have one writer but for the ranges' ends.
void sl_steer_init(struct sl_steer_table *table, const struct sl_config *config,
	const struct sl_store_meta *meta, const uint16_t *meta_index_by_stream,
	uint32_t worker_count);

// Sets datagrams[i].partition for the burst's survivors.
void sl_steer_burst(const struct sl_steer_table *table, struct sl_burst *burst);
