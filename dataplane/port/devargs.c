/* SPDX-License-Identifier: BSD-3-Clause */
// EAL's argument for each kind of device, and everything that can be checked before EAL starts:
// afterwards a driver's error names neither the configuration nor the remedy.
#include "port/device.h"

#include "config/config.h"
#include "loader.h"
#include "log.h"
#include "port/interface.h"
#include "port/port.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COMPONENT "port"
// Packets that one busy poll of an idle AF_XDP queue may take in: DPDK's default, named here
// because sl_port_open checks that the kernel took it.
#define BUSY_BUDGET 64
// A buffer is one page at most, with the headers of mempool, mbuf and XDP before the frame.
#define AF_XDP_MTU_MAX 3306
#define MEMIF_RING_LOG2_MAX 14 // MEMIF_MAX_RING_LOG2 of the driver
#define MEMIF_BUFFER_BYTES 2048 // no more than an mbuf has room for: see port_memory.c

struct argument {
	char *text;
	size_t bytes;
};

static int write_argument(const struct argument *argument, struct sl_err *err, const char *format,
	...) SL_PRINTF(3, 4);

static int write_argument(
	const struct argument *argument, struct sl_err *err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(argument->text, argument->bytes, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= argument->bytes)
		return sl_err_set(err, -ENAMETOOLONG, "too long: at most %zu bytes as an argument",
			argument->bytes - 1);
	return 0;
}

// The driver serves channels 0 to queue_count - 1; a datagram on any other would go to the kernel.
static int check_channels(
	const char *interface, uint32_t queue_count, uint32_t *served_count, struct sl_err *err)
{
	struct sl_interface_channels channels;
	int rc = sl_interface_read_channels(interface, &channels);

	if (rc != 0)
		return sl_err_set(
			err, rc, "cannot read the channels of %s: %s", interface, strerror(-rc));
	if (channels.combined == 0 && channels.receive > 1)
		return sl_err_set(err, -EINVAL,
			"%s has %u receive channels of the separate kind, of which AF_XDP serves one: "
			"'ethtool -L %s rx 1', or create the veth with 'numrxqueues 1 numtxqueues 1'",
			interface, channels.receive, interface);
	*served_count = channels.combined == 0 ? 1 : SL_MIN(queue_count, channels.combined);
	if (channels.combined > *served_count)
		return sl_err_set(err, -EINVAL,
			"%s spreads over %u channels, but %u receive queues serve it: 'ethtool -L %s "
			"combined %u', or more CPUs in lcores.rx_cpus",
			interface, channels.combined, *served_count, interface, *served_count);
	return 0;
}

static int check_mtu(const char *interface, struct sl_err *err)
{
	uint32_t mtu;
	int rc = sl_interface_read_mtu(interface, &mtu);

	if (rc != 0)
		return sl_err_set(
			err, rc, "cannot read the MTU of %s: %s", interface, strerror(-rc));
	if (mtu > AF_XDP_MTU_MAX)
		return sl_err_set(err, -EMSGSIZE,
			"%s has an MTU of %u, AF_XDP takes frames up to %u: 'ip link set dev %s mtu "
			"%u', or give the device by its PCI address",
			interface, mtu, AF_XDP_MTU_MAX, interface, AF_XDP_MTU_MAX);
	return 0;
}

static int write_af_xdp(const struct argument *argument, const struct sl_device *device,
	uint32_t queue_count, struct sl_err *err)
{
	char object_path[SL_PATH_BYTES_MAX];
	uint32_t served_count = 1;

	if (if_nametoindex(device->value) == 0)
		return sl_err_set(err, -ENODEV,
			"no interface '%s' in this network namespace: see 'ip link'",
			device->value);
	int rc = check_channels(device->value, queue_count, &served_count, err);
	if (rc == 0)
		rc = check_mtu(device->value, err);
	if (rc == 0)
		rc = sl_xdp_object_path(object_path, sizeof(object_path), err);
	if (rc == 0)
		rc = sl_xdp_detach_stale(device->value, err);
	if (rc < 0)
		return rc;
	if (strchr(object_path, ',') != NULL)
		return sl_err_set(err, -EINVAL,
			"path of the XDP program may not hold a comma: %s; see SLUICE_XDP_OBJECT",
			object_path);
	return write_argument(argument, err,
		"--vdev=%s,iface=%s,start_queue=0,queue_count=%u,busy_budget=%d,xdp_prog=%s",
		device->name, device->value, served_count, BUSY_BUDGET, object_path);
}

// Whether somebody listens on a socket: a datagram socket asks (EPROTOTYPE) without connecting,
// because DPDK 22.11 panics when a memif peer connects and leaves at once. Returns 0 for yes, or a
// negative errno: -ECONNREFUSED for a socket that nobody listens on, -ENOENT for none.
static int find_listener(const char *path)
{
	union {
		struct sockaddr generic;
		struct sockaddr_un local;
	} address = {.local.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(address.local.sun_path, path, strlen(path));
	int rc = connect(fd, &address.generic, sizeof(address.local)) == 0 ? 0 : -errno;
	close(fd);
	return rc == -EPROTOTYPE ? 0 : rc;
}

// The driver binds and never unlinks first: a socket that a killed process left must go.
static int remove_stale_socket(const char *path, struct sl_err *err)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return 0;
	if (!S_ISSOCK(status.st_mode))
		return sl_err_set(err, -EEXIST,
			"%s exists and is not a socket: remove it, or choose another path", path);
	if (find_listener(path) != -ECONNREFUSED)
		return sl_err_set(err, -EADDRINUSE,
			"another process listens on %s: stop it, or choose another path", path);
	if (unlink(path) != 0)
		return sl_err_set(err, -errno, "cannot remove the stale socket %s: %s", path,
			strerror(errno));
	sl_log_notice(COMPONENT, "removed the stale socket %s of a killed process", path);
	return 0;
}

static int prepare_folder(const char *path, struct sl_err *err)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(folder, sizeof(folder), "%.*s", (int)SL_MAX(strrchr(path, '/') - path, 1), path);
	if (access(folder, W_OK | X_OK) != 0)
		return sl_err_set(err, -errno,
			"cannot make a socket in %s: %s; create the folder, or give the right to "
			"write in it",
			folder, strerror(errno));
	return remove_stale_socket(path, err);
}

// A client makes the shared memory: with zero-copy that is the memory of its mbufs, into which its
// peer writes the frames.
static int write_memif(const struct argument *argument, const struct sl_device *device,
	uint32_t rx_descriptors, struct sl_err *err)
{
	bool is_client = device->kind == SL_DEVICE_MEMIF_CLIENT;
	const char *path = device->value;
	int ring_log2 = 0, rc;

	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return sl_err_set(err, -ENAMETOOLONG, "a socket's path has at most %zu bytes",
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	if (strchr(path, '/') == NULL)
		return sl_err_set(err, -EINVAL,
			"give the socket's full path, such as /run/sluice/memif.sock");
	rc = is_client ? find_listener(path) : prepare_folder(path, err);
	if (rc != 0 && is_client)
		return sl_err_set(err, rc,
			"no peer listens on %s (%s): start the peer, which makes the socket, first",
			path, strerror(-rc));
	if (rc != 0)
		return rc;
	while ((1u << ring_log2) < rx_descriptors && ring_log2 < MEMIF_RING_LOG2_MAX)
		ring_log2++;
	return write_argument(argument, err,
		"--vdev=%s,role=%s,socket=%s,socket-abstract=no,rsize=%d,bsize=%d", device->name,
		is_client ? "client,zero-copy=yes" : "server", path, ring_log2, MEMIF_BUFFER_BYTES);
}

// Magic numbers of what libpcap reads: microseconds, nanoseconds, either byte order, pcapng.
static bool is_capture(uint32_t magic)
{
	static const uint32_t magics[] = {
		0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a};

	for (size_t i = 0; i < SL_ARRAY_COUNT(magics); i++) {
		if (magic == magics[i])
			return true;
	}
	return false;
}

static int write_pcap(
	const struct argument *argument, const struct sl_device *device, struct sl_err *err)
{
	uint32_t magic = 0;
	int fd = open(device->value, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return sl_err_set(err, -errno,
			"cannot read %s: %s; give a capture file that exists "
			"and may be read",
			device->value, strerror(errno));
	ssize_t got = read(fd, &magic, sizeof(magic));
	close(fd);
	if (got != sizeof(magic) || !is_capture(magic))
		return sl_err_set(err, -EINVAL,
			"%s is not a capture file: give one that tcpdump -w wrote", device->value);
	return write_argument(argument, err, "--vdev=%s,rx_pcap=%s", device->name, device->value);
}

static int write_pci(
	const struct argument *argument, const struct sl_device *device, struct sl_err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device->name);
	if (access(path, F_OK) != 0)
		return sl_err_set(err, -ENODEV,
			"no PCI device %s: see 'lspci -D' and 'dpdk-devbind.py --status'",
			device->name);
	return write_argument(argument, err, "--allow=%s%s", device->name,
		device->value + strcspn(device->value, ","));
}

int sl_port_devargs(const struct sl_config_port *config, uint32_t index, uint32_t queue_count,
	char *argument_text, size_t argument_bytes, struct sl_err *err)
{
	const struct argument argument = {argument_text, argument_bytes};
	struct sl_device device;
	int rc = sl_device_parse(&device, config->device, index, err);

	if (rc == 0) {
		switch (device.kind) {
		case SL_DEVICE_AF_XDP:
			rc = write_af_xdp(&argument, &device, queue_count, err);
			break;
		case SL_DEVICE_MEMIF:
		case SL_DEVICE_MEMIF_CLIENT:
			rc = write_memif(&argument, &device, config->rx_descriptors, err);
			break;
		case SL_DEVICE_PCAP:
			rc = write_pcap(&argument, &device, err);
			break;
		case SL_DEVICE_PCI:
			rc = write_pci(&argument, &device, err);
			break;
		case SL_DEVICE_VDEV:
			rc = write_argument(&argument, err, "--vdev=%s", config->device);
			break;
		}
	}
	if (rc != 0)
		return sl_err_prefix(err, "line %u: device: %s", config->line, config->device);
	return 0;
}
