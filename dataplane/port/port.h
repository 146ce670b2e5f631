/* SPDX-License-Identifier: BSD-3-Clause */
// Ports: any DPDK ethdev, opened from its configured device string, with its mempool, queues, RSS
// and ledger. Thread rule: everything here runs on the main lcore; RX lcores call rte_eth_rx_burst
// with what sl_port names. Start: devargs, sl_eal_init, open, admit. Stop: refuse, drain until
// sl_port_pending() is 0, close, sl_eal_fini.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
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
	bool is_open;
	char interface[32]; // kernel interface of af_xdp, or ""
	struct sl_xdp *xdp; // af_xdp: our XDP program on it, else NULL
	struct sl_xsk_stats *xsk_stats; // af_xdp: the sockets' own counters, else NULL
	uint64_t interface_rx_packets_base, interface_rx_dropped_base; // when XDP was attached
};

// Before rte_eal_init: writes the "--vdev=..." or "--allow=..." argument that brings the device up
// with at most queue_count RX queues, and checks what can be checked (interface exists and has one
// kind of channels, file readable, socket's directory writable, stale XDP program of ours
// detached). index numbers vdevs. argument_bytes: SL_EAL_ARGUMENT_BYTES_MAX. Returns 0 or a
// negative errno with err naming the config line, the value and the remedy.
int sl_port_devargs(const struct sl_config_port *config, uint32_t index, uint32_t queue_count,
	char *argument, size_t argument_bytes, struct sl_err *err);

// Room for a frame that the port's mbufs need, in bytes without headroom: 2048, or more for an
// AF_XDP interface with a larger MTU. Before or after rte_eal_init.
uint32_t sl_port_data_bytes(const struct sl_config_port *config);

// The most mbufs that the port's queues hold while nothing is being processed: one term of the
// mempool's sum.
uint32_t sl_port_mbufs_held(const struct sl_config_port *config, uint32_t queue_count);

// After rte_eal_init: configures and starts the device with queue_count RX queues (or fewer, if the
// device has not as many: see port->queue_count), RSS over the UDP 4-tuple with a random key where
// it has it. For af_xdp nothing is redirected yet. index as for sl_port_devargs.
int sl_port_open(struct sl_port *port, const struct sl_config_port *config, uint32_t index,
	uint32_t queue_count, struct rte_mempool *mempool, struct sl_err *err);

// Lets datagrams for these UDP ports in (af_xdp: writes the XDP maps and switches the redirect on;
// others: sets link up).
int sl_port_admit(struct sl_port *port, const uint16_t *udp_ports, uint32_t udp_port_count,
	struct sl_err *err);

// Switches the redirect off, so that the kernel gets what comes from now on; ports without XDP: no
// effect. Idempotent.
void sl_port_refuse(struct sl_port *port);

// Frames that wait in the port's receive rings, as far as the device lets itself be asked; 0 where
// it does not. After sl_port_refuse, an AF_XDP port is drained when this is 0.
uint64_t sl_port_pending(const struct sl_port *port);

// Copies the device's, the XDP program's and the sockets' counters into the shared memory.
void sl_port_publish(const struct sl_port *port, struct sl_shm_port *shm_port);

// Stops and closes the device, detaches our XDP program. No lcore may be receiving. Legal on a
// zeroed port; idempotent.
void sl_port_close(struct sl_port *port);
