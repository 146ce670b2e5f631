/* SPDX-License-Identifier: BSD-3-Clause */
// By ioctl and /proc/net/dev, not by /sys/class/net: sysfs shows the network namespace it was
// mounted in, which need not be ours.
#include "port/interface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int request(const char *interface, unsigned long code, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", interface);
	int rc = ioctl(fd, code, ifr) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

int sl_interface_read_channels(const char *interface, struct sl_interface_channels *channels)
{
	struct ethtool_channels answer = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&answer};
	int rc = request(interface, SIOCETHTOOL, &ifr);

	*channels = (struct sl_interface_channels){0};
	if (rc == -EOPNOTSUPP)
		return 0;
	if (rc != 0)
		return rc;
	channels->receive = answer.rx_count;
	channels->combined = answer.combined_count;
	return 0;
}

int sl_interface_read_mtu(const char *interface, uint32_t *mtu)
{
	struct ifreq ifr = {0};
	int rc = request(interface, SIOCGIFMTU, &ifr);

	if (rc == 0)
		*mtu = (uint32_t)ifr.ifr_mtu;
	return rc;
}

int sl_interface_read_counters(const char *interface, struct sl_interface_counters *counters)
{
	unsigned long long packets, dropped;
	size_t name_length = strlen(interface);
	char line[512];
	int rc = -ENODEV;
	FILE *file = fopen("/proc/net/dev", "re");

	if (file == NULL)
		return -errno;
	while (rc == -ENODEV && fgets(line, sizeof(line), file) != NULL) {
		const char *name = line + strspn(line, " ");

		// "  name: bytes packets errs drop ..." of what was received
		if (strncmp(name, interface, name_length) != 0 || name[name_length] != ':')
			continue;
		if (sscanf(name + name_length + 1, "%*s %llu %*s %llu", &packets, &dropped) != 2) {
			rc = -EPROTO;
			break;
		}
		*counters = (struct sl_interface_counters){packets, dropped};
		rc = 0;
	}
	fclose(file);
	return rc;
}
