/* SPDX-License-Identifier: BSD-3-Clause */
// Any DPDK device: frames written into mbufs by the burst (events from templates, or those of a
// capture file), and offered until the device takes them.
#include "load/dpdk_device.h"
#include "load/dpdk_fill.h"
#include "load/dpdk_frames.h"
#include "load/memif_ring.h"
#include "load/pcap_file.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_QUIET_MS 1000u // without any progress

struct sl_transport {
	struct sl_frames frames; // the sending thread's hot state
	struct sl_dpdk_device device;
	struct sl_fill fill;
	const struct sl_memif_ring *ring;
	const volatile sig_atomic_t *stop;
	const char *name;
	uint64_t undelivered_count;
	bool is_silent; // its driver does not say what the receiver has taken
};

static void dpdk_close(struct sl_transport *transport)
{
	if (transport == NULL)
		return;
	sl_memif_ring_close(transport->ring);
	sl_fill_fini(&transport->fill);
	sl_dpdk_device_close(&transport->device);
	free(transport);
}

static int open_device(struct sl_transport *transport, const struct sl_transport_config *config,
	struct sl_fill_config *fill, struct sl_err *err)
{
	const struct sl_device_config *device = config->device;
	uint32_t frame_bytes_max = device->replay != NULL
		? device->replay->frame_bytes_max
		: SL_FRAME_HEADER_BYTES + device->payload->bytes;
	int rc =
		sl_dpdk_device_open(&transport->device, device, frame_bytes_max, config->stop, err);

	if (rc != 0)
		return rc;
	if (transport->device.is_memif_client)
		transport->ring = sl_memif_ring_open();
	if (device->replay == NULL) {
		if (device->source_mac == NULL)
			memcpy(fill->source_mac, transport->device.mac, 6);
		if (sl_fill_init(&transport->fill, fill) != 0)
			return sl_err_set(err, -ENOMEM, "no memory for the templates");
	}
	transport->frames = (struct sl_frames){
		.port_id = transport->device.port_id,
		.pool = transport->device.pool,
		.fill = &transport->fill,
		.replay = device->replay,
		.stop = config->stop,
	};
	return 0;
}

static int dpdk_open(struct sl_transport **transport_out, const struct sl_transport_config *config,
	struct sl_err *err)
{
	struct sl_fill_config fill = {0};
	struct sl_transport *transport;
	int rc = config->device->replay != NULL ? 0 : sl_fill_config_make(&fill, config, err);

	if (rc != 0)
		return rc;
	transport = aligned_alloc(SL_CACHE_LINE, SL_ALIGN_UP(sizeof(*transport), SL_CACHE_LINE));
	if (transport == NULL)
		return sl_err_set(err, -ENOMEM, "no memory");
	*transport = (struct sl_transport){.stop = config->stop, .name = config->device->device};
	rc = open_device(transport, config, &fill, err);
	if (rc != 0) {
		dpdk_close(transport);
		return rc;
	}
	*transport_out = transport;
	return 0;
}

static int dpdk_send(struct sl_transport *transport, uint64_t first_sequence, uint64_t sent_ns,
	uint32_t count, struct sl_err *err)
{
	uint32_t sent = sl_frames_send(&transport->frames, first_sequence, sent_ns, count);

	if (sent == 0 && !*transport->stop && !sl_dpdk_device_link_is_up(&transport->device))
		return sl_err_set(
			err, -ENOLINK, "--device %s: the other end has closed it", transport->name);
	return (int)sent;
}

// Frames that the receiver has not taken: in memif's ring, or in mbufs that the driver still holds.
// A driver that frees mbufs only to send more (virtio) holds those of frames that are long taken.
static uint32_t pending(struct sl_transport *transport)
{
	if (transport->ring != NULL)
		return sl_memif_ring_pending(transport->ring);
	transport->is_silent = rte_eth_tx_done_cleanup(transport->device.port_id, 0, 0) == -ENOTSUP;
	return rte_mempool_in_use_count(transport->device.pool);
}

static void dpdk_drain(struct sl_transport *transport)
{
	uint32_t left = pending(transport), quiet_ms = 0;

	while (left != 0 && quiet_ms < DRAIN_QUIET_MS &&
		sl_dpdk_device_link_is_up(&transport->device)) {
		uint32_t before = left;

		rte_delay_us_sleep(1000);
		left = pending(transport);
		quiet_ms = left == before ? quiet_ms + 1 : 0;
	}
	transport->is_silent &= left != 0;
	transport->undelivered_count = transport->is_silent ? 0 : left;
}

static void dpdk_report(const struct sl_transport *transport, struct sl_transport_report *report)
{
	const struct sl_frames *frames = &transport->frames;

	*report = (struct sl_transport_report){
		.gso_reason = "a device, no socket",
		.call_count = frames->call_count,
		.retry_count = frames->retry_count,
		.frame_bytes = frames->frame_bytes,
		.undelivered_count = transport->undelivered_count,
		.undelivered_unknown = transport->is_silent,
		.fill_cycles = frames->fill_cycles,
		.send_cycles = frames->send_cycles,
	};
}

const struct sl_transport_ops sl_transport_dpdk = {
	.name = "dpdk",
	.open = dpdk_open,
	.send = dpdk_send,
	.drain = dpdk_drain,
	.report = dpdk_report,
	.close = dpdk_close,
};
