/* SPDX-License-Identifier: BSD-3-Clause */
// One turn of the RX side. The stages are called here and nowhere else.
#include "lap.h"
#include "lcore.h"
#include "rx/parse.h"
#include "rx/steer.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "hotpath.h"

// Full bursts of a queue that one turn takes: what a turn costs besides (clocks, completions,
// lanes, heartbeat) is shared by so many, and completions wait for them, some 16 us at 64-byte
// frames.
#define BURSTS_PER_TURN 4

// The frames' headers are asked for while they are counted: all at once, because what a driver has
// not copied lies in another core's cache.
static void count_frames(struct sl_rx *rx, uint32_t port_index, uint32_t frame_count)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < frame_count; i++) {
		const struct rte_mbuf *mbuf = rx->burst.mbufs[i];

		rte_prefetch0(rte_pktmbuf_mtod(mbuf, void *));
		bytes += rte_pktmbuf_pkt_len(mbuf);
	}
	rx->counters->frames += frame_count;
	rx->counters->port_frames[port_index] += frame_count;
	rx->counters->frame_bytes += bytes;
	rx->counters->bursts++;
}

// Inlined twice, once with NULL for cycles: there the laps fold away, not an instruction is left of
// them.
static SL_ALWAYS_INLINE uint32_t receive_and_hand_on(
	struct sl_rx *rx, const struct sl_rx_queue *queue, struct sl_lcore_cycles *cycles)
{
	struct sl_burst *burst = &rx->burst;
	uint64_t lap_tsc = sl_lap_start(cycles);
	uint32_t frame_count =
		rte_eth_rx_burst(queue->port_id, queue->queue_id, burst->mbufs, SL_BURST_COUNT_MAX);
	uint32_t direct_count;

	if (frame_count == 0) {
		sl_lap(cycles, SL_TIMED_RECEIVE_EMPTY, 1, &lap_tsc);
		return 0;
	}
	burst->count = frame_count;
	burst->dead_count = 0;
	burst->receive_ns = sl_clock_now_ns(rx->clock);
	count_frames(rx, queue->port_index, frame_count);
	sl_lap(cycles, SL_TIMED_RECEIVE, frame_count, &lap_tsc);
	SL_STORE(*rx->stage, SL_STAGE_PARSE);
	sl_parse_burst(rx->parse, burst, rx->counters);
	if (burst->dead_count > 0)
		rte_pktmbuf_free_bulk(burst->dead, burst->dead_count);
	sl_lap(cycles, SL_TIMED_PARSE, frame_count, &lap_tsc);
	SL_STORE(*rx->stage, SL_STAGE_STEER);
	sl_steer_burst(rx->dispatch.steer, burst);
	sl_lap(cycles, SL_TIMED_STEER, burst->count, &lap_tsc);
	direct_count = sl_dispatch_burst(&rx->dispatch, burst);
	sl_lap(cycles, SL_TIMED_DISPATCH, burst->count, &lap_tsc);
	if (direct_count > 0) {
		SL_STORE(*rx->stage, SL_STAGE_APPEND);
		sl_dispatch_direct(&rx->dispatch, direct_count);
		sl_lap(cycles, SL_TIMED_APPEND, direct_count, &lap_tsc);
	}
	SL_STORE(*rx->stage, SL_STAGE_RECEIVE);
	return frame_count;
}

static SL_ALWAYS_INLINE uint32_t turn(struct sl_rx *rx, struct sl_lcore_cycles *cycles)
{
	uint32_t frame_count = 0;

	SL_STORE(*rx->stage, SL_STAGE_RECEIVE);
	rx->has_more = false;
	for (uint32_t i = 0; i < rx->queue_count; i++) {
		uint32_t burst_count = 0, taken_count;

		do {
			taken_count = receive_and_hand_on(rx, &rx->queues[i], cycles);
			frame_count += taken_count;
		} while (taken_count == SL_BURST_COUNT_MAX && ++burst_count < BURSTS_PER_TURN);
		rx->has_more |= taken_count == SL_BURST_COUNT_MAX;
	}
	rx->counters->turns++;
	sl_lap_publish_elapsed(cycles);
	return frame_count;
}

uint32_t sl_rx_turn(struct sl_rx *rx)
{
	return turn(rx, NULL);
}

uint32_t sl_rx_turn_timed(struct sl_rx *rx)
{
	return turn(rx, rx->cycles);
}
