/* SPDX-License-Identifier: BSD-3-Clause */
// Arguments of devices that can be had without an interface of our own; AF_XDP's are in
// tests/e2e/port_errors.sh.
#include "config/config.h"
#include "port/eal.h"
#include "port/port.h"

#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/sluice-devargs-XXXXXX";
static char argument[SL_EAL_ARGUMENT_BYTES_MAX];
static struct sl_err err;

static void make_folder(void)
{
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static const char *path_in_folder(const char *prefix, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s%s/%s", prefix, folder, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t count)
{
	FILE *file = fopen(path_in_folder("", name), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(bytes, 1, count, file), count);
	fclose(file);
}

static int devargs(const char *device, uint32_t rx_descriptors)
{
	const struct sl_config_port config = {
		.device = device, .rx_descriptors = rx_descriptors, .line = 7};

	memset(&err, 0, sizeof(err));
	return sl_port_devargs(&config, 2, 1, argument, sizeof(argument), &err);
}

static void a_virtual_device_goes_as_it_is(void)
{
	CU_ASSERT_EQUAL(devargs("net_null0,size=64", 4096), 0);
	CU_ASSERT_STRING_EQUAL(argument, "--vdev=net_null0,size=64");
}

static void an_error_names_line_and_device(void)
{
	CU_ASSERT_EQUAL(devargs("0000:7f:1f.7", 4096), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "line 7: device: 0000:7f:1f.7: no PCI device"));
}

static void memif_is_a_server_with_rings_as_large_as_asked_for(void)
{
	static const struct {
		uint32_t rx_descriptors;
		const char *rsize;
	} rows[] = {{1024, "rsize=10,"}, {4096, "rsize=12,"}, {16384, "rsize=14,"},
		{32768, "rsize=14,"}};

	make_folder();
	for (size_t i = 0; i < SL_ARRAY_COUNT(rows); i++) {
		CU_ASSERT_EQUAL(
			devargs(path_in_folder("memif:", "m.sock"), rows[i].rx_descriptors), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(argument, "--vdev=net_memif2,role=server,socket="));
		CU_ASSERT_PTR_NOT_NULL(strstr(argument, "/m.sock,socket-abstract=no,"));
		CU_ASSERT_PTR_NOT_NULL(strstr(argument, rows[i].rsize));
	}
	CU_ASSERT_EQUAL(devargs("memif:relative.sock", 4096), -EINVAL);
	CU_ASSERT_EQUAL(devargs("memif:/nonesuch/m.sock", 4096), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "cannot make a socket in /nonesuch"));
	CU_ASSERT_EQUAL(devargs("memif:/tmp/a-path-that-is-longer-than-the-107-bytes-that-"
				"a-local-socket-can-be-named-by-because-sun-path-has-108-bytes",
				4096),
		-ENAMETOOLONG);
	rmdir(folder);
}

static union {
	struct sockaddr generic;
	struct sockaddr_un local;
} address = {.local.sun_family = AF_UNIX};

// On m.sock in a new folder; to be closed.
static int listen_in_folder(void)
{
	make_folder();
	strcpy(address.local.sun_path, path_in_folder("", "m.sock"));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, &address.generic, sizeof(address.local)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	return fd;
}

static void a_memif_socket_goes_only_when_nobody_listens(void)
{
	int fd = listen_in_folder();

	CU_ASSERT_EQUAL(devargs(path_in_folder("memif:", "m.sock"), 4096), -EADDRINUSE);
	CU_ASSERT_EQUAL(access(address.local.sun_path, F_OK), 0);
	close(fd);
	CU_ASSERT_EQUAL(devargs(path_in_folder("memif:", "m.sock"), 4096), 0);
	CU_ASSERT_NOT_EQUAL(access(address.local.sun_path, F_OK), 0);

	write_file("m.sock", "x", 1);
	CU_ASSERT_EQUAL(devargs(path_in_folder("memif:", "m.sock"), 4096), -EEXIST);
	unlink(address.local.sun_path);
	rmdir(folder);
}

static void a_memif_client_wants_a_peer_that_listens(void)
{
	int fd = listen_in_folder();

	CU_ASSERT_EQUAL(devargs(path_in_folder("memif-client:", "m.sock"), 1024), 0);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(argument, "--vdev=net_memif2,role=client,zero-copy=yes,socket="));
	CU_ASSERT_PTR_NOT_NULL(strstr(argument, "/m.sock,socket-abstract=no,rsize=10,bsize=2048"));
	CU_ASSERT_EQUAL(access(address.local.sun_path, F_OK), 0);
	close(fd);
	CU_ASSERT_EQUAL(devargs(path_in_folder("memif-client:", "m.sock"), 1024), -ECONNREFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no peer listens on "));
	// The peer's, and not ours to remove.
	CU_ASSERT_EQUAL(access(address.local.sun_path, F_OK), 0);
	unlink(address.local.sun_path);
	CU_ASSERT_EQUAL(devargs(path_in_folder("memif-client:", "m.sock"), 1024), -ENOENT);
	CU_ASSERT_EQUAL(devargs("memif-client:relative.sock", 1024), -EINVAL);
	rmdir(folder);
}

static void a_capture_is_known_by_its_first_bytes(void)
{
	static const uint32_t magics[] = {
		0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a};

	make_folder();
	for (size_t i = 0; i < SL_ARRAY_COUNT(magics); i++) {
		write_file("c.pcap", &magics[i], sizeof(magics[i]));
		CU_ASSERT_EQUAL(devargs(path_in_folder("pcap:", "c.pcap"), 4096), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(argument, "--vdev=net_pcap2,rx_pcap=/tmp/"));
	}
	write_file("c.pcap", "text", 4);
	CU_ASSERT_EQUAL(devargs(path_in_folder("pcap:", "c.pcap"), 4096), -EINVAL);
	write_file("c.pcap", "", 0);
	CU_ASSERT_EQUAL(devargs(path_in_folder("pcap:", "c.pcap"), 4096), -EINVAL);
	unlink(path_in_folder("", "c.pcap"));
	CU_ASSERT_EQUAL(devargs(path_in_folder("pcap:", "c.pcap"), 4096), -ENOENT);
	rmdir(folder);
}

static void an_argument_that_does_not_fit_is_refused(void)
{
	const struct sl_config_port config = {.device = "net_null0,size=64", .line = 1};
	char small[8];

	CU_ASSERT_EQUAL(sl_port_devargs(&config, 0, 1, small, sizeof(small), &err), -ENAMETOOLONG);
}

static const struct sl_test tests[] = {
	SL_TEST(a_virtual_device_goes_as_it_is),
	SL_TEST(an_error_names_line_and_device),
	SL_TEST(memif_is_a_server_with_rings_as_large_as_asked_for),
	SL_TEST(a_memif_socket_goes_only_when_nobody_listens),
	SL_TEST(a_memif_client_wants_a_peer_that_listens),
	SL_TEST(a_capture_is_known_by_its_first_bytes),
	SL_TEST(an_argument_that_does_not_fit_is_refused),
};
SL_SUITE(dataplane_port_devargs);
