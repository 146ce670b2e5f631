/* SPDX-License-Identifier: BSD-3-Clause */
// One turn of the RX side. The stages are called here and nowhere else.
#include "lcore.h"
#include "rx/parse.h"
#include "rx/steer.h"

#include <rte_ethdev.h>

#include "hotpath.h"

static void count_frames(struct sl_rx *rx, uint32_t port_index, uint32_t frame_count)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < frame_count; i++)
		bytes += rte_pktmbuf_pkt_len(rx->burst.mbufs[i]);
	rx->counters->frames += frame_count;
	rx->counters->port_frames[port_index] += frame_count;
	rx->counters->frame_bytes += bytes;
	rx->counters->bursts++;
}

static uint32_t receive_and_hand_on(struct sl_rx *rx, const struct sl_rx_queue *queue)
{
	struct sl_burst *burst = &rx->burst;
	uint32_t frame_count =
		rte_eth_rx_burst(queue->port_id, queue->queue_id, burst->mbufs, SL_BURST_COUNT_MAX);

	if (frame_count == 0)
		return 0;
	burst->count = frame_count;
	burst->dead_count = 0;
	burst->receive_ns = sl_clock_now_ns(rx->clock);
	SL_STORE(*rx->stage, SL_STAGE_PARSE);
	count_frames(rx, queue->port_index, frame_count);
	sl_parse_burst(rx->parse, burst, rx->counters);
	SL_STORE(*rx->stage, SL_STAGE_STEER);
	sl_steer_burst(rx->dispatch.steer, burst);
	sl_dispatch_burst(&rx->dispatch, burst);
	if (burst->dead_count > 0)
		rte_pktmbuf_free_bulk(burst->dead, burst->dead_count);
	SL_STORE(*rx->stage, SL_STAGE_RECEIVE);
	return frame_count;
}

uint32_t sl_rx_turn(struct sl_rx *rx)
{
	uint32_t frame_count = 0;

	SL_STORE(*rx->stage, SL_STAGE_RECEIVE);
	for (uint32_t i = 0; i < rx->queue_count; i++)
		frame_count += receive_and_hand_on(rx, &rx->queues[i]);
	rx->counters->turns++;
	return frame_count;
}
