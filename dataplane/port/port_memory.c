/* SPDX-License-Identifier: BSD-3-Clause */
// What a port needs of the pool of mbufs.
#include "config/config.h"
#include "port/device.h"
#include "port/interface.h"
#include "port/port.h"

#define DATA_BYTES_DEFAULT 2048
// The driver keeps that many buffers of each AF_XDP queue with the kernel: in the fill ring, in the
// receive ring, or between them.
#define AF_XDP_BUFFER_COUNT 2048
// Of a buffer the kernel leaves XDP_PACKET_HEADROOM free before the frame; a frame is the MTU, its
// Ethernet header and two VLAN tags.
#define AF_XDP_OVERHEAD_BYTES (256 + 14 + 8)

static bool is_af_xdp(const struct sl_config_port *config, struct sl_device *device)
{
	return sl_device_parse(device, config->device, 0, NULL) == 0 &&
		device->kind == SL_DEVICE_AF_XDP;
}

uint32_t sl_port_mbufs_held(const struct sl_config_port *config, uint32_t queue_count)
{
	struct sl_device device;

	return queue_count *
		(is_af_xdp(config, &device) ? AF_XDP_BUFFER_COUNT : config->rx_descriptors);
}

uint32_t sl_port_data_bytes(const struct sl_config_port *config)
{
	struct sl_device device;
	uint32_t mtu;

	if (!is_af_xdp(config, &device) || sl_interface_read_mtu(device.value, &mtu) != 0)
		return DATA_BYTES_DEFAULT;
	uint32_t data_bytes = SL_ALIGN_UP(mtu + AF_XDP_OVERHEAD_BYTES, SL_CACHE_LINE);
	return SL_MAX(data_bytes, DATA_BYTES_DEFAULT);
}
