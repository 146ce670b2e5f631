/* SPDX-License-Identifier: BSD-3-Clause */
// hot: nothing between a sequence and the device but the fill
#include "load/dpdk_frames.h"

#include "load/dpdk_fill.h"
#include "load/pcap_file.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <string.h>

#include "hotpath.h"

// Offers without room in a row, each with a pause of some 40 to 140 cycles.
#define OFFER_COUNT_MAX 10000u

static void replay_burst(
	const struct sl_pcap_file *replay, uint64_t first, struct rte_mbuf **mbufs, uint32_t count)
{
	uint64_t index = first % replay->frame_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct sl_pcap_frame *frame = &replay->frames[index];

		memcpy(rte_pktmbuf_mtod(mbufs[i], void *), frame->data, frame->bytes);
		mbufs[i]->data_len = (uint16_t)frame->bytes;
		mbufs[i]->pkt_len = frame->bytes;
		index = index + 1 == replay->frame_count ? 0 : index + 1;
	}
}

// What is not taken is freed: it is built anew, with a later time, when it is asked for again.
static uint32_t offer(struct sl_frames *frames, struct rte_mbuf **mbufs, uint32_t count)
{
	uint32_t taken = 0, refused_in_a_row = 0;

	while (taken < count) {
		uint16_t burst = rte_eth_tx_burst(
			frames->port_id, 0, mbufs + taken, (uint16_t)(count - taken));

		frames->call_count++;
		taken += burst;
		if (sl_likely(taken == count))
			break;
		frames->retry_count++;
		refused_in_a_row = burst == 0 ? refused_in_a_row + 1 : 0;
		if (refused_in_a_row == OFFER_COUNT_MAX || *frames->stop) {
			rte_pktmbuf_free_bulk(mbufs + taken, count - taken);
			break;
		}
		rte_pause();
	}
	return taken;
}

// Returns how many the device took, or 0 without mbufs: it holds them all.
static uint32_t send_burst(
	struct sl_frames *frames, uint64_t first, uint64_t sent_ns, uint32_t count)
{
	struct rte_mbuf *mbufs[SL_FILL_BURST_COUNT_MAX];
	uint16_t lengths[SL_FILL_BURST_COUNT_MAX];
	uint64_t start = rte_rdtsc(), filled, bytes;
	uint32_t taken;

	if (sl_unlikely(rte_pktmbuf_alloc_bulk(frames->pool, mbufs, count) != 0)) {
		frames->retry_count++;
		(void)rte_eth_tx_done_cleanup(frames->port_id, 0, 0);
		return 0;
	}
	if (frames->replay != NULL)
		replay_burst(frames->replay, first, mbufs, count);
	else
		sl_fill_burst(frames->fill, first, sent_ns, mbufs, count);
	// The device frees what it takes.
	for (uint32_t i = 0; i < count; i++)
		lengths[i] = mbufs[i]->data_len;
	filled = rte_rdtsc();
	taken = offer(frames, mbufs, count);
	bytes = taken * (uint64_t)SL_FRAME_FCS_BYTES;
	for (uint32_t i = 0; i < taken; i++)
		bytes += lengths[i];
	frames->frame_bytes += bytes;
	frames->fill_cycles += filled - start;
	frames->send_cycles += rte_rdtsc() - filled;
	return taken;
}

uint32_t sl_frames_send(struct sl_frames *frames, uint64_t first, uint64_t sent_ns, uint32_t count)
{
	uint32_t sent = 0;

	while (sent < count) {
		uint32_t burst = SL_MIN(count - sent, SL_FILL_BURST_COUNT_MAX);
		uint32_t taken = send_burst(frames, first + sent, sent_ns, burst);

		sent += taken;
		if (taken < burst)
			break;
	}
	return sent;
}
