/* SPDX-License-Identifier: BSD-3-Clause */
// Kinds of devices by their prefix, and the names that DPDK gives them.
#include "port/device.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *prefix;
	const char *driver;
	const char *what;
	enum sl_device_kind kind;
} kinds[] = {
	{"af_xdp:", "net_af_xdp", "an interface", SL_DEVICE_AF_XDP},
	{"memif:", "net_memif", "the path of a socket", SL_DEVICE_MEMIF},
	{"memif-client:", "net_memif", "the path of a socket", SL_DEVICE_MEMIF_CLIENT},
	{"pcap:", "net_pcap", "the path of a capture file", SL_DEVICE_PCAP},
};

// Writes the full form of a PCI address. False when text is not one.
static bool parse_pci(const char *text, char *name, size_t name_bytes)
{
	unsigned domain = 0, bus, device, function;
	int length = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &length) != 4) {
		domain = 0;
		length = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &length) != 3)
			return false;
	}
	if (text[length] != 0 && text[length] != ',')
		return false;
	snprintf(name, name_bytes, "%04x:%02x:%02x.%x", domain, bus, device, function);
	return true;
}

static int parse_vdev(struct sl_device *device, const char *text, struct sl_err *err)
{
	size_t length = strcspn(text, ",");

	if (length == 0 || length >= sizeof(device->name) || !isalpha((unsigned char)text[0]) ||
		memchr(text, ':', length) != NULL)
		return sl_err_set(err, -EINVAL,
			"not a device: give af_xdp:INTERFACE, memif:SOCKET, memif-client:SOCKET, "
			"pcap:FILE, a PCI address such as 0000:01:00.0, or the devargs of a DPDK device such as "
			"net_tap0,iface=tap0");
	device->kind = SL_DEVICE_VDEV;
	snprintf(device->name, sizeof(device->name), "%.*s", (int)length, text);
	return 0;
}

int sl_device_parse(struct sl_device *device, const char *text, uint32_t index, struct sl_err *err)
{
	device->value = text;
	for (size_t i = 0; i < SL_ARRAY_COUNT(kinds); i++) {
		size_t length = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, length) != 0)
			continue;
		device->kind = kinds[i].kind;
		device->value = text + length;
		// A comma would end the value in DPDK's own syntax.
		if (device->value[0] == 0 || strchr(device->value, ',') != NULL)
			return sl_err_set(err, -EINVAL, "give %s, without commas, behind '%s'",
				kinds[i].what, kinds[i].prefix);
		snprintf(device->name, sizeof(device->name), "%s%u", kinds[i].driver, index);
		return 0;
	}
	if (parse_pci(text, device->name, sizeof(device->name))) {
		device->kind = SL_DEVICE_PCI;
		return 0;
	}
	return parse_vdev(device, text, err);
}
