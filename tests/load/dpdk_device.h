/* SPDX-License-Identifier: BSD-3-Clause */
// A DPDK device to send through: EAL, the port, its mbufs. Thread rule: main thread, which becomes
// the lcore that sends.
#pragma once

#include "base.h"
#include "err.h"
#include "load/transport.h"

struct rte_mempool;

// Mbufs that a transmit ring may hold back, a cache, and the burst being filled.
#define SL_DPDK_TX_DESCRIPTORS 1024u
#define SL_DPDK_MBUF_COUNT 2047u

struct sl_dpdk_device {
	uint16_t port_id;
	bool is_open, eal_is_ours;
	bool is_memif_client, is_memif_server;
	uint8_t mac[6];
	struct rte_mempool *pool; // what is sent
	struct rte_mempool *receive_pool; // drivers want a receive queue
};

// Starts EAL when it is not running, brings the device up and waits until its link is up (or
// *stop). frame_bytes_max is without FCS. Returns 0, or a negative errno with err filled: -EINVAL
// for what the user wrote wrong.
int sl_dpdk_device_open(struct sl_dpdk_device *device, const struct sl_device_config *config,
	uint32_t frame_bytes_max, const volatile sig_atomic_t *stop, struct sl_err *err);

bool sl_dpdk_device_link_is_up(const struct sl_dpdk_device *device);

// Idempotent, legal on a zeroed struct.
void sl_dpdk_device_close(struct sl_dpdk_device *device);
