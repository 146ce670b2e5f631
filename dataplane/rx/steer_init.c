/* SPDX-License-Identifier: BSD-3-Clause */
// The slow half of steer: filling its table at start.
#include "format/meta.h"
#include "rx/steer.h"

#include <string.h>

// Contiguous ranges within a stream, and each stream starts at another worker, so that many small
// streams spread as well.
static void deal_partitions(struct sl_steer_table *table, const struct sl_store_meta_stream *stream,
	uint32_t stream_index)
{
	for (uint32_t i = 0; i < stream->partition_count; i++) {
		uint32_t share =
			(uint32_t)((uint64_t)i * table->worker_count / stream->partition_count);

		table->worker_by_partition[stream->first_partition + i] =
			(uint8_t)((share + stream_index) % table->worker_count);
	}
}

// Each worker has a contiguous range of rings; its partitions take them in turn. Partitions that
// the configuration does not name get no events, and no ring: memory_plan.c counts on it.
static void deal_rings(struct sl_steer_table *table, const struct sl_config *config,
	const struct sl_store_meta *meta, const uint16_t *meta_index_by_stream)
{
	uint32_t next_ring[SL_LCORE_COUNT_MAX] = {0};
	uint32_t owned_count[SL_LCORE_COUNT_MAX] = {0};
	uint32_t first_ring[SL_LCORE_COUNT_MAX];
	uint32_t ring_total = 0;
	uint32_t partition_count = 0;

	for (uint32_t s = 0; s < config->stream_count; s++) {
		const struct sl_store_meta_stream *stream = &meta->streams[meta_index_by_stream[s]];

		for (uint32_t i = 0; i < stream->partition_count; i++)
			owned_count[table->worker_by_partition[stream->first_partition + i]]++;
		partition_count += stream->partition_count;
	}
	for (uint32_t w = 0; w < table->worker_count; w++) {
		uint32_t share = partition_count <= SL_RING_COUNT_MAX
			? owned_count[w]
			: SL_RING_COUNT_MAX / table->worker_count;

		owned_count[w] = SL_MIN(share, owned_count[w]);
		first_ring[w] = ring_total;
		for (uint32_t r = 0; r < owned_count[w]; r++)
			table->worker_by_ring[ring_total++] = (uint8_t)w;
	}
	for (uint32_t s = 0; s < config->stream_count; s++) {
		const struct sl_store_meta_stream *stream = &meta->streams[meta_index_by_stream[s]];

		for (uint32_t i = 0; i < stream->partition_count; i++) {
			uint32_t partition = stream->first_partition + i;
			uint32_t w = table->worker_by_partition[partition];

			table->ring_by_partition[partition] =
				(uint8_t)(first_ring[w] + next_ring[w]);
			next_ring[w] = next_ring[w] + 1 == owned_count[w] ? 0 : next_ring[w] + 1;
		}
	}
	table->ring_count = ring_total;
}

static uint16_t near_end(const struct sl_config_stream *stream)
{
	uint32_t end = stream->key_offset + stream->key_bytes;
	bool is_near = stream->key_kind != SL_KEY_FLOW && end <= SL_STEER_NEAR_BYTES &&
		sl_siphash_word_count(stream->key_bytes) <= SL_SIPHASH_BATCH_WORDS_MAX;

	return is_near ? (uint16_t)end : 0;
}

void sl_steer_init(struct sl_steer_table *table, const struct sl_config *config,
	const struct sl_store_meta *meta, const uint16_t *meta_index_by_stream,
	uint32_t worker_count)
{
	memset(table, 0, sizeof(*table));
	table->worker_count = worker_count;
	table->hash = sl_siphash_batch_choose(SL_SIPHASH_AVX512);
	for (uint32_t i = 0; i < meta->header.stream_count; i++)
		deal_partitions(table, &meta->streams[i], i);
	deal_rings(table, config, meta, meta_index_by_stream);
	for (uint32_t i = 0; i < config->stream_count; i++) {
		const struct sl_config_stream *from = &config->streams[i];
		const struct sl_store_meta_stream *stored = &meta->streams[meta_index_by_stream[i]];

		table->streams[i] = (struct sl_steer_stream){
			.key = sl_siphash_key_load(stored->steering_key),
			.partition_count = stored->partition_count,
			.first_partition = stored->first_partition,
			.by_flow = from->key_kind == SL_KEY_FLOW,
			.key_offset = (uint16_t)from->key_offset,
			.key_bytes = (uint16_t)from->key_bytes,
			.near_end = near_end(from),
		};
	}
}
