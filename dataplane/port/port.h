/* SPDX-License-Identifier: BSD-3-Clause */
// Ports: any DPDK ethdev, opened from its configured device string, with its mempool, queues, RSS
// and ledger. Thread rule: everything here runs on the main lcore; RX lcores call rte_eth_rx_burst
// with what sl_port names.
#pragma once

#include "base.h"
#include "err.h"
#include "limits.h"
#include "shm.h"

struct rte_mempool;
struct sl_config;
struct sl_config_port;
struct sl_xdp;
struct sl_xsk_stats;

struct sl_port {
	const struct sl_config_port *config;
	uint16_t port_id;
	uint16_t queue_count;
	enum sl_ledger_class ledger;
	char interface[32]; // kernel interface of af_xdp, or ""
	struct sl_xdp *xdp; // af_xdp: our XDP program on it, else NULL
	struct sl_xsk_stats *xsk_stats; // af_xdp: the sockets' own counters, else NULL
};

// Before rte_eal_init: writes the --vdev or -a argument that brings the device up, and checks what
// can be checked (interface exists, file readable, socket's directory writable, stale XDP program
// of ours detached). index numbers vdevs. Returns 0 or a negative errno with err naming the config
// line, the value and the remedy.
int sl_port_devargs(const struct sl_config_port *config, uint32_t index, char *argument,
	size_t argument_bytes, struct sl_err *err);

// After rte_eal_init: configures and starts the device with queue_count RX queues (or fewer, if the
// device has not as many: see port->queue_count), RSS over the UDP 4-tuple with a random key where
// it has it. For af_xdp nothing is redirected yet.
int sl_port_open(struct sl_port *port, const struct sl_config_port *config, uint32_t index,
	uint32_t queue_count, struct rte_mempool *mempool, struct sl_err *err);

// Lets datagrams for these UDP ports in (af_xdp: writes the XDP maps and switches the redirect on;
// others: sets link up).
int sl_port_admit(struct sl_port *port, const uint16_t *udp_ports, uint32_t udp_port_count,
	struct sl_err *err);

// Switches the redirect off, so that the kernel gets what comes from now on; ports without XDP: no
// effect. Idempotent.
void sl_port_refuse(struct sl_port *port);

// Copies the device's, the XDP program's and the sockets' counters into the shared memory.
void sl_port_publish(const struct sl_port *port, struct sl_shm_port *shm_port);

// Stops and closes the device, detaches our XDP program. Legal on a zeroed port.
void sl_port_close(struct sl_port *port);
