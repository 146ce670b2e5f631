/* SPDX-License-Identifier: BSD-3-Clause */
#include "layout.h"

#include "suite.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static struct sl_config config;
static struct sl_layout layout;
static struct sl_err err;

static void use_cpus(
	const uint32_t *rx, uint32_t rx_count, const uint32_t *worker, uint32_t worker_count)
{
	memset(&config, 0, sizeof(config));
	config.path = "test.yaml";
	config.lcores.line = 7;
	config.lcores.main_cpu = SL_CPU_AUTO;
	config.lcores.rx_cpu_count = rx_count;
	config.lcores.worker_cpu_count = worker_count;
	for (uint32_t i = 0; i < rx_count; i++)
		config.lcores.rx_cpus[i] = rx[i];
	for (uint32_t i = 0; i < worker_count; i++)
		config.lcores.worker_cpus[i] = worker[i];
}

static void expect_lcore(uint32_t index, uint32_t cpu, uint32_t rx_index, uint32_t worker_index)
{
	CU_ASSERT_EQUAL(layout.lcores[index].lcore_id, index + 1); // 0 is the main lcore
	CU_ASSERT_EQUAL(layout.lcores[index].cpu, cpu);
	CU_ASSERT_EQUAL(layout.lcores[index].rx_index, rx_index);
	CU_ASSERT_EQUAL(layout.lcores[index].worker_index, worker_index);
}

static void a_cpu_in_both_lists_is_one_lcore_that_does_both(void)
{
	use_cpus((const uint32_t[]){4, 5}, 2, (const uint32_t[]){5, 6}, 2);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL_FATAL(layout.lcore_count, 3);
	CU_ASSERT_EQUAL(layout.rx_count, 2);
	CU_ASSERT_EQUAL(layout.worker_count, 2);
	expect_lcore(0, 4, 0, SL_ROLE_NONE);
	expect_lcore(1, 5, 1, 0);
	expect_lcore(2, 6, SL_ROLE_NONE, 1);
}

static void one_list_alone_is_both(void)
{
	use_cpus((const uint32_t[]){3, 2}, 2, NULL, 0);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL_FATAL(layout.lcore_count, 2);
	expect_lcore(0, 3, 0, 0);
	expect_lcore(1, 2, 1, 1);
	use_cpus(NULL, 0, (const uint32_t[]){9}, 1);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL_FATAL(layout.lcore_count, 1);
	expect_lcore(0, 9, 0, 0);
}

static uint32_t allowed_cpu(bool last)
{
	uint32_t found = UINT32_MAX;
	cpu_set_t allowed;

	CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && (last || found == UINT32_MAX))
			found = cpu;
	}
	return found;
}

static void without_lists_one_lcore_on_the_last_cpu_does_everything(void)
{
	use_cpus(NULL, 0, NULL, 0);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL_FATAL(layout.lcore_count, 1);
	expect_lcore(0, allowed_cpu(true), 0, 0);
	CU_ASSERT_EQUAL(layout.main_cpu, allowed_cpu(false));
}

static void the_main_lcore_takes_a_cpu_that_polls_nothing_or_shares_one(void)
{
	uint32_t cpus[SL_LCORE_COUNT_MAX], cpu_count = 0;
	cpu_set_t allowed, saved;

	CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof(saved), &saved), 0);
	// The test leaves itself one CPU: then there is nothing to choose from.
	CPU_ZERO(&allowed);
	CPU_SET(allowed_cpu(true), &allowed);
	CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
	cpus[cpu_count++] = allowed_cpu(true);
	use_cpus(cpus, cpu_count, NULL, 0);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL(layout.main_cpu, cpus[0]);
	use_cpus((const uint32_t[]){cpus[0] + 1}, 1, NULL, 0);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL(layout.main_cpu, cpus[0]);
	config.lcores.main_cpu = 77;
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL(layout.main_cpu, 77);
	CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof(saved), &saved), 0);
}

static void more_lcores_than_there_may_be_are_refused(void)
{
	uint32_t rx[SL_LCORE_COUNT_MAX];
	uint32_t worker = SL_LCORE_COUNT_MAX;

	for (uint32_t i = 0; i < SL_LCORE_COUNT_MAX; i++)
		rx[i] = i;
	use_cpus(rx, SL_LCORE_COUNT_MAX, rx, SL_LCORE_COUNT_MAX);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), 0);
	CU_ASSERT_EQUAL(layout.lcore_count, SL_LCORE_COUNT_MAX);
	use_cpus(rx, SL_LCORE_COUNT_MAX, &worker, 1);
	CU_ASSERT_EQUAL(sl_layout_plan(&layout, &config, &err), -EINVAL);
	CU_ASSERT_STRING_EQUAL(err.text, "test.yaml:7: lcores: more than 32 polling lcores");
}

static const struct sl_test tests[] = {
	SL_TEST(a_cpu_in_both_lists_is_one_lcore_that_does_both),
	SL_TEST(one_list_alone_is_both),
	SL_TEST(without_lists_one_lcore_on_the_last_cpu_does_everything),
	SL_TEST(the_main_lcore_takes_a_cpu_that_polls_nothing_or_shares_one),
	SL_TEST(more_lcores_than_there_may_be_are_refused),
};
SL_SUITE(dataplane_layout);
