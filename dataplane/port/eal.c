/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/eal.h"

#include "loader.h"
#include "log.h"
#include "port/eal_log.h"
#include "port/hugepages.h"

#include <errno.h>
#include <linux/capability.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMPONENT "eal"
#define HUGEPAGE_FOLDER "/sys/kernel/mm/hugepages"
#define ARGUMENT_COUNT_MAX (16 + SL_PORT_COUNT_MAX)
// "ID@CPU," for each lcore.
#define LCORES_BYTES_MAX ((SL_LCORE_COUNT_MAX + 1) * 16)

// EAL keeps pointers into its arguments.
static struct {
	char *argv[ARGUMENT_COUNT_MAX + 1];
	int argc;
	char lcores[LCORES_BYTES_MAX];
	char file_prefix[64], memory[32], main_lcore[32];
	char devices[SL_PORT_COUNT_MAX][SL_EAL_ARGUMENT_BYTES_MAX];
} arguments;

static void add(const char *argument)
{
	assert(arguments.argc < ARGUMENT_COUNT_MAX);
	arguments.argv[arguments.argc++] = (char *)(uintptr_t)argument;
	arguments.argv[arguments.argc] = NULL;
}

static void add_lcores(const struct sl_eal_config *config)
{
	size_t length = 0;

	for (uint32_t i = 0; i < config->lcore_count; i++)
		length += (size_t)snprintf(arguments.lcores + length,
			sizeof(arguments.lcores) - length, "%s%u@%u", i == 0 ? "" : ",",
			config->lcores[i].lcore_id, config->lcores[i].cpu);
	add("--lcores");
	add(arguments.lcores);
	snprintf(arguments.main_lcore, sizeof(arguments.main_lcore), "--main-lcore=%u",
		config->lcores[0].lcore_id);
	add(arguments.main_lcore);
}

static void add_devices(const struct sl_eal_config *config)
{
	bool has_pci = false;

	for (uint32_t i = 0; i < config->device_count; i++) {
		snprintf(arguments.devices[i], sizeof(arguments.devices[i]), "%s",
			config->device_arguments[i]);
		add(arguments.devices[i]);
		has_pci |= strncmp(arguments.devices[i], "--allow", 7) == 0;
	}
	if (!has_pci)
		add("--no-pci");
}

static void build_arguments(const struct sl_eal_config *config)
{
	arguments.argc = 0;
	add(config->program);
	add_lcores(config);
	// Nothing of ours is found by other processes, and nothing is left behind by kill -9.
	add("--in-memory");
	add("--no-telemetry");
	// Memory in few files, which memif's zero-copy and virtio_user hand to their peers.
	add("--single-file-segments");
	// AF_XDP needs the mbufs in one piece of virtual memory; physical pieces do not matter.
	add("--iova-mode=va");
	snprintf(arguments.file_prefix, sizeof(arguments.file_prefix), "--file-prefix=sluice-%d",
		(int)getpid());
	add(arguments.file_prefix);
	add("-m");
	snprintf(arguments.memory, sizeof(arguments.memory), "%u", config->memory_mib);
	add(arguments.memory);
	if (config->no_huge)
		add("--no-huge");
	add_devices(config);
}

static int check_cpus(const struct sl_eal_config *config, struct sl_err *err)
{
	long cpu_count = sysconf(_SC_NPROCESSORS_CONF);
	char path[64];

	for (uint32_t i = 0; i < config->lcore_count; i++) {
		snprintf(
			path, sizeof(path), "/sys/devices/system/cpu/cpu%u", config->lcores[i].cpu);
		if (access(path, F_OK) != 0)
			return sl_err_set(err, -EINVAL,
				"lcores: CPU %u does not exist: this machine has CPUs 0 to %ld",
				config->lcores[i].cpu, cpu_count - 1);
	}
	return 0;
}

// CAP_IPC_LOCK: no limit holds for this process.
static bool may_lock_without_limit(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capget, &header, data) == 0 &&
		(data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

// AF_XDP locks the mbufs, io_uring its buffers.
static void raise_locked_memory(uint32_t memory_mib)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit limit;

	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_max < memory_mib * SL_MIB && !may_lock_without_limit())
		sl_log_warning(COMPONENT,
			"only %llu KiB of memory may be locked, %u MiB may be needed: run as root, or "
			"with LimitMEMLOCK=infinity under systemd",
			(unsigned long long)(limit.rlim_max / SL_KIB), memory_mib);
}

int sl_eal_init(const struct sl_eal_config *config, struct sl_err *err)
{
	assert(config->lcore_count > 0 && config->lcore_count <= SL_LCORE_COUNT_MAX + 1);
	assert(config->device_count <= SL_PORT_COUNT_MAX);
	int rc = check_cpus(config, err);
	if (rc == 0 && !config->no_huge)
		rc = sl_hugepages_check(HUGEPAGE_FOLDER, config->memory_mib, err);
	if (rc != 0)
		return rc;
	raise_locked_memory(config->memory_mib);
	rc = sl_eal_log_open();
	if (rc != 0)
		return sl_err_set(err, rc, "cannot forward DPDK's log: %s", strerror(-rc));
	sl_xdp_log_init();
	build_arguments(config);
	if (rte_eal_init(arguments.argc, arguments.argv) < 0) {
		rc = sl_err_set(err, rte_errno == 0 ? -EIO : -rte_errno,
			"DPDK does not start: %s; it says: %s", rte_strerror(rte_errno),
			sl_eal_take_errors());
		sl_eal_log_close();
		return rc;
	}
	// Made for files that --in-memory keeps elsewhere: empty, and kill -9 would leave it.
	(void)rmdir(rte_eal_get_runtime_dir());
	return 0;
}

void sl_eal_fini(void)
{
	(void)rte_eal_cleanup();
	sl_eal_log_close();
}
