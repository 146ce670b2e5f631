/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/dpdk_device.h"

#include "port/device.h"
#include "port/eal.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RECEIVE_DESCRIPTORS 256u
#define RECEIVE_MBUF_COUNT 511u
#define MEMORY_MIB 128u
#define MBUF_CACHE_COUNT 256u
// Long enough for a receiver that starts at the same time.
#define LINK_WAIT_MS 10000u

static int fail(const char *name, struct sl_err *err, int rc, const char *what)
{
	const char *said = sl_eal_take_errors();

	return sl_err_set(err, rc, "--device %s: cannot %s: %s%s%s", name, what, strerror(-rc),
		said[0] == '\0' ? "" : "; DPDK says: ", said);
}

static int choose_cpu(const struct sl_device_config *config, uint32_t *cpu, struct sl_err *err)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return sl_err_set(err, -errno, "sched_getaffinity: %s", strerror(errno));
	*cpu = config->cpu;
	if (config->has_cpu && !(config->cpu < CPU_SETSIZE && CPU_ISSET(config->cpu, &set)))
		return sl_err_set(
			err, -EINVAL, "--cpu %u: this process may not run there", config->cpu);
	for (uint32_t i = 0; !config->has_cpu && i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set)) {
			*cpu = i;
			break;
		}
	}
	return 0;
}

static int start_eal(
	const struct sl_device_config *config, const struct sl_device *parsed, struct sl_err *err)
{
	static char argument[SL_EAL_ARGUMENT_BYTES_MAX];
	struct sl_eal_config eal = {
		.program = "sluice-blast",
		.lcore_count = 1,
		.device_arguments = {argument},
		.device_count = 1,
		.memory_mib = MEMORY_MIB,
	};
	int length = snprintf(argument, sizeof(argument), "--%s=%s",
		parsed->kind == SL_DEVICE_PCI ? "allow" : "vdev", config->device);

	if (length < 0 || (size_t)length >= sizeof(argument))
		return sl_err_set(err, -EINVAL, "--device: too long");
	int rc = choose_cpu(config, &eal.lcores[0].cpu, err);
	return rc == 0 ? sl_eal_init(&eal, err) : rc;
}

static int make_pools(struct sl_dpdk_device *device, uint32_t frame_bytes_max)
{
	uint16_t room = (uint16_t)(RTE_PKTMBUF_HEADROOM +
		SL_MAX(frame_bytes_max, (uint32_t)RTE_MBUF_DEFAULT_DATAROOM));

	// One cache alone: the mbufs used last are used again first, and stay in the CPU's.
	device->pool = rte_pktmbuf_pool_create(
		"blast", SL_DPDK_MBUF_COUNT, MBUF_CACHE_COUNT, 0, room, SOCKET_ID_ANY);
	device->receive_pool = rte_pktmbuf_pool_create("blast-receive", RECEIVE_MBUF_COUNT, 0, 0,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return device->pool == NULL || device->receive_pool == NULL ? -ENOMEM : 0;
}

static int set_queues_up(const struct sl_dpdk_device *device)
{
	uint16_t rx_descriptors = RECEIVE_DESCRIPTORS, tx_descriptors = SL_DPDK_TX_DESCRIPTORS;
	struct rte_eth_conf conf = {0};
	int rc = rte_eth_dev_configure(device->port_id, 1, 1, &conf);

	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(
			device->port_id, &rx_descriptors, &tx_descriptors);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(device->port_id, 0, rx_descriptors,
			(unsigned)SOCKET_ID_ANY, NULL, device->receive_pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(
			device->port_id, 0, tx_descriptors, (unsigned)SOCKET_ID_ANY, NULL);
	return rc;
}

static int start_port(struct sl_dpdk_device *device, const char *name, uint32_t frame_bytes_max,
	struct sl_err *err)
{
	uint32_t ip_bytes_max = frame_bytes_max - RTE_ETHER_HDR_LEN;
	struct rte_ether_addr mac;
	uint16_t mtu = 0;
	int rc = make_pools(device, frame_bytes_max);

	if (rc != 0)
		return fail(name, err, rc, "get memory for the mbufs");
	rc = set_queues_up(device);
	if (rc != 0)
		return fail(name, err, rc, "set the queues up");
	if (ip_bytes_max > RTE_ETHER_MTU && rte_eth_dev_get_mtu(device->port_id, &mtu) == 0 &&
		mtu < ip_bytes_max) {
		rc = rte_eth_dev_set_mtu(device->port_id, (uint16_t)ip_bytes_max);
		if (rc != 0)
			return fail(name, err, rc, "send frames this large");
	}
	rc = rte_eth_dev_start(device->port_id);
	if (rc != 0)
		return fail(name, err, rc, "start the device");
	if (rte_eth_macaddr_get(device->port_id, &mac) == 0)
		memcpy(device->mac, mac.addr_bytes, sizeof(device->mac));
	return 0;
}

bool sl_dpdk_device_link_is_up(const struct sl_dpdk_device *device)
{
	struct rte_eth_link link = {0};

	return rte_eth_link_get_nowait(device->port_id, &link) == 0 &&
		link.link_status == RTE_ETH_LINK_UP;
}

// Asking is also what makes a memif client try to connect again. A server waits for its client as
// long as it takes.
static int wait_for_link(const struct sl_dpdk_device *device, const char *name,
	const volatile sig_atomic_t *stop, struct sl_err *err)
{
	const struct timespec pause = {.tv_nsec = SL_NS_PER_MS};

	for (uint32_t i = 0; (device->is_memif_server || i < LINK_WAIT_MS) && !*stop; i++) {
		if (sl_dpdk_device_link_is_up(device))
			return 0;
		nanosleep(&pause, NULL);
	}
	if (*stop)
		return sl_err_set(
			err, -EINTR, "--device %s: interrupted before its link was up", name);
	return sl_err_set(err, -ENOLINK,
		"--device %s: no link after %u s: is the receiver at the other end running?", name,
		LINK_WAIT_MS / 1000);
}

int sl_dpdk_device_open(struct sl_dpdk_device *device, const struct sl_device_config *config,
	uint32_t frame_bytes_max, const volatile sig_atomic_t *stop, struct sl_err *err)
{
	struct sl_device parsed;
	int rc = sl_device_parse(&parsed, config->device, 0, err);

	*device = (struct sl_dpdk_device){0};
	if (rc == 0 && parsed.kind != SL_DEVICE_PCI && parsed.kind != SL_DEVICE_VDEV)
		rc = sl_err_set(err, -EINVAL, "give it as DPDK does: net_memif0,role=client,...");
	if (rc != 0)
		return sl_err_prefix(err, "--device %s", config->device);
	// The port is there already where a test made it.
	if (rte_eth_dev_get_port_by_name(parsed.name, &device->port_id) != 0) {
		rc = start_eal(config, &parsed, err);
		if (rc != 0)
			return rc;
		device->eal_is_ours = true;
		rc = rte_eth_dev_get_port_by_name(parsed.name, &device->port_id);
	}
	if (rc != 0) {
		rc = fail(config->device, err, rc, "find a driver for it");
		goto failed;
	}
	device->is_open = true;
	device->is_memif_server = strncmp(config->device, "net_memif", 9) == 0 &&
		(strstr(config->device, "role=server") != NULL ||
			strstr(config->device, "role=master") != NULL);
	device->is_memif_client =
		strncmp(config->device, "net_memif", 9) == 0 && !device->is_memif_server;
	rc = start_port(device, config->device, frame_bytes_max, err);
	if (rc == 0)
		rc = wait_for_link(device, config->device, stop, err);
	if (rc == 0)
		return 0;
failed:
	sl_dpdk_device_close(device);
	return rc;
}

void sl_dpdk_device_close(struct sl_dpdk_device *device)
{
	if (device->is_open) {
		(void)rte_eth_dev_stop(device->port_id);
		(void)rte_eth_dev_close(device->port_id);
	}
	rte_mempool_free(device->pool);
	rte_mempool_free(device->receive_pool);
	if (device->eal_is_ours)
		sl_eal_fini();
	*device = (struct sl_dpdk_device){0};
}
