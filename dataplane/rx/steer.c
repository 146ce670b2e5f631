/* SPDX-License-Identifier: BSD-3-Clause */
// Keys are gathered into the lanes of one batch and hashed together. Bursts of one stream, with
// keys near the beginning of whole payloads, go the shortest way. In others a key that is split
// over mbuf segments, or whose number of words is not that of the burst's first, is hashed by
// itself.
#include "rx/steer.h"

#include <rte_mbuf.h>
#include <string.h>

#include "hotpath.h"

// Key bytes that do not lie in the first segment are gathered here; longer keys are cut (the
// configuration allows no more).
#define SL_KEY_BYTES_MAX 256

static_assert(SL_SIPHASH_BATCH_COUNT_MAX == SL_BURST_COUNT_MAX, "a lane for each event");

struct key {
	uint32_t offset; // from the first byte of the frame
	uint32_t bytes;
};

// Source address, destination address, source port, destination port, as docs/format.md says. They
// lie together: accepted datagrams have no options and no extension headers.
static inline struct key flow_key(const struct sl_datagram *datagram)
{
	bool is_v4 = datagram->ip_version == 4;

	return (struct key){
		.offset = datagram->l3_offset + (is_v4 ? 12u : 8u), .bytes = is_v4 ? 12 : 36};
}

static inline struct key payload_key(
	const struct sl_steer_stream *stream, const struct sl_datagram *datagram)
{
	uint32_t offset = SL_MIN((uint32_t)stream->key_offset, datagram->payload_bytes);

	return (struct key){.offset = datagram->payload_offset + offset,
		.bytes = SL_MIN((uint32_t)stream->key_bytes, datagram->payload_bytes - offset)};
}

static inline uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t hash_alone(
	const struct sl_siphash_key *siphash_key, const struct rte_mbuf *mbuf, struct key key)
{
	uint8_t gathered[SL_KEY_BYTES_MAX];

	// Behind the last segment rte_pktmbuf_read finds none.
	if (key.bytes == 0)
		return sl_siphash13(siphash_key, gathered, 0);
	return sl_siphash13(
		siphash_key, rte_pktmbuf_read(mbuf, key.offset, key.bytes, gathered), key.bytes);
}

// More than eight bytes of headers stand in front of any key.
static inline void fill_lane(struct sl_siphash_batch *batch, uint32_t lane,
	const struct sl_siphash_key *siphash_key, const uint8_t *key, uint32_t bytes)
{
	uint32_t whole_count = bytes / 8;

	batch->k0[lane] = siphash_key->k0;
	batch->k1[lane] = siphash_key->k1;
	for (uint32_t w = 0; w < whole_count; w++)
		batch->words[w][lane] = load_u64(key + 8 * w);
	batch->words[whole_count][lane] = sl_siphash_last_word(load_u64(key + bytes - 8), bytes);
}

// The last vector reads whole lanes.
static void pad_lanes(struct sl_siphash_batch *batch, uint32_t lane_count, uint32_t word_count)
{
	for (; lane_count % SL_SIPHASH_BATCH_LANES_MAX != 0; lane_count++) {
		batch->k0[lane_count] = 0;
		batch->k1[lane_count] = 0;
		for (uint32_t w = 0; w < word_count; w++)
			batch->words[w][lane_count] = 0;
	}
}

static inline void set_partition(
	struct sl_datagram *datagram, const struct sl_steer_stream *stream, uint64_t hash)
{
	datagram->partition = (uint16_t)(stream->first_partition +
		sl_hash_to_index(hash, stream->partition_count));
}

static void set_partitions(const struct sl_steer_table *table, struct sl_datagram *datagrams,
	const uint8_t *index_by_lane, const uint64_t *hash_by_lane, uint32_t lane_count)
{
	for (uint32_t lane = 0; lane < lane_count; lane++) {
		struct sl_datagram *datagram = &datagrams[index_by_lane[lane]];

		set_partition(datagram, &table->streams[datagram->stream], hash_by_lane[lane]);
	}
}

static void steer_each(const struct sl_steer_table *table, struct sl_burst *burst)
{
	struct sl_siphash_batch batch;
	uint8_t index_by_lane[SL_BURST_COUNT_MAX];
	uint32_t lane_count = 0, word_count = SL_SIPHASH_BATCH_WORDS_MAX;

	for (uint32_t i = 0; i < burst->count; i++) {
		const struct rte_mbuf *mbuf = burst->mbufs[i];
		struct sl_datagram *datagram = &burst->datagrams[i];
		const struct sl_steer_stream *stream = &table->streams[datagram->stream];
		struct key key =
			stream->by_flow ? flow_key(datagram) : payload_key(stream, datagram);
		uint32_t key_word_count = sl_siphash_word_count(key.bytes);

		if (lane_count == 0)
			word_count = SL_MIN(key_word_count, word_count);
		if (sl_unlikely((key_word_count != word_count) |
			    (key.offset + key.bytes > mbuf->data_len))) {
			set_partition(datagram, stream, hash_alone(&stream->key, mbuf, key));
			continue;
		}
		fill_lane(&batch, lane_count, &stream->key,
			rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, key.offset), key.bytes);
		index_by_lane[lane_count++] = (uint8_t)i;
	}
	if (lane_count == 0)
		return;
	pad_lanes(&batch, lane_count, word_count);
	table->hash(&batch, word_count, lane_count);
	set_partitions(table, burst->datagrams, index_by_lane, batch.hash, lane_count);
}

// Gathers the near keys of a burst of one stream. False when some datagram is of another stream,
// too short, or split within its key; then the lanes mean nothing.
static bool gather_near(const struct sl_steer_stream *stream, const struct sl_burst *burst,
	struct sl_siphash_batch *batch)
{
	uint32_t whole_count = stream->key_bytes / 8u, bytes = stream->key_bytes;
	uint32_t end = stream->near_end;
	uint32_t odd = 0;

	for (uint32_t i = 0; i < burst->count; i++) {
		const struct sl_datagram *datagram = &burst->datagrams[i];
		const struct rte_mbuf *mbuf = burst->mbufs[i];
		const uint8_t *key_end = rte_pktmbuf_mtod_offset(
			mbuf, const uint8_t *, datagram->payload_offset + end);

		odd |= (datagram->stream != burst->datagrams[0].stream) |
			(datagram->payload_bytes < end) |
			(datagram->payload_offset + end > mbuf->data_len);
		batch->k0[i] = stream->key.k0;
		batch->k1[i] = stream->key.k1;
		for (uint32_t w = 0; w < whole_count; w++)
			batch->words[w][i] = load_u64(key_end - bytes + 8 * w);
		batch->words[whole_count][i] = sl_siphash_last_word(load_u64(key_end - 8), bytes);
	}
	return odd == 0;
}

void sl_steer_burst(const struct sl_steer_table *table, struct sl_burst *burst)
{
	struct sl_siphash_batch batch;
	const struct sl_steer_stream *stream;
	uint32_t word_count;

	if (burst->count == 0)
		return;
	stream = &table->streams[burst->datagrams[0].stream];
	if (stream->near_end == 0 || sl_unlikely(!gather_near(stream, burst, &batch))) {
		steer_each(table, burst);
		return;
	}
	word_count = sl_siphash_word_count(stream->key_bytes);
	pad_lanes(&batch, burst->count, word_count);
	table->hash(&batch, word_count, burst->count);
	for (uint32_t i = 0; i < burst->count; i++)
		set_partition(&burst->datagrams[i], stream, batch.hash[i]);
}
