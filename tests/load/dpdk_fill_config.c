/* SPDX-License-Identifier: BSD-3-Clause */
// What goes into every frame's headers, from options.
#include "load/dpdk_fill.h"
#include "load/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_ADDRESS "198.18.0.1" // RFC 2544: for benchmarks
#define DESTINATION_MAC "02:00:00:00:00:00" // dpdk-testpmd's

static int parse_mac(const char *option, const char *text, uint8_t mac[6], struct sl_err *err)
{
	struct rte_ether_addr address;

	if (rte_ether_unformat_addr(text, &address) != 0)
		return sl_err_set(err, -EINVAL, "%s %s: must be six bytes, as 02:00:00:00:00:01",
			option, text);
	memcpy(mac, address.addr_bytes, 6);
	return 0;
}

static int parse_address(
	const char *option, const char *text, uint32_t *address, struct sl_err *err)
{
	struct in_addr parsed;

	if (inet_pton(AF_INET, text, &parsed) != 1)
		return sl_err_set(err, -EINVAL, "%s %s: with --device it must be an IPv4 address",
			option, text);
	*address = ntohl(parsed.s_addr);
	return 0;
}

static int parse_to(const char *to, struct sl_fill_config *fill, struct sl_err *err)
{
	const char *colon = strrchr(to, ':');
	char host[INET_ADDRSTRLEN];
	char *end = NULL;
	unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);

	if (colon == NULL || (size_t)(colon - to) >= sizeof(host) || *end != '\0' || port < 1 ||
		port > UINT16_MAX)
		return sl_err_set(err, -EINVAL,
			"--to %s: with --device it must be ADDRESS:PORT, the address IPv4", to);
	memcpy(host, to, (size_t)(colon - to));
	host[colon - to] = '\0';
	fill->destination_port = (uint16_t)port;
	return parse_address("--to", host, &fill->destination_address, err);
}

int sl_fill_config_make(
	struct sl_fill_config *fill, const struct sl_transport_config *config, struct sl_err *err)
{
	const struct sl_device_config *device = config->device;
	const char *source = device->source_address, *mac = device->destination_mac;

	*fill = (struct sl_fill_config){
		.payload = device->payload,
		.source_port = device->source_port,
		.udp_checksum = device->udp_checksum,
	};
	int rc = parse_to(config->to, fill, err);
	if (rc == 0)
		rc = parse_address("--source-address", source == NULL ? SOURCE_ADDRESS : source,
			&fill->source_address, err);
	if (rc == 0)
		rc = parse_mac("--destination-mac", mac == NULL ? DESTINATION_MAC : mac,
			fill->destination_mac, err);
	if (rc == 0 && device->source_mac != NULL)
		rc = parse_mac("--source-mac", device->source_mac, fill->source_mac, err);
	if (rc == 0 && device->source_port + device->payload->flow_count - 1 > UINT16_MAX)
		rc = sl_err_set(err, -EINVAL,
			"--source-port %u: %u flows from there on end above 65535",
			device->source_port, device->payload->flow_count);
	return rc;
}
