/* SPDX-License-Identifier: BSD-3-Clause */
// What the machine has: hugepages, CPUs, interfaces, DPDK's log; ledger classes.
#include "log.h"
#include "port/eal.h"
#include "port/eal_log.h"
#include "port/hugepages.h"
#include "port/interface.h"
#include "port/ledger.h"

#include "suite.h"

#include <errno.h>
#include <rte_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/sluice-system-XXXXXX";

static void write_number(const char *size, const char *name, unsigned number)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, size);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, size, name);
	FILE *file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fprintf(file, "%u\n", number);
	fclose(file);
}

static void remove_numbers(const char *size)
{
	static const char *const names[] = {"free_hugepages", "nr_hugepages", ""};
	char path[256];

	for (size_t i = 0; i < SL_ARRAY_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", folder, size, names[i]);
		(void)remove(path);
	}
}

static void missing_hugepages_are_counted_with_the_command(void)
{
	struct sl_err err = {0};

	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	CU_ASSERT_EQUAL(sl_hugepages_check(folder, 2, &err), -ENOMEM); // no such pages at all
	write_number("hugepages-2048kB", "free_hugepages", 100);
	write_number("hugepages-2048kB", "nr_hugepages", 300);
	CU_ASSERT_EQUAL(sl_hugepages_check(folder, 200, &err), 0);
	CU_ASSERT_EQUAL(sl_hugepages_check(folder, 251, &err), -ENOMEM);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "126 free hugepages of 2 MiB are needed and 100 are free"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'echo 326 > "));
	write_number("hugepages-1048576kB", "free_hugepages", 1);
	CU_ASSERT_EQUAL(sl_hugepages_check(folder, 1224, &err), 0);
	CU_ASSERT_EQUAL(sl_hugepages_check(folder, 1225, &err), -ENOMEM);
	remove_numbers("hugepages-2048kB");
	remove_numbers("hugepages-1048576kB");
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void a_cpu_that_does_not_exist_is_named(void)
{
	const struct sl_eal_config config = {
		.program = "x", .lcores = {{0, 0}, {1, 9999}}, .lcore_count = 2, .no_huge = true};
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_eal_init(&config, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "CPU 9999 does not exist"));
}

static void hugepages_are_checked_before_dpdk_starts(void)
{
	const struct sl_eal_config config = {
		.program = "x", .lcores = {{0, 0}}, .lcore_count = 1, .memory_mib = 1u << 30};
	struct sl_err err = {0};

	CU_ASSERT_EQUAL(sl_eal_init(&config, &err), -ENOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "536870912 free hugepages"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.text, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"));
}

static void errors_of_dpdk_are_kept_for_ours(void)
{
	sl_log_set_level(SL_LOG_ERROR);
	CU_ASSERT_EQUAL_FATAL(sl_eal_log_open(), 0);
	(void)sl_eal_take_errors();
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "inner failed\n");
	rte_log(RTE_LOG_DEBUG, RTE_LOGTYPE_USER1, "of no interest\n");
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "outer failed\n");
	CU_ASSERT_STRING_EQUAL(sl_eal_take_errors(), "inner failed; outer failed");
	CU_ASSERT_STRING_EQUAL(sl_eal_take_errors(), "");
	for (int i = 0; i < 100; i++)
		rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "again and again\n");
	CU_ASSERT_EQUAL(strlen(sl_eal_take_errors()), 511);
	sl_eal_log_close();
	sl_log_set_level(SL_LOG_INFO);
}

static void an_interface_is_asked_by_its_name(void)
{
	struct sl_interface_channels channels = {9, 9};
	struct sl_interface_counters counters;
	uint32_t mtu = 0;

	CU_ASSERT_EQUAL(sl_interface_read_mtu("lo", &mtu), 0);
	CU_ASSERT(mtu >= 1500);
	CU_ASSERT_EQUAL(sl_interface_read_channels("lo", &channels), 0);
	CU_ASSERT_EQUAL(channels.receive, 0);
	CU_ASSERT_EQUAL(channels.combined, 0);
	CU_ASSERT_EQUAL(sl_interface_read_counters("lo", &counters), 0);
	CU_ASSERT_EQUAL(sl_interface_read_mtu("nonesuch0", &mtu), -ENODEV);
	CU_ASSERT_EQUAL(sl_interface_read_channels("nonesuch0", &channels), -ENODEV);
	CU_ASSERT_EQUAL(sl_interface_read_counters("nonesuch0", &counters), -ENODEV);
	CU_ASSERT_EQUAL(sl_interface_read_counters("l", &counters), -ENODEV);
}

static void ledger_class_follows_the_driver(void)
{
	CU_ASSERT_EQUAL(sl_ledger_class("net_af_xdp", true), SL_LEDGER_EXACT);
	CU_ASSERT_EQUAL(sl_ledger_class("net_af_xdp", false), SL_LEDGER_LOWER_BOUND);
	CU_ASSERT_EQUAL(sl_ledger_class("net_pcap", false), SL_LEDGER_EXACT);
	CU_ASSERT_EQUAL(sl_ledger_class("net_memif", false), SL_LEDGER_BLIND);
	CU_ASSERT_EQUAL(sl_ledger_class("net_af_packet", false), SL_LEDGER_BLIND);
	CU_ASSERT_EQUAL(sl_ledger_class("net_ixgbe", false), SL_LEDGER_LOWER_BOUND);
}

static const struct sl_test tests[] = {
	SL_TEST(missing_hugepages_are_counted_with_the_command),
	SL_TEST(a_cpu_that_does_not_exist_is_named),
	SL_TEST(hugepages_are_checked_before_dpdk_starts),
	SL_TEST(errors_of_dpdk_are_kept_for_ours),
	SL_TEST(an_interface_is_asked_by_its_name),
	SL_TEST(ledger_class_follows_the_driver),
};
SL_SUITE(dataplane_port_system);
