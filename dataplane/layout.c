/* SPDX-License-Identifier: BSD-3-Clause */
#include "layout.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static struct sl_layout_lcore *find_or_add(struct sl_layout *layout, uint32_t cpu)
{
	struct sl_layout_lcore *lcore;

	for (uint32_t i = 0; i < layout->lcore_count; i++) {
		if (layout->lcores[i].cpu == cpu)
			return &layout->lcores[i];
	}
	if (layout->lcore_count == SL_LCORE_COUNT_MAX)
		return NULL;
	lcore = &layout->lcores[layout->lcore_count++];
	*lcore = (struct sl_layout_lcore){
		.lcore_id = layout->lcore_count,
		.cpu = cpu,
		.rx_index = SL_ROLE_NONE,
		.worker_index = SL_ROLE_NONE,
	};
	return lcore;
}

static uint32_t last_allowed_cpu(const cpu_set_t *allowed)
{
	uint32_t last = 0;

	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, allowed))
			last = cpu;
	}
	return last;
}

static uint32_t pick_main_cpu(const struct sl_layout *layout, const cpu_set_t *allowed)
{
	uint32_t fallback = layout->lcores[0].cpu;

	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		bool is_polling = false;

		if (!CPU_ISSET(cpu, allowed))
			continue;
		for (uint32_t i = 0; i < layout->lcore_count; i++)
			is_polling |= layout->lcores[i].cpu == cpu;
		if (!is_polling)
			return cpu;
	}
	return fallback;
}

int sl_layout_plan(struct sl_layout *layout, const struct sl_config *config, struct sl_err *err)
{
	const uint32_t *rx_cpus = config->lcores.rx_cpus;
	const uint32_t *worker_cpus = config->lcores.worker_cpus;
	uint32_t rx_count = config->lcores.rx_cpu_count;
	uint32_t worker_count = config->lcores.worker_cpu_count;
	uint32_t automatic_cpu;
	cpu_set_t allowed;

	memset(layout, 0, sizeof(*layout));
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return sl_err_set(
			err, -errno, "cannot read this process's CPUs: %s", strerror(errno));
	automatic_cpu = last_allowed_cpu(&allowed);
	if (rx_count == 0) {
		rx_cpus = worker_count > 0 ? worker_cpus : &automatic_cpu;
		rx_count = worker_count > 0 ? worker_count : 1;
	}
	if (worker_count == 0) {
		worker_cpus = rx_cpus;
		worker_count = rx_count;
	}
	for (uint32_t i = 0; i < rx_count + worker_count; i++) {
		bool is_rx = i < rx_count;
		struct sl_layout_lcore *lcore =
			find_or_add(layout, is_rx ? rx_cpus[i] : worker_cpus[i - rx_count]);

		if (lcore == NULL)
			return sl_err_set(err, -EINVAL,
				"%s:%u: lcores: more than %u polling lcores", config->path,
				config->lcores.line, SL_LCORE_COUNT_MAX);
		if (is_rx)
			lcore->rx_index = layout->rx_count++;
		else
			lcore->worker_index = layout->worker_count++;
	}
	layout->main_cpu = config->lcores.main_cpu != SL_CPU_AUTO ? config->lcores.main_cpu
								  : pick_main_cpu(layout, &allowed);
	return 0;
}
