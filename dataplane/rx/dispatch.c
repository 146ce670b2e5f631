/* SPDX-License-Identifier: BSD-3-Clause */
#include "rx/dispatch.h"

#include "fault.h"
#include "worker/append.h"
#include "worker/event_source.h"

#include <rte_ring_elem.h>

#include "hotpath.h"

#define SAME_OFFSET(field) \
	(offsetof(struct sl_event, field) == \
		offsetof(struct sl_datagram, field) + offsetof(struct sl_event, payload_offset))
static_assert(SAME_OFFSET(payload_bytes) && SAME_OFFSET(partition) && SAME_OFFSET(l3_offset) &&
		SAME_OFFSET(flags),
	"half of an event is half of a datagram");

static inline struct sl_event make_event(struct rte_mbuf *mbuf, const struct sl_datagram *datagram)
{
	struct sl_event event = {.mbuf = mbuf};

	memcpy(&event.payload_offset, datagram, sizeof(uint64_t));
	return event;
}

static void free_refused(
	struct sl_gap_table *gaps, const struct sl_event *events, uint32_t event_count)
{
	for (uint32_t i = 0; i < event_count; i++) {
		sl_event_note_gap(gaps, &events[i], SL_DROP_RING_FULL);
		rte_pktmbuf_free(events[i].mbuf);
	}
}

static void flush_ring(struct sl_dispatch *dispatch, uint32_t ring)
{
	uint32_t count = dispatch->staged_count[ring];
	struct sl_event *events = dispatch->staged[ring];
	struct sl_shm_ring *shm_ring = &dispatch->shm_rings[ring];
	uint32_t sent_count;

	dispatch->staged_count[ring] = 0;
#ifdef SL_FAULTS
	if (sl_fault_lose(SL_FAULT_LOSE_RING, count) == 1) {
		count--;
		rte_pktmbuf_free(events[count].mbuf);
		shm_ring->enqueued++;
		dispatch->counters->enqueued++;
	}
#endif
	sent_count = rte_ring_sp_enqueue_burst_elem(
		dispatch->rings[ring], events, sizeof(events[0]), count, NULL);
	SL_STORE(shm_ring->enqueued, shm_ring->enqueued + sent_count);
	dispatch->counters->enqueued += sent_count;
	if (sl_unlikely(sent_count < count)) {
		dispatch->counters->drops[SL_DROP_RING_FULL] += count - sent_count;
		free_refused(dispatch->gaps, events + sent_count, count - sent_count);
	}
}

void sl_dispatch_direct(struct sl_dispatch *dispatch, uint32_t count)
{
	struct sl_worker_counters *worker_counters = dispatch->append->counters;

	dispatch->counters->direct += count;
#ifdef SL_FAULTS
	if (sl_fault_lose(SL_FAULT_LOSE_RING, count) == 1)
		rte_pktmbuf_free(dispatch->direct[--count].mbuf);
#endif
	worker_counters->direct += count;
	sl_append_direct_burst(dispatch->append, dispatch->direct, count);
}

uint32_t sl_dispatch_burst(struct sl_dispatch *dispatch, struct sl_burst *burst)
{
	const struct sl_steer_table *steer = dispatch->steer;
	uint8_t touched[SL_BURST_COUNT_MAX];
	uint32_t touched_count = 0;
	uint32_t direct_count = 0;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < burst->count; i++) {
		const struct sl_datagram *datagram = &burst->datagrams[i];
		struct sl_event event = make_event(burst->mbufs[i], datagram);
		uint8_t worker;

		bytes += datagram->payload_bytes;
		sl_mbuf_set_receive_ns(event.mbuf, burst->receive_ns);
		worker = steer->worker_by_partition[event.partition];
		if (worker == dispatch->own_worker) {
			dispatch->direct[direct_count++] = event;
		} else {
			if (dispatch->staged_count[worker] == 0)
				touched[touched_count++] = worker;
			dispatch->staged[worker][dispatch->staged_count[worker]++] = event;
		}
	}
	dispatch->counters->events += burst->count;
	dispatch->counters->event_bytes += bytes;
	for (uint32_t i = 0; i < touched_count; i++)
		flush_ring(dispatch, touched[i]);
	return direct_count;
}

bool sl_dispatch_send_marker(struct sl_dispatch *dispatch, uint64_t id)
{
	const struct sl_event marker = {
		.mbuf = (struct rte_mbuf *)(uintptr_t)id, .flags = SL_EVENT_MARKER};
	bool all_sent = true;

	for (uint32_t ring = 0; ring < dispatch->steer->ring_count; ring++) {
		struct sl_shm_ring *shm_ring = &dispatch->shm_rings[ring];

		if (dispatch->rings[ring] == NULL || shm_ring->marker_sent == id)
			continue;
		if (rte_ring_sp_enqueue_elem(dispatch->rings[ring], (void *)(uintptr_t)&marker,
			    sizeof(marker)) != 0) {
			all_sent = false;
			continue;
		}
		SL_STORE(shm_ring->enqueued_at_marker, shm_ring->enqueued);
		SL_STORE_RELEASE(shm_ring->marker_sent, id);
	}
	return all_sent;
}
