/* SPDX-License-Identifier: BSD-3-Clause */
// What is attached to an interface, and making room on it.
#include "loader.h"
#include "loader_internal.h"
#include "log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMPONENT "xdp"

static int read_name(uint32_t program_id, char name[16])
{
	struct bpf_prog_info info = {0};
	uint32_t info_bytes = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);

	if (fd < 0)
		return -errno;
	int rc = bpf_obj_get_info_by_fd(fd, &info, &info_bytes) == 0 ? 0 : -errno;
	close(fd);
	if (rc == 0)
		memcpy(name, info.name, 16);
	return rc;
}

int sl_xdp_attached_read(int interface_index, struct sl_xdp_attached attached[3])
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int count = 0;
	int rc = bpf_xdp_query(interface_index, 0, &query);

	if (rc != 0)
		return rc;
	const struct sl_xdp_attached found[] = {
		{.id = query.drv_prog_id, .mode_flags = XDP_FLAGS_DRV_MODE},
		{.id = query.skb_prog_id, .mode_flags = XDP_FLAGS_SKB_MODE},
		{.id = query.hw_prog_id, .mode_flags = XDP_FLAGS_HW_MODE},
	};
	for (size_t i = 0; i < SL_ARRAY_COUNT(found); i++) {
		if (found[i].id == 0)
			continue;
		attached[count] = found[i];
		// It can go between the two calls: then it is not attached any more.
		rc = read_name(found[i].id, attached[count].name);
		if (rc == -ENOENT)
			continue;
		if (rc != 0)
			return rc;
		count++;
	}
	return count;
}

int sl_xdp_attached_detach(int interface_index, const struct sl_xdp_attached *attached)
{
	int fd = bpf_prog_get_fd_by_id(attached->id);

	if (fd < 0)
		return -errno;
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = fd);
	int rc =
		bpf_xdp_detach(interface_index, attached->mode_flags | XDP_FLAGS_REPLACE, &options);
	close(fd);
	return rc;
}

int sl_xdp_map_open(uint32_t program_id, const char *name, struct bpf_map_info *info)
{
	uint32_t map_ids[16];
	struct bpf_prog_info program_info = {
		.map_ids = (uintptr_t)map_ids,
		.nr_map_ids = SL_ARRAY_COUNT(map_ids),
	};
	uint32_t program_info_bytes = sizeof(program_info);
	int fd = bpf_prog_get_fd_by_id(program_id);

	if (fd < 0)
		return -errno;
	int rc = bpf_obj_get_info_by_fd(fd, &program_info, &program_info_bytes);
	close(fd);
	if (rc != 0)
		return -errno;
	uint32_t map_count = SL_MIN(program_info.nr_map_ids, SL_ARRAY_COUNT(map_ids));
	for (uint32_t i = 0; i < map_count; i++) {
		struct bpf_map_info found = {0};
		uint32_t bytes = sizeof(found);

		fd = bpf_map_get_fd_by_id(map_ids[i]);
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &found, &bytes) == 0 &&
			strcmp(found.name, name) == 0) {
			*info = found;
			return fd;
		}
		close(fd);
	}
	return -ENOENT;
}

uint64_t sl_xdp_process_start_ticks(uint32_t pid)
{
	unsigned long long start_ticks;
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	size_t bytes = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[bytes] = 0;
	// The command's name is in brackets and may hold anything; behind the last one comes
	// field 3.
	const char *fields = strrchr(line, ')');
	if (fields == NULL ||
		sscanf(fields + 1,
			" %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			"%*s %llu",
			&start_ticks) != 1)
		return 0;
	return start_ticks;
}

// The pid that owns the program and is alive, or 0.
static uint32_t live_owner(uint32_t program_id)
{
	struct sl_prefilter_control control;
	struct bpf_map_info info;
	uint32_t key = 0;
	int fd = sl_xdp_map_open(program_id, SL_PREFILTER_MAP_CONTROL, &info);

	if (fd < 0)
		return 0;
	bool is_read =
		info.value_size == sizeof(control) && bpf_map_lookup_elem(fd, &key, &control) == 0;
	close(fd);
	if (!is_read || control.owner_pid == 0 || control.owner_pid == (uint32_t)getpid())
		return 0;
	uint64_t start_ticks = sl_xdp_process_start_ticks(control.owner_pid);
	return start_ticks != 0 && start_ticks == control.owner_start_ticks ? control.owner_pid : 0;
}

static int make_room(const char *interface, int interface_index,
	const struct sl_xdp_attached *attached, struct sl_err *err)
{
	if (strcmp(attached->name, SL_PREFILTER_PROGRAM) != 0)
		return sl_err_set(err, -EBUSY,
			"XDP program '%s' (id %u) is attached to %s and is not ours: detach it with "
			"'ip link set dev %s xdp off', or choose another interface",
			attached->name, attached->id, interface, interface);
	uint32_t pid = live_owner(attached->id);
	if (pid != 0)
		return sl_err_set(err, -EBUSY,
			"%s is served by another running data plane (pid %u): stop it first, or "
			"choose another interface",
			interface, pid);
	int rc = sl_xdp_attached_detach(interface_index, attached);
	if (rc != 0)
		return sl_err_set(err, rc,
			"cannot detach the stale XDP program '%s' (id %u) from %s: %s",
			attached->name, attached->id, interface, strerror(-rc));
	sl_log_notice(COMPONENT,
		"detached a stale '%s' (id %u) from %s: the data plane that attached it was killed",
		attached->name, attached->id, interface);
	return 1;
}

int sl_xdp_detach_stale(const char *interface, struct sl_err *err)
{
	struct sl_xdp_attached attached[3];
	int interface_index = (int)if_nametoindex(interface);
	int detached = 0;

	if (interface_index == 0)
		return sl_err_set(err, -ENODEV, "no interface '%s': see 'ip link'", interface);
	int count = sl_xdp_attached_read(interface_index, attached);
	if (count < 0)
		return sl_err_set(err, count,
			"cannot ask which XDP program is attached to %s: %s; run as root",
			interface, strerror(-count));
	for (int i = 0; i < count; i++) {
		int rc = make_room(interface, interface_index, &attached[i], err);
		if (rc < 0)
			return rc;
		detached = 1;
	}
	return detached;
}
