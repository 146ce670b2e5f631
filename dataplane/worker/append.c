/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/append.h"

#include "burst.h"
#include "fault.h"
#include "store/source_dictionary.h"
#include "worker/event_source.h"

#include <rte_memcpy.h>
#include <string.h>

#include "hotpath.h"

// How far ahead mbuf and payload are fetched: on the ring path they were last touched by another
// core.
#define PREFETCH_DISTANCE 4

static void copy_segments(
	char *target, const struct rte_mbuf *mbuf, uint32_t offset, uint32_t bytes)
{
	const void *linear;

	// An empty payload begins behind the last segment, where rte_pktmbuf_read finds none.
	if (bytes == 0)
		return;
	linear = rte_pktmbuf_read(mbuf, offset, bytes, target);
	if (linear != target)
		memcpy(target, linear, bytes);
}

static __attribute__((noinline)) void copy_long(
	char *target, const struct rte_mbuf *mbuf, uint32_t offset, uint32_t bytes)
{
	if (sl_unlikely(offset + bytes > mbuf->data_len))
		copy_segments(target, mbuf, offset, bytes);
	else
		rte_memcpy(target, rte_pktmbuf_mtod_offset(mbuf, const char *, offset), bytes);
}

// Small payloads are copied in one or four 16-byte steps whatever their length: the batch has room
// to overshoot (SL_LANE_TAIL_BYTES), and an mbuf's data room is far longer than 64 bytes behind any
// header. Inlined: the call alone was a tenth of an event's instructions.
static SL_ALWAYS_INLINE void copy_payload(
	char *target, const struct rte_mbuf *mbuf, uint32_t offset, uint32_t bytes)
{
	const uint8_t *source = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, offset);

	if (sl_unlikely((bytes > 64) | (offset + bytes > mbuf->data_len)))
		copy_long(target, mbuf, offset, bytes);
	else if (bytes <= 32)
		rte_mov32((uint8_t *)target, source);
	else
		rte_mov64((uint8_t *)target, source);
}

static inline void put_run_header(char *at, enum sl_run_type type, uint32_t bytes,
	uint32_t delta_ns, uint16_t partition, uint16_t source)
{
	struct sl_run_header header = {
		.length_type = SL_RUN_LENGTH_TYPE(bytes, type),
		.time_delta_ns = delta_ns,
		.partition = partition,
		.source = source,
	};

	memcpy(at, &header, sizeof(header));
}

static void put_other_run(
	struct sl_lane *lane, enum sl_run_type type, const void *data, uint32_t bytes)
{
	put_run_header(lane->cursor, type, bytes, 0, 0, SL_RUN_SOURCE_NONE);
	memcpy(lane->cursor + sizeof(struct sl_run_header), data, bytes);
	lane->cursor += sizeof(struct sl_run_header) + bytes;
	lane->run_count++;
}

static void put_time_run(struct sl_lane *lane, uint64_t time_base_ns)
{
	put_other_run(lane, SL_RUN_TIME, &time_base_ns, sizeof(time_base_ns));
	lane->run_time_base_ns = time_base_ns;
}

// Nanoseconds since the time base in force; receive times never go back within a lane.
static inline uint32_t time_delta(struct sl_lane *lane, uint64_t receive_ns)
{
	lane->time_last_ns = SL_MAX(receive_ns, lane->time_last_ns);
	if (sl_unlikely(lane->time_last_ns - lane->run_time_base_ns > UINT32_MAX))
		put_time_run(lane, lane->time_last_ns);
	return (uint32_t)(lane->time_last_ns - lane->run_time_base_ns);
}

// The event's source by number, its run written first when it is new in this batch. False when no
// batch can take it.
static bool put_source(struct sl_lane *lane, const struct sl_event *event, uint32_t run_bytes,
	uint64_t receive_ns, uint16_t *number)
{
	struct sl_run_source source;
	bool is_new = false;

	sl_event_source(event, &source);
	*number = sl_source_dictionary_add(lane->sources, &source, &is_new);
	if (sl_unlikely(*number == SL_RUN_SOURCE_NONE)) {
		// The dictionary is full: the next batch begins a new one.
		if (!sl_lane_make_room(lane, run_bytes, receive_ns))
			return false;
		*number = sl_source_dictionary_add(lane->sources, &source, &is_new);
	}
	if (!is_new)
		return true;
	put_other_run(lane, SL_RUN_SOURCE, &source, sizeof(source));
	return true;
}

static inline void count_in_table(
	struct sl_lane *lane, struct sl_partition *partition, uint16_t partition_number)
{
	if (partition->batch_number != lane->batch_number) {
		partition->batch_number = lane->batch_number;
		partition->table_index = (uint16_t)lane->table_count;
		lane->table[lane->table_count++] = (struct sl_batch_table_entry){
			.first_offset = partition->next_offset,
			.term = partition->term,
			.partition = partition_number,
		};
		lane->limit -= sizeof(lane->table[0]);
	}
	lane->table[partition->table_index].event_count++;
	partition->next_offset++;
}

static inline bool append_event(struct sl_append *append, const struct sl_event *event)
{
	struct sl_partition *partition = &append->partitions[event->partition];
	struct sl_lane *lane = append->lanes[partition->lane_slot];
	uint32_t run_bytes = (uint32_t)sizeof(struct sl_run_header) + event->payload_bytes;
	uint64_t receive_ns = sl_mbuf_receive_ns(event->mbuf);
	uint16_t source = SL_RUN_SOURCE_NONE;
	uint32_t delta_ns;
	char *run;

	// Without an open batch cursor and limit are NULL, so there is no room either.
	if (sl_unlikely(lane->limit - lane->cursor < (ptrdiff_t)run_bytes ||
		    lane->event_count == SL_BATCH_EVENT_COUNT_MAX)) {
		if (!sl_lane_make_room(lane, run_bytes, receive_ns))
			goto refuse;
#ifdef SL_FAULTS
		if (lane->last_kind == SL_BATCH_CHECKPOINT &&
			sl_fault_breaks(SL_FAULT_LOSE_AT_ROLL))
			return true;
#endif
	}
	if (sl_unlikely(partition->keep_source) &&
		!put_source(lane, event, run_bytes, receive_ns, &source))
		goto refuse;
	delta_ns = time_delta(lane, receive_ns);
	count_in_table(lane, partition, event->partition);
	// By a copy of the cursor: through the lane each event would wait for the last one's
	// stores, which may be to the lane for all that the compiler knows.
	run = lane->cursor;
	put_run_header(run, SL_RUN_EVENT, event->payload_bytes, delta_ns, event->partition, source);
	copy_payload(run + sizeof(struct sl_run_header), event->mbuf, event->payload_offset,
		event->payload_bytes);
	lane->cursor = run + run_bytes;
	lane->run_count++;
	lane->event_count++;
	lane->event_bytes += event->payload_bytes;
	return true;

refuse:
	append->counters->drops[lane->refusal]++;
	sl_event_note_gap(append->gaps, event, lane->refusal);
	return false;
}

// What rte_pktmbuf_free_bulk asks of each mbuf, in one comparison: one reference, one segment, its
// own data. Such mbufs go back to their pool as they are; a receiving driver fills in the rest.
static inline bool is_plain_mbuf(const struct rte_mbuf *mbuf, const struct rte_mempool *pool)
{
	const uint64_t attached = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	uint32_t references_and_segments;

	static_assert(offsetof(struct rte_mbuf, nb_segs) == offsetof(struct rte_mbuf, refcnt) + 2,
		"both in one load");
	memcpy(&references_and_segments, (const char *)mbuf + offsetof(struct rte_mbuf, refcnt),
		sizeof(uint32_t));
	return (references_and_segments == 0x00010001) & ((mbuf->ol_flags & attached) == 0) &
		(mbuf->pool == pool);
}

// Held mbufs go cold: they are free again within the burst (docs/architecture.md, "The way of a
// datagram").
static inline void free_mbufs(struct rte_mbuf **mbufs, uint32_t count, bool are_plain)
{
	if (sl_likely(are_plain))
		rte_mempool_put_bulk(mbufs[0]->pool, (void **)mbufs, count);
	else
		rte_pktmbuf_free_bulk(mbufs, count);
}

// All events of a burst count as old as its first: what one ring brings comes in order of arrival.
// Bursts that were received together count as one, whatever rings they come through.
static void start_ages(struct sl_append *append, uint64_t receive_ns)
{
	for (uint32_t i = 0; i < append->lane_count; i++) {
		struct sl_lane *lane = append->lanes[i];

		if (lane == NULL || receive_ns - lane->burst_ns < SL_LANE_AGE_STEP_NS)
			continue;
		sl_lane_note_ages(lane);
		lane->burst_ns = receive_ns;
	}
}

static SL_ALWAYS_INLINE void append_events(struct sl_append *append, const struct sl_event *events,
	uint32_t event_count, bool are_cold)
{
	struct rte_mbuf *mbufs[SL_BURST_COUNT_MAX];
	const struct rte_mempool *pool;
	bool are_plain = true;
	uint32_t appended_count = 0;
	uint32_t lost_count = 0;

#ifdef SL_FAULTS
	lost_count = sl_fault_lose(SL_FAULT_LOSE_BATCH, event_count);
#endif
	for (uint32_t i = 0; are_cold && i < SL_MIN(event_count, (uint32_t)PREFETCH_DISTANCE); i++)
		rte_prefetch0(events[i].mbuf);
	pool = events[0].mbuf->pool;
	start_ages(append, sl_mbuf_receive_ns(events[0].mbuf));
	for (uint32_t i = 0; i < event_count; i++) {
		if (are_cold && i + PREFETCH_DISTANCE < event_count)
			rte_prefetch0(events[i + PREFETCH_DISTANCE].mbuf);
		if (are_cold && i + 1 < event_count)
			rte_prefetch0(rte_pktmbuf_mtod_offset(
				events[i + 1].mbuf, void *, events[i + 1].payload_offset));
		mbufs[i] = events[i].mbuf;
		are_plain &= is_plain_mbuf(events[i].mbuf, pool);
		if (sl_unlikely(lost_count > 0)) {
			lost_count--;
			continue;
		}
		appended_count += append_event(append, &events[i]);
	}
	append->counters->appended += appended_count;
	free_mbufs(mbufs, event_count, are_plain);
}

void sl_append_burst(struct sl_append *append, const struct sl_event *events, uint32_t event_count)
{
	append_events(append, events, event_count, true);
}

void sl_append_direct_burst(
	struct sl_append *append, const struct sl_event *events, uint32_t event_count)
{
	append_events(append, events, event_count, false);
}
