/* SPDX-License-Identifier: BSD-3-Clause */
// Ports on devices of DPDK that need nothing from the machine.
#include "config/config.h"
#include "port/eal.h"
#include "port/mempool.h"
#include "port/port.h"

#include "suite.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_BYTES 2048
#define FRAME_COUNT 5
#define FRAME_BYTES 60

static struct sl_err err;

static struct rte_mempool *pool(void)
{
	static struct rte_mempool *mempool;

	if (mempool == NULL)
		mempool = sl_mempool_create("port_test", 4095, DATA_BYTES, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mempool);
	return mempool;
}

// What the data plane does, but for EAL, which is running: the device is plugged in.
static void open_port(struct sl_port *port, const struct sl_config_port *config, uint32_t index,
	uint32_t queue_count)
{
	char argument[SL_EAL_ARGUMENT_BYTES_MAX];

	CU_ASSERT_EQUAL_FATAL(
		sl_port_devargs(config, index, queue_count, argument, sizeof(argument), &err), 0);
	CU_ASSERT_EQUAL_FATAL(strncmp(argument, "--vdev=", 7), 0);
	CU_ASSERT_EQUAL_FATAL(rte_dev_probe(argument + 7), 0);
	CU_ASSERT_EQUAL_FATAL(sl_port_open(port, config, index, queue_count, pool(), &err), 0);
}

static uint32_t receive(const struct sl_port *port, uint32_t count)
{
	struct rte_mbuf *mbufs[32];
	uint16_t received = rte_eth_rx_burst(port->port_id, 0, mbufs, (uint16_t)SL_MIN(count, 32u));

	rte_pktmbuf_free_bulk(mbufs, received);
	return received;
}

static void a_port_has_at_most_the_queues_of_its_device(void)
{
	const struct sl_config_port config = {
		.device = "net_null7,size=64", .rx_descriptors = 512, .line = 1};
	struct sl_shm_port shm = {0};
	struct sl_port port;

	open_port(&port, &config, 0, 2);
	CU_ASSERT_EQUAL(port.queue_count, 2);
	CU_ASSERT_EQUAL(port.ledger, SL_LEDGER_LOWER_BOUND);
	CU_ASSERT_PTR_NULL(port.xdp);
	CU_ASSERT_EQUAL(sl_port_admit(&port, NULL, 0, &err), 0);
	CU_ASSERT_EQUAL(receive(&port, 16), 16);
	sl_port_publish(&port, &shm);
	CU_ASSERT_EQUAL(shm.ipackets, 16);
	CU_ASSERT_EQUAL(shm.queue_count, 2);
	CU_ASSERT_STRING_EQUAL(shm.device, "net_null7,size=64");
	CU_ASSERT_STRING_EQUAL(shm.interface, "");
	sl_port_refuse(&port);
	sl_port_close(&port);
	sl_port_close(&port); // idempotent
	CU_ASSERT_EQUAL(rte_eth_dev_get_port_by_name("net_null7", &port.port_id), -ENODEV);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool()), pool()->size);
}

static void write_capture(const char *path)
{
	const uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, 1};
	const uint8_t frame[FRAME_BYTES] = {0};
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fwrite(header, sizeof(header), 1, file);
	for (uint32_t i = 0; i < FRAME_COUNT; i++) {
		const uint32_t record[4] = {i, 0, FRAME_BYTES, FRAME_BYTES};

		fwrite(record, sizeof(record), 1, file);
		fwrite(frame, sizeof(frame), 1, file);
	}
	fclose(file);
}

static void a_capture_is_replayed_once(void)
{
	char path[] = "/tmp/sluice-port-XXXXXX", device[64];
	const struct sl_config_port config = {.device = device, .rx_descriptors = 512, .line = 1};
	struct sl_shm_port shm = {0};
	struct sl_port port;
	uint32_t received = 0;

	int fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	write_capture(path);
	snprintf(device, sizeof(device), "pcap:%s", path);
	open_port(&port, &config, 4, 3);
	CU_ASSERT_EQUAL(port.queue_count, 1);
	CU_ASSERT_EQUAL(port.ledger, SL_LEDGER_EXACT);
	for (int i = 0; i < 10; i++)
		received += receive(&port, 32);
	CU_ASSERT_EQUAL(received, FRAME_COUNT);
	sl_port_publish(&port, &shm);
	CU_ASSERT_EQUAL(shm.ipackets, FRAME_COUNT);
	CU_ASSERT_EQUAL(sl_port_pending(&port), 0);
	sl_port_close(&port);
	unlink(path);
}

static void what_a_port_sends_into_a_ring_it_receives(void)
{
	const struct sl_config_port config = {
		.device = "net_ring5", .rx_descriptors = 512, .line = 1};
	struct rte_mbuf *mbufs[FRAME_COUNT];
	struct sl_port port;

	open_port(&port, &config, 0, 1);
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_alloc_bulk(pool(), mbufs, FRAME_COUNT), 0);
	CU_ASSERT_EQUAL(rte_eth_tx_burst(port.port_id, 0, mbufs, FRAME_COUNT), FRAME_COUNT);
	CU_ASSERT_EQUAL(receive(&port, 3), 3);
	CU_ASSERT_EQUAL(receive(&port, 3), 2);
	sl_port_close(&port);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool()), pool()->size);
}

static void a_device_without_a_driver_is_named(void)
{
	const struct sl_config_port config = {
		.device = "net_nonesuch0", .rx_descriptors = 512, .line = 3};
	struct sl_port port;

	CU_ASSERT_EQUAL(sl_port_open(&port, &config, 0, 1, pool(), &err), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "line 3: device: net_nonesuch0: DPDK has no"));
	sl_port_close(&port);
}

static void a_zeroed_port_can_be_closed(void)
{
	struct sl_port port = {0};

	sl_port_refuse(&port);
	sl_port_close(&port);
	CU_ASSERT_FALSE(port.is_open);
}

static void af_xdp_holds_as_many_buffers_as_its_fill_ring(void)
{
	const struct sl_config_port af_xdp = {.device = "af_xdp:lo", .rx_descriptors = 4096};
	const struct sl_config_port other = {.device = "net_null0", .rx_descriptors = 4096};

	CU_ASSERT_EQUAL(sl_port_mbufs_held(&af_xdp, 2), 2 * 2048);
	CU_ASSERT_EQUAL(sl_port_mbufs_held(&other, 2), 2 * 4096);
	CU_ASSERT_EQUAL(sl_port_data_bytes(&other), 2048);
	// An MTU of 65536 and 278 bytes around it, in whole cache lines.
	CU_ASSERT_EQUAL(sl_port_data_bytes(&af_xdp), 65856);
}

static void a_mempool_that_does_not_fit_says_so(void)
{
	errno = 0;
	CU_ASSERT_PTR_NULL(sl_mempool_create("large_test", 1u << 24, DATA_BYTES, &err));
	CU_ASSERT_EQUAL(errno, ENOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "lower memory.mbufs"));
}

static const struct sl_test tests[] = {
	SL_TEST(a_port_has_at_most_the_queues_of_its_device),
	SL_TEST(a_capture_is_replayed_once),
	SL_TEST(what_a_port_sends_into_a_ring_it_receives),
	SL_TEST(a_device_without_a_driver_is_named),
	SL_TEST(a_zeroed_port_can_be_closed),
	SL_TEST(af_xdp_holds_as_many_buffers_as_its_fill_ring),
	SL_TEST(a_mempool_that_does_not_fit_says_so),
};
SL_SUITE(dataplane_port_port);
