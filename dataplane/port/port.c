/* SPDX-License-Identifier: BSD-3-Clause */
// A port from configured to closed.
#include "port/port.h"

#include "config/config.h"
#include "loader.h"
#include "log.h"
#include "port/device.h"
#include "port/eal.h"
#include "port/interface.h"
#include "port/ledger.h"
#include "port/xsk_stats.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define COMPONENT "port"
#define RSS_UDP (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)
#define RSS_KEY_BYTES_MAX 64
#define RSS_KEY_BYTES_DEFAULT 40 // when the device does not say
#define RX_OFFLOADS \
	(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_SCATTER)

static int fail(const struct sl_port *port, struct sl_err *err, int rc, const char *what)
{
	const char *said = sl_eal_take_errors();

	if (said[0] != 0)
		return sl_err_set(err, rc, "line %u: device: %s: cannot %s: %s; DPDK says: %s",
			port->config->line, port->config->device, what, strerror(-rc), said);
	return sl_err_set(err, rc, "line %u: device: %s: cannot %s: %s", port->config->line,
		port->config->device, what, strerror(-rc));
}

// RSS over the UDP 4-tuple. The key is random at each start: nobody outside can aim at a queue.
static int configure_rss(const struct rte_eth_dev_info *info, uint16_t queue_count,
	struct rte_eth_conf *conf, uint8_t key[RSS_KEY_BYTES_MAX])
{
	uint8_t key_bytes = info->hash_key_size == 0 ? RSS_KEY_BYTES_DEFAULT : info->hash_key_size;

	conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & RSS_UDP;
	if (queue_count == 1 || conf->rx_adv_conf.rss_conf.rss_hf == 0)
		return 0;
	if (key_bytes > RSS_KEY_BYTES_MAX)
		return -ENOTSUP;
	if (getrandom(key, key_bytes, 0) != key_bytes)
		return -errno;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_key = key;
	conf->rx_adv_conf.rss_conf.rss_key_len = key_bytes;
	return 0;
}

static int configure(struct sl_port *port, const struct rte_eth_dev_info *info,
	uint16_t *tx_queue_count, struct sl_err *err)
{
	struct rte_eth_conf conf = {0};
	uint8_t key[RSS_KEY_BYTES_MAX];

	// VLAN tags stay in the frame: the parser counts them.
	conf.rxmode.offloads = info->rx_offload_capa & RX_OFFLOADS;
	int rc = configure_rss(info, port->queue_count, &conf, key);
	if (rc != 0)
		return fail(port, err, rc, "choose an RSS key");
	// A TX queue for each RX queue: af_xdp demands it, and memif's peer expects the ring.
	*tx_queue_count = (uint16_t)SL_MIN(port->queue_count, info->max_tx_queues);
	rc = rte_eth_dev_configure(port->port_id, port->queue_count, *tx_queue_count, &conf);
	return rc == 0 ? 0 : fail(port, err, rc, "configure the device");
}

static int set_queues_up(const struct sl_port *port, uint16_t tx_queue_count,
	struct rte_mempool *mempool, struct sl_err *err)
{
	uint16_t rx_descriptors = (uint16_t)SL_MIN(port->config->rx_descriptors, 32768);
	uint16_t tx_descriptors = 512;
	int socket = SL_MAX(rte_eth_dev_socket_id(port->port_id), 0);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &rx_descriptors, &tx_descriptors);

	if (rc != 0)
		return fail(port, err, rc, "agree on the number of descriptors");
	for (uint16_t i = 0; i < port->queue_count; i++) {
		rc = rte_eth_rx_queue_setup(
			port->port_id, i, rx_descriptors, (unsigned)socket, NULL, mempool);
		if (rc != 0)
			return fail(port, err, rc,
				port->interface[0] == 0
					? "set a receive queue up"
					: "attach XDP (a veth's peer must not send on more channels "
					  "than this end receives: 'ethtool -L PEER tx 1')");
	}
	for (uint16_t i = 0; i < tx_queue_count; i++) {
		rc = rte_eth_tx_queue_setup(
			port->port_id, i, tx_descriptors, (unsigned)socket, NULL);
		if (rc != 0)
			return fail(port, err, rc, "set a transmit queue up");
	}
	return 0;
}

static uint64_t judged_by(const struct sl_xdp *xdp)
{
	struct sl_xdp_verdicts verdicts;

	if (sl_xdp_read_verdicts(xdp, &verdicts) != 0)
		return 0;
	return verdicts.redirect + verdicts.pass + verdicts.pass_off + verdicts.pass_no_socket;
}

// The kernel's counters as of the program's first frame, for both count on from there: what it has
// judged by now (the neighbours of a fresh interface talk at once) is taken back. A driver may
// count a frame some time behind the verdict on it, so both must stand still for a moment; where
// something always comes, they may differ by a few frames for good.
static int read_interface_base(struct sl_port *port)
{
	const struct timespec pause = {.tv_nsec = SL_NS_PER_MS};
	struct sl_interface_counters before, now = {0};
	uint64_t judged_before, judged = 0;
	int tries = 100;

	do {
		before = now;
		judged_before = judged;
		nanosleep(&pause, NULL);
		judged = judged_by(port->xdp);
		int rc = sl_interface_read_counters(port->interface, &now);
		if (rc != 0)
			return rc;
	} while ((now.rx_packets != before.rx_packets || judged != judged_before) && --tries > 0);
	port->interface_rx_packets_base = now.rx_packets - judged;
	port->interface_rx_dropped_base = now.rx_dropped;
	return 0;
}

// After the driver has attached our program and made its sockets.
static int open_xdp(struct sl_port *port, const struct sl_xsk_set *before, struct sl_err *err)
{
	port->xdp = sl_xdp_open(port->interface, err);
	if (port->xdp == NULL)
		return sl_err_prefix(
			err, "line %u: device: %s", port->config->line, port->config->device);
	port->xsk_stats = sl_xsk_stats_create(before, port->queue_count, err);
	if (port->xsk_stats == NULL)
		return sl_err_prefix(
			err, "line %u: device: %s", port->config->line, port->config->device);
	if (!sl_xsk_stats_is_busy_polling(port->xsk_stats))
		return sl_err_set(err, -ENOTSUP,
			"line %u: device: %s: the kernel does not busy-poll for AF_XDP sockets, so that "
			"an idle RX lcore could sleep: use a kernel from 5.11 on with "
			"CONFIG_NET_RX_BUSY_POLL, and run as root",
			port->config->line, port->config->device);
	int rc = read_interface_base(port);
	return rc == 0 ? 0 : fail(port, err, rc, "read the interface's counters");
}

// Fills name, interface and port_id.
static int find(struct sl_port *port, const struct sl_config_port *config, uint32_t index,
	struct sl_err *err)
{
	struct sl_device device;

	*port = (struct sl_port){.config = config};
	int rc = sl_device_parse(&device, config->device, index, err);
	if (rc != 0)
		return sl_err_prefix(err, "line %u: device: %s", config->line, config->device);
	if (device.kind == SL_DEVICE_AF_XDP)
		snprintf(port->interface, sizeof(port->interface), "%s", device.value);
	rc = rte_eth_dev_get_port_by_name(device.name, &port->port_id);
	if (rc != 0)
		return sl_err_set(err, rc,
			"line %u: device: %s: DPDK has no driver for it: see 'dpdk-devbind.py "
			"--status' for a PCI device, the list of poll mode drivers for another",
			config->line, config->device);
	return 0;
}

static int start(struct sl_port *port, const struct rte_eth_dev_info *info,
	struct rte_mempool *mempool, struct sl_err *err)
{
	struct sl_xsk_set before;
	uint16_t tx_queue_count = 0;
	int rc = sl_xsk_set_read(&before);

	if (rc != 0)
		return fail(port, err, rc, "read /proc/self/fd");
	rc = configure(port, info, &tx_queue_count, err);
	if (rc == 0)
		rc = set_queues_up(port, tx_queue_count, mempool, err);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_start(port->port_id);
	if (rc != 0)
		return fail(port, err, rc, "start the device");
	if (port->interface[0] != 0)
		rc = open_xdp(port, &before, err);
	return rc;
}

int sl_port_open(struct sl_port *port, const struct sl_config_port *config, uint32_t index,
	uint32_t queue_count, struct rte_mempool *mempool, struct sl_err *err)
{
	struct rte_eth_dev_info info;

	(void)sl_eal_take_errors(); // what was said before is not about this port
	int rc = find(port, config, index, err);
	if (rc != 0)
		return rc;
	port->is_open = true;
	rc = rte_eth_dev_info_get(port->port_id, &info);
	if (rc != 0) {
		rc = fail(port, err, rc, "ask the device what it can");
		goto failed;
	}
	port->queue_count = (uint16_t)SL_MIN(queue_count, info.max_rx_queues);
	// The driver registers the pool's first chunk of memory only, and takes no notice of
	// others.
	if (port->interface[0] != 0 && mempool->nb_mem_chunks != 1) {
		rc = sl_err_set(err, -ENOMEM,
			"line %u: device: %s: the mbufs lie in %u pieces of memory, and AF_XDP needs "
			"one: lower memory.mbufs, or reserve hugepages after a reboot",
			config->line, config->device, mempool->nb_mem_chunks);
		goto failed;
	}
	rc = start(port, &info, mempool, err);
	if (rc != 0)
		goto failed;
	port->ledger = sl_ledger_class(info.driver_name, port->xdp != NULL);
	sl_log_info(COMPONENT, "%s: driver %s, %u receive queues%s%s", config->device,
		info.driver_name, port->queue_count, port->xdp == NULL ? "" : ", pre-filter on ",
		port->interface);
	return 0;
failed:
	sl_port_close(port);
	return rc;
}

int sl_port_admit(struct sl_port *port, const uint16_t *udp_ports, uint32_t udp_port_count,
	struct sl_err *err)
{
	int rc = 0;

	if (port->xdp != NULL) {
		rc = sl_xdp_set_ports(port->xdp, udp_ports, udp_port_count, err);
		if (rc == 0)
			rc = sl_xdp_set_redirect(port->xdp, true, err);
		return rc;
	}
	rc = rte_eth_dev_set_link_up(port->port_id);
	if (rc != 0 && rc != -ENOTSUP)
		return fail(port, err, rc, "set the link up");
	return 0;
}

void sl_port_refuse(struct sl_port *port)
{
	struct sl_err err;

	if (port->xdp != NULL && sl_xdp_set_redirect(port->xdp, false, &err) != 0)
		sl_log_warning(COMPONENT, "%s", err.text);
}

void sl_port_close(struct sl_port *port)
{
	if (!port->is_open)
		return;
	sl_port_refuse(port);
	sl_xsk_stats_destroy(port->xsk_stats);
	// Stopping a device that was never started is an error of no consequence.
	(void)rte_eth_dev_stop(port->port_id);
	int rc = rte_eth_dev_close(port->port_id);
	if (rc != 0)
		sl_log_warning(COMPONENT, "%s: cannot close the device: %s", port->config->device,
			strerror(-rc));
	sl_xdp_close(port->xdp);
	port->xdp = NULL;
	port->xsk_stats = NULL;
	port->is_open = false;
}
