/* SPDX-License-Identifier: BSD-3-Clause */
// What a port has counted, from all who count: device, XDP program, sockets, kernel.
#include "config/config.h"
#include "loader.h"
#include "port/interface.h"
#include "port/port.h"
#include "port/xsk_stats.h"

#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

uint64_t sl_port_pending(const struct sl_port *port)
{
	uint64_t pending = 0;

	if (port->xsk_stats != NULL)
		return sl_xsk_stats_in_ring(port->xsk_stats);
	for (uint16_t i = 0; i < port->queue_count; i++) {
		int count = rte_eth_rx_queue_count(port->port_id, i);

		if (count > 0) // many drivers cannot say
			pending += (uint64_t)count;
	}
	return pending;
}

static void publish_device(const struct sl_port *port, struct sl_shm_port *shm_port)
{
	struct rte_ether_addr mac = {0};
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	snprintf(shm_port->device, sizeof(shm_port->device), "%s", port->config->device);
	snprintf(shm_port->interface, sizeof(shm_port->interface), "%s", port->interface);
	if (rte_eth_macaddr_get(port->port_id, &mac) == 0)
		memcpy(shm_port->mac, mac.addr_bytes, sizeof(shm_port->mac));
	SL_STORE(shm_port->queue_count, port->queue_count);
	SL_STORE(shm_port->ledger, (uint32_t)port->ledger);
	if (rte_eth_link_get_nowait(port->port_id, &link) == 0)
		SL_STORE(shm_port->link_up, (uint32_t)link.link_status);
	if (rte_eth_stats_get(port->port_id, &stats) != 0)
		return;
	SL_STORE(shm_port->ipackets, stats.ipackets);
	// What af_xdp calls missed is a part of what the socket counts, below and by reason.
	SL_STORE(shm_port->imissed, port->xsk_stats == NULL ? stats.imissed : 0);
	SL_STORE(shm_port->ierrors, stats.ierrors);
	SL_STORE(shm_port->rx_nombuf, stats.rx_nombuf);
}

static void publish_sockets(const struct sl_port *port, struct sl_shm_port *shm_port)
{
	struct sl_xsk_counters xsk;

	if (sl_xsk_stats_read(port->xsk_stats, &xsk) != 0)
		return;
	SL_STORE(shm_port->xsk_ring_full, xsk.ring_full);
	SL_STORE(shm_port->xsk_fill_empty, xsk.fill_empty);
	SL_STORE(shm_port->xsk_rx_dropped, xsk.rx_dropped);
	SL_STORE(shm_port->xsk_in_ring, xsk.in_ring);
}

static void publish_xdp(const struct sl_port *port, struct sl_shm_port *shm_port)
{
	struct sl_interface_counters interface;
	struct sl_xdp_verdicts verdicts;

	if (sl_xdp_read_verdicts(port->xdp, &verdicts) == 0) {
		SL_STORE(shm_port->xdp_redirect, verdicts.redirect);
		SL_STORE(shm_port->xdp_pass,
			verdicts.pass + verdicts.pass_off + verdicts.pass_no_socket);
	}
	if (sl_interface_read_counters(port->interface, &interface) == 0) {
		SL_STORE(shm_port->interface_rx_packets,
			interface.rx_packets - port->interface_rx_packets_base);
		SL_STORE(shm_port->interface_rx_dropped,
			interface.rx_dropped - port->interface_rx_dropped_base);
	}
}

void sl_port_publish(const struct sl_port *port, struct sl_shm_port *shm_port)
{
	// Against the way of a frame: one that moves on meanwhile is counted twice, never not at
	// all, which is what the ranges of common/ledger.h stand on.
	if (port->xdp != NULL)
		publish_sockets(port, shm_port);
	publish_device(port, shm_port);
	if (port->xdp != NULL)
		publish_xdp(port, shm_port);
}
