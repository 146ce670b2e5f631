/* SPDX-License-Identifier: BSD-3-Clause */
// Our attached program: its maps, its switch, its verdicts.
#include "loader.h"
#include "loader_internal.h"
#include "log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPONENT "xdp"

struct sl_xdp {
	char interface[IF_NAMESIZE];
	int interface_index;
	struct sl_xdp_attached attached;
	int ports_fd, control_fd, verdicts_fd;
	uint32_t cpu_count; // values of a per-CPU map's element
	uint64_t *values; // [cpu_count], scratch of a lookup
	struct sl_prefilter_control control; // as written
};

static int log_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[512];

	if (level == LIBBPF_DEBUG) // hundreds of lines a load
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = 0;
	sl_log_debug("libbpf", "%s", text);
	return 0;
}

void sl_xdp_log_init(void)
{
	libbpf_set_print(log_libbpf);
}

// Opens the map `name` and checks its shape against prefilter_shared.h: an object of another
// version must not be written to. Returns the file descriptor or a negative errno.
static int open_map(const struct sl_xdp *xdp, const char *name, uint32_t value_bytes,
	uint32_t entry_count, struct sl_err *err)
{
	struct bpf_map_info info;
	int fd = sl_xdp_map_open(xdp->attached.id, name, &info);

	if (fd < 0)
		return sl_err_set(err, fd, "XDP program on %s has no map '%s': %s", xdp->interface,
			name, strerror(-fd));
	if (info.value_size == value_bytes && info.max_entries == entry_count)
		return fd;
	close(fd);
	return sl_err_set(err, -EPROTO,
		"map '%s' of the XDP program on %s has another layout: the object file is of "
		"another version than this program; see SLUICE_XDP_OBJECT",
		name, xdp->interface);
}

static int open_maps(struct sl_xdp *xdp, struct sl_err *err)
{
	xdp->ports_fd = open_map(
		xdp, SL_PREFILTER_MAP_PORTS, sizeof(uint64_t), SL_PREFILTER_PORT_WORD_COUNT, err);
	if (xdp->ports_fd < 0)
		return xdp->ports_fd;
	xdp->control_fd = open_map(
		xdp, SL_PREFILTER_MAP_CONTROL, sizeof(struct sl_prefilter_control), 1, err);
	if (xdp->control_fd < 0)
		return xdp->control_fd;
	xdp->verdicts_fd = open_map(
		xdp, SL_PREFILTER_MAP_VERDICTS, sizeof(uint64_t), SL_PREFILTER_VERDICT_COUNT, err);
	return SL_MIN(xdp->verdicts_fd, 0);
}

static int find_program(struct sl_xdp *xdp, struct sl_err *err)
{
	struct sl_xdp_attached attached[3];
	int count = sl_xdp_attached_read(xdp->interface_index, attached);

	for (int i = 0; i < count; i++) {
		if (strcmp(attached[i].name, SL_PREFILTER_PROGRAM) == 0) {
			xdp->attached = attached[i];
			return 0;
		}
	}
	return sl_err_set(err, count < 0 ? count : -ENOENT,
		"XDP program '" SL_PREFILTER_PROGRAM "' is not attached to %s", xdp->interface);
}

static int write_control(struct sl_xdp *xdp, bool redirect, struct sl_err *err)
{
	uint32_t key = 0;

	xdp->control = (struct sl_prefilter_control){
		.redirect = redirect,
		.owner_pid = (uint32_t)getpid(),
		.owner_start_ticks = sl_xdp_process_start_ticks((uint32_t)getpid()),
	};
	if (bpf_map_update_elem(xdp->control_fd, &key, &xdp->control, BPF_ANY) == 0)
		return 0;
	return sl_err_set(err, -errno, "cannot switch the XDP program's redirect on %s %s: %s",
		xdp->interface, redirect ? "on" : "off", strerror(errno));
}

static void free_xdp(struct sl_xdp *xdp)
{
	const int fds[] = {xdp->ports_fd, xdp->control_fd, xdp->verdicts_fd};

	for (size_t i = 0; i < SL_ARRAY_COUNT(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(xdp->values);
	free(xdp);
}

struct sl_xdp *sl_xdp_open(const char *interface, struct sl_err *err)
{
	struct sl_xdp *xdp = calloc(1, sizeof(*xdp));
	int rc = libbpf_num_possible_cpus();

	if (xdp == NULL || rc < 0) {
		free(xdp);
		sl_err_set(err, -ENOMEM, "no memory for the XDP program's maps");
		errno = ENOMEM;
		return NULL;
	}
	xdp->cpu_count = (uint32_t)rc;
	xdp->ports_fd = xdp->control_fd = xdp->verdicts_fd = -1;
	snprintf(xdp->interface, sizeof(xdp->interface), "%s", interface);
	xdp->interface_index = (int)if_nametoindex(interface);
	xdp->values = calloc(xdp->cpu_count, sizeof(uint64_t));
	if (xdp->values == NULL)
		rc = sl_err_set(err, -ENOMEM, "no memory for the XDP program's counters");
	else
		rc = find_program(xdp, err);
	if (rc == 0)
		rc = open_maps(xdp, err);
	if (rc == 0)
		rc = write_control(xdp, false, err);
	if (rc != 0) {
		free_xdp(xdp);
		errno = -rc;
		return NULL;
	}
	return xdp;
}

int sl_xdp_set_ports(
	struct sl_xdp *xdp, const uint16_t *udp_ports, uint32_t udp_port_count, struct sl_err *err)
{
	uint64_t words[SL_PREFILTER_PORT_WORD_COUNT] = {0};

	for (uint32_t i = 0; i < udp_port_count; i++)
		words[udp_ports[i] / 64] |= 1ull << (udp_ports[i] % 64);
	for (uint32_t i = 0; i < SL_PREFILTER_PORT_WORD_COUNT; i++) {
		if (bpf_map_update_elem(xdp->ports_fd, &i, &words[i], BPF_ANY) != 0)
			return sl_err_set(err, -errno,
				"cannot write the XDP program's ports on %s: %s", xdp->interface,
				strerror(errno));
	}
	return 0;
}

int sl_xdp_set_redirect(struct sl_xdp *xdp, bool on, struct sl_err *err)
{
	return write_control(xdp, on, err);
}

static int sum_verdict(const struct sl_xdp *xdp, uint32_t verdict, uint64_t *sum)
{
	if (bpf_map_lookup_elem(xdp->verdicts_fd, &verdict, xdp->values) != 0)
		return -errno;
	*sum = 0;
	for (uint32_t cpu = 0; cpu < xdp->cpu_count; cpu++)
		*sum += xdp->values[cpu];
	return 0;
}

int sl_xdp_read_verdicts(const struct sl_xdp *xdp, struct sl_xdp_verdicts *verdicts)
{
	uint64_t sums[SL_PREFILTER_VERDICT_COUNT];

	for (uint32_t i = 0; i < SL_PREFILTER_VERDICT_COUNT; i++) {
		int rc = sum_verdict(xdp, i, &sums[i]);
		if (rc != 0)
			return rc;
	}
	*verdicts = (struct sl_xdp_verdicts){
		.redirect = sums[SL_PREFILTER_REDIRECT],
		.pass = sums[SL_PREFILTER_PASS],
		.pass_off = sums[SL_PREFILTER_PASS_OFF],
		.pass_no_socket = sums[SL_PREFILTER_PASS_NO_SOCKET],
	};
	return 0;
}

void sl_xdp_close(struct sl_xdp *xdp)
{
	struct sl_xdp_attached attached[3];

	if (xdp == NULL)
		return;
	int count = sl_xdp_attached_read(xdp->interface_index, attached);
	for (int i = 0; i < count; i++) {
		if (attached[i].id != xdp->attached.id)
			continue;
		int rc = sl_xdp_attached_detach(xdp->interface_index, &attached[i]);
		if (rc != 0)
			sl_log_warning(COMPONENT,
				"cannot detach '%s' (id %u) from %s: %s; the next start will",
				attached[i].name, attached[i].id, xdp->interface, strerror(-rc));
	}
	free_xdp(xdp);
}
