/* SPDX-License-Identifier: BSD-3-Clause */
// A port and nothing else: opens --device through the data plane's own code, receives and counts.
// Says what its pool of mbufs costs, then "ready" once admitted; after that signals drive it:
// SIGUSR1 prints the counters as a line of JSON, SIGUSR2 stop or go on receiving, SIGTERM refuse,
// drain, close.
#include "config/config.h"
#include "port/eal.h"
#include "port/mempool.h"
#include "port/port.h"

#include <getopt.h>
#include <inttypes.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_COUNT 32
#define MBUF_COUNT 16384

static volatile sig_atomic_t print_requests, pause_requests, stop_requested;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		print_requests++;
	else if (number == SIGUSR2)
		pause_requests++;
	else
		stop_requested = 1;
}

// Of EAL's memory, on all sockets.
static size_t heap_bytes(void)
{
	struct rte_malloc_socket_stats stats;
	size_t bytes = 0;

	for (unsigned i = 0; i < rte_socket_count(); i++) {
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
			bytes += stats.heap_allocsz_bytes;
	}
	return bytes;
}

static uint64_t receive(const struct sl_port *port)
{
	struct rte_mbuf *mbufs[BURST_COUNT];
	uint64_t frames = 0;

	for (uint16_t queue = 0; queue < port->queue_count; queue++) {
		uint16_t count = rte_eth_rx_burst(port->port_id, queue, mbufs, BURST_COUNT);

		rte_pktmbuf_free_bulk(mbufs, count);
		frames += count;
	}
	return frames;
}

static void print_counters(const struct sl_port *port, uint64_t frames)
{
	struct sl_shm_port shm = {0};

	sl_port_publish(port, &shm);
	printf("{\"frames\":%" PRIu64 ",\"ipackets\":%" PRIu64 ",\"imissed\":%" PRIu64
	       ",\"xdp_redirect\":%" PRIu64 ",\"xdp_pass\":%" PRIu64 ",\"xsk_ring_full\":%" PRIu64
	       ",\"xsk_fill_empty\":%" PRIu64 ",\"xsk_rx_dropped\":%" PRIu64
	       ",\"xsk_in_ring\":%" PRIu64 ",\"interface_rx_packets\":%" PRIu64
	       ",\"ledger\":%u,\"queues\":%u}\n",
		frames, shm.ipackets, shm.imissed, shm.xdp_redirect, shm.xdp_pass,
		shm.xsk_ring_full, shm.xsk_fill_empty, shm.xsk_rx_dropped, shm.xsk_in_ring,
		shm.interface_rx_packets, shm.ledger, shm.queue_count);
	fflush(stdout);
}

static uint64_t run(const struct sl_port *port)
{
	sig_atomic_t printed = 0;
	uint64_t frames = 0;

	while (!stop_requested) {
		if (pause_requests % 2 == 0)
			frames += receive(port);
		if (printed != print_requests) {
			printed = print_requests;
			print_counters(port, frames);
		}
	}
	return frames;
}

static int probe(const struct sl_config_port *config, uint16_t udp_port, struct sl_err *err)
{
	static char argument[SL_EAL_ARGUMENT_BYTES_MAX];
	struct sl_port port = {0};
	uint32_t data_bytes = sl_port_data_bytes(config);
	struct sl_eal_config eal = {
		.program = "port_probe",
		.lcores = {{0, 0}},
		.lcore_count = 1,
		.device_arguments = {argument},
		.device_count = 1,
		.memory_mib = (uint32_t)(sl_mempool_bytes(MBUF_COUNT, data_bytes) / SL_MIB) + 16,
	};
	int rc = sl_port_devargs(config, 0, 1, argument, sizeof(argument), err);

	if (rc == 0)
		rc = sl_eal_init(&eal, err);
	if (rc != 0)
		return rc;
	size_t before_bytes = heap_bytes();
	struct rte_mempool *mempool = sl_mempool_create("probe", MBUF_COUNT, data_bytes, err);
	size_t pool_bytes = heap_bytes() - before_bytes;
	rc = mempool == NULL ? err->code : sl_port_open(&port, config, 0, 1, mempool, err);
	if (rc == 0)
		rc = sl_port_admit(&port, &udp_port, 1, err);
	if (rc == 0) {
		printf("pool_bytes %zu announced_bytes %" PRIu64 "\nready\n", pool_bytes,
			sl_mempool_bytes(MBUF_COUNT, data_bytes));
		fflush(stdout);
		uint64_t frames = run(&port);
		sl_port_refuse(&port);
		do
			frames += receive(&port);
		while (port.xdp != NULL && sl_port_pending(&port) > 0);
		print_counters(&port, frames);
	}
	sl_port_close(&port);
	sl_eal_fini();
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"device", required_argument, NULL, 'd'},
		{"udp-port", required_argument, NULL, 'p'},
		{0},
	};
	struct sl_config_port config = {.rx_descriptors = 4096, .line = 1};
	struct sl_err err = {0};
	uint16_t udp_port = 5000;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			config.device = optarg;
		else if (option == 'p')
			udp_port = (uint16_t)atoi(optarg);
		else
			return 2;
	}
	if (config.device == NULL)
		return 2;
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	signal(SIGTERM, on_signal);
	if (probe(&config, udp_port, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return 1;
}
