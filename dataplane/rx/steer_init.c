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
	table->ring_count = worker_count;
	table->hash = sl_siphash_batch_choose(SL_SIPHASH_AVX512);
	for (uint32_t i = 0; i < meta->header.stream_count; i++)
		deal_partitions(table, &meta->streams[i], i);
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
