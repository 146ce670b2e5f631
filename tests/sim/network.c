/* SPDX-License-Identifier: BSD-3-Clause */
#include "network.h"

#include "oracle.h"
#include "sim.h"
#include "task.h"
#include "worker/append.h"
#include "wrap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <rte_mempool.h>
#include <rte_ring_elem.h>
#include <string.h>

#define MBUF_COUNT 2048
#define ROOM_BYTES 2048
#define L3_OFFSET 14
#define PAYLOAD_OFFSET (L3_OFFSET + sizeof(struct ip) + sizeof(struct udphdr))
#define BURST_COUNT_MAX 40

static struct rte_mbuf mbufs[MBUF_COUNT];
static char rooms[MBUF_COUNT][ROOM_BYTES];
static bool is_held[MBUF_COUNT];
static uint32_t held_count, next_mbuf;
static struct rte_mempool pool;
static bool is_pool_made;
static uint64_t next_id;

void sl_append_burst_real(struct sl_append *append, const struct sl_event *events,
	uint32_t event_count) __asm__("__real_sl_append_burst");

// ---- mbufs

static struct rte_mbuf *take_mbuf(uint32_t bytes)
{
	while (is_held[next_mbuf])
		next_mbuf = (next_mbuf + 1) % MBUF_COUNT;
	is_held[next_mbuf] = true;
	held_count++;
	memset(&mbufs[next_mbuf], 0, sizeof(mbufs[0]));
	mbufs[next_mbuf].pool = &pool;
	mbufs[next_mbuf].buf_addr = rooms[next_mbuf];
	mbufs[next_mbuf].buf_len = ROOM_BYTES;
	mbufs[next_mbuf].refcnt = 1;
	mbufs[next_mbuf].nb_segs = 1;
	mbufs[next_mbuf].data_len = (uint16_t)bytes;
	mbufs[next_mbuf].pkt_len = bytes;
	return &mbufs[next_mbuf];
}

static int give_back(struct rte_mempool *from SL_UNUSED, void *const *freed, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		size_t index = (size_t)((struct rte_mbuf *)freed[i] - mbufs);

		if (index >= MBUF_COUNT || !is_held[index]) {
			sim_fail("what is freed is no mbuf that was received, or was freed before");
			return 0;
		}
		is_held[index] = false;
		held_count--;
	}
	return 0;
}

static unsigned int count_none(const struct rte_mempool *of SL_UNUSED)
{
	return 0;
}

static int allocate_pool(struct rte_mempool *made SL_UNUSED)
{
	return 0;
}

static int take_none(
	struct rte_mempool *from SL_UNUSED, void **taken SL_UNUSED, unsigned int count SL_UNUSED)
{
	return -ENOENT;
}

// A pool without EAL: the product only gives back.
static void make_pool(void)
{
	static const struct rte_mempool_ops ops = {
		.name = "sim",
		.alloc = allocate_pool,
		.enqueue = give_back,
		.dequeue = take_none,
		.get_count = count_none,
	};

	if (is_pool_made)
		return;
	is_pool_made = true;
	pool.ops_index = rte_mempool_register_ops(&ops);
}

void sim_network_begin(void)
{
	make_pool();
	next_id = 0;
}

void sim_network_reset(void)
{
	memset(is_held, 0, sizeof(is_held));
	held_count = 0;
	next_mbuf = 0;
}

uint32_t sim_network_held_count(void)
{
	return held_count;
}

// A datagram in one mbuf, or in two when it is long or by chance.
static struct rte_mbuf *make_datagram(uint64_t id, uint32_t payload_bytes)
{
	static char payload[64 * 1024];
	uint32_t room = ROOM_BYTES - PAYLOAD_OFFSET - 64;
	uint32_t first_bytes = SL_MIN(payload_bytes, room);
	struct rte_mbuf *first, *last;
	char *frame;

	if (sim_chance(50))
		first_bytes = (uint32_t)sim_below(first_bytes + 1);
	sim_event_fill(payload, payload_bytes, id);
	first = last = take_mbuf((uint32_t)PAYLOAD_OFFSET + first_bytes);
	frame = first->buf_addr;
	memset(frame, 0, PAYLOAD_OFFSET);
	frame[L3_OFFSET] = 0x45;
	((struct ip *)(frame + L3_OFFSET))->ip_src.s_addr = htonl(0x0a000000 | (id & 0xff));
	memcpy(frame + PAYLOAD_OFFSET, payload, first_bytes);
	for (uint32_t done = first_bytes; done < payload_bytes;) {
		uint32_t bytes = SL_MIN(payload_bytes - done, ROOM_BYTES);

		last->next = take_mbuf(bytes);
		last = last->next;
		memcpy(last->buf_addr, payload + done, bytes);
		first->nb_segs++;
		first->pkt_len += bytes;
		done += bytes;
	}
	return first;
}

static uint32_t draw_payload_bytes(const struct sim_network *network)
{
	uint32_t kind = (uint32_t)sim_below(100);

	if (kind < 70)
		return (uint32_t)sim_between(SIM_EVENT_BYTES_MIN, 120);
	if (kind < 95)
		return (uint32_t)sim_between(SIM_EVENT_BYTES_MIN, 1500);
	return (uint32_t)sim_between(SIM_EVENT_BYTES_MIN, network->payload_bytes_max);
}

static void send_event(struct sim_network *network)
{
	uint16_t partition = (uint16_t)sim_below(network->partition_count);
	struct sl_worker *worker = &network->workers[network->worker_by_partition[partition]];
	uint32_t payload_bytes = draw_payload_bytes(network);
	struct sl_event event = {
		.payload_offset = PAYLOAD_OFFSET,
		.payload_bytes = (uint16_t)payload_bytes,
		.partition = partition,
		.l3_offset = L3_OFFSET,
	};

	if (rte_ring_full(worker->rings[0].ring) || held_count + 32 > MBUF_COUNT)
		return;
	event.mbuf = make_datagram(++next_id, payload_bytes);
	sl_mbuf_set_receive_ns(event.mbuf, sim_now_ns());
	rte_ring_sp_enqueue_elem(worker->rings[0].ring, &event, sizeof(event));
	network->sent_count++;
}

void *sim_network_run(void *argument)
{
	struct sim_network *network = argument;
	uint64_t pause_us_max = sim_chance(500) ? 50 : 1000;

	for (uint32_t left = network->event_count; left > 0;) {
		uint32_t burst = (uint32_t)sim_between(1, SL_MIN(left, (uint32_t)BURST_COUNT_MAX));

		for (uint32_t i = 0; i < burst; i++)
			send_event(network);
		left -= burst;
		sim_task_wake_idle();
		sim_task_sleep(sim_between(1, pause_us_max) * SL_NS_PER_US);
	}
	// Time enough for a mark of an idle lane.
	if (sim_chance(100))
		sim_task_sleep(1500 * SL_NS_PER_MS);
	return NULL;
}

// ---- what is appended: one event at a time, so that the counters say of each what became of it

SIM_WRAP(void, sl_append_burst, struct sl_append *append, const struct sl_event *events,
	uint32_t event_count)
{
	for (uint32_t i = 0; i < event_count; i++) {
		uint64_t appended = append->counters->appended;
		char head[SIM_EVENT_BYTES_MIN];
		const void *id = rte_pktmbuf_read(
			events[i].mbuf, events[i].payload_offset, sizeof(head), head);
		uint64_t event_id = sim_event_id(id);

		sl_append_burst_real(append, &events[i], 1);
		if (append->counters->appended > appended)
			sim_oracle_append(events[i].partition, event_id, events[i].payload_bytes);
	}
}
