/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/device.h"

#include "suite.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *text;
	enum sl_device_kind kind;
	const char *value;
	const char *name; // as port 3
} good[] = {
	{"af_xdp:eth0", SL_DEVICE_AF_XDP, "eth0", "net_af_xdp3"},
	{"memif:/run/a.sock", SL_DEVICE_MEMIF, "/run/a.sock", "net_memif3"},
	{"memif-client:/run/a.sock", SL_DEVICE_MEMIF_CLIENT, "/run/a.sock", "net_memif3"},
	{"pcap:a:b.pcap", SL_DEVICE_PCAP, "a:b.pcap", "net_pcap3"},
	{"0000:01:00.0", SL_DEVICE_PCI, "0000:01:00.0", "0000:01:00.0"},
	{"01:00.1", SL_DEVICE_PCI, "01:00.1", "0000:01:00.1"},
	{"ab:1f.7,mprq_en=1", SL_DEVICE_PCI, "ab:1f.7,mprq_en=1", "0000:ab:1f.7"},
	{"net_null0", SL_DEVICE_VDEV, "net_null0", "net_null0"},
	{"net_tap1,iface=tap:1", SL_DEVICE_VDEV, "net_tap1,iface=tap:1", "net_tap1"},
};

static const struct {
	const char *text;
	const char *part; // of the error
} bad[] = {
	{"", "not a device"},
	{",iface=x", "not a device"},
	{"eth0:1", "not a device"},
	{"01:00", "not a device"},
	{"01:00.0x", "not a device"},
	{"7seas", "not a device"},
	{"net_a_name_that_is_longer_than_what_dpdk_takes_for_the_name_of_a_device", "not a device"},
	{"af_xdp:", "give an interface"},
	{"memif:", "give the path of a socket"},
	{"memif-client:", "give the path of a socket"},
	{"pcap:a,b", "give the path of a capture file, without commas"},
};

static void devices_are_known_by_their_form(void)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(good); i++) {
		struct sl_device device;
		struct sl_err err = {0};

		CU_ASSERT_EQUAL_FATAL(sl_device_parse(&device, good[i].text, 3, &err), 0);
		CU_ASSERT_EQUAL(device.kind, good[i].kind);
		CU_ASSERT_STRING_EQUAL(device.value, good[i].value);
		CU_ASSERT_STRING_EQUAL(device.name, good[i].name);
	}
}

static void what_is_no_device_is_refused_with_the_forms(void)
{
	for (size_t i = 0; i < SL_ARRAY_COUNT(bad); i++) {
		struct sl_device device;
		struct sl_err err = {0};

		CU_ASSERT_EQUAL(sl_device_parse(&device, bad[i].text, 0, &err), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad[i].part));
	}
}

static const struct sl_test tests[] = {
	SL_TEST(devices_are_known_by_their_form),
	SL_TEST(what_is_no_device_is_refused_with_the_forms),
};
SL_SUITE(dataplane_port_device);
