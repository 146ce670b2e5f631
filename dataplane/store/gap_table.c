/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/gap_table.h"

#include "counters.h"

#include <string.h>

#include "hotpath.h"

#define PORT_REASON_COUNT_MAX 8 // besides the drop reasons: dataplane/gaps.c
#define PROBE_COUNT 8 // slots that a source looks at

static_assert(SL_DROP_REASON_COUNT + PORT_REASON_COUNT_MAX <= SL_GAP_REASON_SLOT_COUNT,
	"every reason finds a slot");

static bool is_key(const struct sl_gap_key *key, const struct sl_gap_key *other)
{
	return memcmp(key, other, sizeof(*key)) == 0;
}

static bool is_free(const struct sl_gap_table *table, uint32_t index)
{
	return table->slots[index].count == SL_LOAD_ACQUIRE(table->taken[index]);
}

static uint32_t hash(const struct sl_gap_key *key)
{
	uint64_t x = (key->address[0] ^ key->address[1]) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(x >> 32);
}

// The slot of the key among probe_count slots from a start within [first, first + count), or a free
// one; UINT32_MAX when there is neither.
static uint32_t find_slot(const struct sl_gap_table *table, const struct sl_gap_key *key,
	uint32_t first, uint32_t count, uint32_t probe_count)
{
	uint32_t start = hash(key);
	uint32_t found = UINT32_MAX;

	for (uint32_t i = 0; i < probe_count; i++) {
		uint32_t index = first + (start + i) % count;

		if (is_key(&table->slots[index].key, key))
			return index;
		if (found == UINT32_MAX && is_free(table, index))
			found = index;
	}
	return found;
}

static void write_slot(struct sl_gap_table *table, uint32_t index, const struct sl_gap_key *key,
	uint64_t count, uint64_t now_ns)
{
	struct sl_gap_slot *slot = &table->slots[index];
	bool is_new = is_free(table, index);

	SL_STORE(slot->sequence, slot->sequence + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (is_new) {
		memcpy(&slot->key, key, sizeof(*key));
		SL_STORE(slot->first_ns, now_ns);
		SL_STORE(slot->last_ns, now_ns);
	}
	SL_STORE(slot->count, slot->count + count);
	SL_STORE(slot->last_ns, SL_MAX(slot->last_ns, now_ns));
	SL_STORE_RELEASE(slot->sequence, slot->sequence + 1);
}

void sl_gap_note(
	struct sl_gap_table *table, const struct sl_gap_key *key, uint64_t count, uint64_t now_ns)
{
	struct sl_gap_key wider = *key;
	uint32_t index = UINT32_MAX;

	if (key->sources == SL_GAP_SOURCES_ONE)
		index = find_slot(table, key, 0, SL_GAP_SOURCE_SLOT_COUNT, PROBE_COUNT);
	if (index == UINT32_MAX) {
		if (key->sources == SL_GAP_SOURCES_ONE)
			wider.sources = SL_GAP_SOURCES_MANY;
		memset(wider.address, 0, sizeof(wider.address));
		wider.family = 0;
		index = find_slot(table, &wider, SL_GAP_SOURCE_SLOT_COUNT, SL_GAP_STREAM_SLOT_COUNT,
			SL_GAP_STREAM_SLOT_COUNT);
	}
	if (index == UINT32_MAX) {
		wider.stream = SL_GAP_STREAM_NONE;
		wider.port = 0;
		wider.sources = SL_GAP_SOURCES_MANY;
		index = find_slot(table, &wider,
			SL_GAP_SOURCE_SLOT_COUNT + SL_GAP_STREAM_SLOT_COUNT,
			SL_GAP_REASON_SLOT_COUNT, SL_GAP_REASON_SLOT_COUNT);
	}
	write_slot(table, index, index < SL_GAP_SOURCE_SLOT_COUNT ? key : &wider, count, now_ns);
}

const struct sl_gap_stream *sl_gap_stream_of(
	const struct sl_gap_streams *streams, uint16_t partition)
{
	for (uint32_t i = 0; i < streams->count; i++) {
		const struct sl_gap_stream *stream = &streams->streams[i];

		if ((uint32_t)(partition - stream->first_partition) < stream->partition_count)
			return stream;
	}
	return NULL;
}

void sl_gap_note_partition(struct sl_gap_table *table, uint16_t partition, const char *reason,
	uint64_t event_count, uint64_t now_ns)
{
	struct sl_gap_key key = {.reason = reason, .stream = SL_GAP_STREAM_NONE};
	const struct sl_gap_stream *stream;

	if (table == NULL)
		return;
	stream = sl_gap_stream_of(table->streams, partition);
	if (stream != NULL)
		key.stream = stream->stream;
	sl_gap_note(table, &key, event_count, now_ns);
}

uint64_t sl_gap_peek(const struct sl_gap_table *table, uint32_t index, struct sl_run_gap *gap)
{
	const struct sl_gap_slot *slot = &table->slots[index];
	uint32_t sequence = SL_LOAD_ACQUIRE(slot->sequence);
	struct sl_gap_key key;
	uint64_t count = SL_LOAD(slot->count);
	uint64_t first_ns = SL_LOAD(slot->first_ns), last_ns = SL_LOAD(slot->last_ns);

	if (count == table->taken[index])
		return 0;
	memcpy(&key, &slot->key, sizeof(key));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	// A noter at work: next time.
	if ((sequence & 1) != 0 || sequence != SL_LOAD(slot->sequence))
		return 0;
	*gap = (struct sl_run_gap){
		.count = count - table->taken[index],
		// Losses that went on while the last gap was taken are of the same slot.
		.first_ns = SL_MIN(SL_MAX(first_ns, table->taken_ns[index]), last_ns),
		.last_ns = last_ns,
		.stream = key.stream,
		.unit = key.unit,
		.sources = key.sources,
		.family = key.family,
		.port = key.port,
	};
	memcpy(gap->address, key.address, sizeof(gap->address));
	strncpy(gap->reason, key.reason, sizeof(gap->reason) - 1);
	return count;
}

void sl_gap_take(struct sl_gap_table *table, uint32_t index, uint64_t count, uint64_t last_ns)
{
	table->taken_ns[index] = last_ns;
	SL_STORE_RELEASE(table->taken[index], count);
}

uint64_t sl_gap_left(
	const struct sl_gap_table *table, uint32_t index, const struct sl_gap_key **key)
{
	*key = &table->slots[index].key;
	return table->slots[index].count - table->taken[index];
}
