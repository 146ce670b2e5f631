/* SPDX-License-Identifier: BSD-3-Clause */
// A configured device string, taken apart. Thread rule: none, there is no state here.
#pragma once

#include "base.h"
#include "err.h"

enum sl_device_kind {
	SL_DEVICE_AF_XDP, // af_xdp:INTERFACE
	SL_DEVICE_MEMIF, // memif:SOCKET
	SL_DEVICE_MEMIF_CLIENT, // memif-client:SOCKET
	SL_DEVICE_PCAP, // pcap:FILE
	SL_DEVICE_PCI, // [DOMAIN:]BUS:DEVICE.FUNCTION[,OPTIONS]
	SL_DEVICE_VDEV, // any other: the devargs of a virtual device of DPDK
};

#define SL_DEVICE_NAME_BYTES_MAX 64 // RTE_ETH_NAME_MAX_LEN, with the terminating zero

struct sl_device {
	enum sl_device_kind kind;
	const char *value; // behind the prefix; of a PCI or virtual device the whole string
	char name[SL_DEVICE_NAME_BYTES_MAX]; // by which rte_eth_dev_get_port_by_name finds it
};

// index numbers the port, so that names of virtual devices do not collide. device->value points
// into text. Returns 0 or -EINVAL with err.
int sl_device_parse(struct sl_device *device, const char *text, uint32_t index, struct sl_err *err);
