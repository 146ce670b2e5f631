/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_plan.h"

#include "format/meta.h"
#include "port/mempool.h"
#include "scratch.h"
#include "store/lane_setup.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sl_config config;
static struct sl_layout layout;
static struct sl_memory_plan plan;
static struct sl_err err;
static const uint32_t queue_counts[] = {1};

// One device of 4096 descriptors, one class, 16 partitions; two lcores, one role each.
static void make_config(void)
{
	memset(&config, 0, sizeof(config));
	memset(&layout, 0, sizeof(layout));
	config.path = "test.yaml";
	config.memory.line = 5;
	config.memory.mbuf_count = 65536;
	config.ports[0] =
		(struct sl_config_port){.device = "net_null0", .rx_descriptors = 4096, .line = 1};
	config.port_count = 1;
	config.streams[0].name = "plays";
	config.streams[0].partition_count = 16;
	config.stream_count = 1;
	config.classes[0].name = "default";
	config.classes[0].batch_bytes = 512 * 1024;
	config.class_count = 1;
	config.store.in_flight_max = 8;
	config.store.path_count = 1;
	config.store.paths[0] = "/nonexistent";
	config.store.paths[1] = "/nonexistent";
	config.store.paths[2] = "/nonexistent";
	layout.lcore_count = 2;
	layout.rx_count = 1;
	layout.worker_count = 1;
}

static const struct sl_memory_item *find_item(const char *name)
{
	for (uint32_t i = 0; i < plan.item_count; i++) {
		if (strcmp(plan.items[i].name, name) == 0)
			return &plan.items[i];
	}
	CU_FAIL_FATAL("no such item");
	abort(); // not reached
}

static void sums_are_those_of_the_items(void)
{
	uint64_t total = 0, hugepages = 0, rest;

	make_config();
	CU_ASSERT_EQUAL_FATAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	for (uint32_t i = 0; i < plan.item_count; i++) {
		total += plan.items[i].bytes;
		hugepages += plan.items[i].is_hugepage ? plan.items[i].bytes : 0;
		CU_ASSERT(plan.items[i].detail[0] != '\0');
	}
	// Whole hugepages are taken.
	CU_ASSERT_EQUAL(plan.hugepage_bytes, SL_ALIGN_UP(hugepages, 2 * SL_MIB));
	rest = plan.hugepage_bytes - hugepages;
	CU_ASSERT_EQUAL(plan.total_bytes, total + rest);
	CU_ASSERT_EQUAL(find_item("mbufs")->bytes, sl_mempool_bytes(65536, 2048));
	// 8 under way, the open one, a checkpoint's; and the allocator's header.
	CU_ASSERT_EQUAL(find_item("batches")->bytes, 5 * SL_MIB + 8192);
	// 65536 less 4096 descriptors and three lcores' caches and bursts, to a power of two.
	CU_ASSERT_EQUAL(plan.ring_count, 1);
	CU_ASSERT_EQUAL(plan.ring_entries, 32768);
}

static void rings_never_hold_more_than_the_mbufs_that_are_left(void)
{
	for (uint32_t worker_count = 1; worker_count < 29; worker_count++) {
		make_config();
		layout.worker_count = worker_count;
		layout.lcore_count = 2 + worker_count;
		CU_ASSERT_EQUAL_FATAL(
			sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
		CU_ASSERT_EQUAL(plan.ring_count, worker_count);
		CU_ASSERT(plan.ring_count * plan.ring_entries + 4096 < 65536);
		CU_ASSERT(plan.ring_entries >= 64);
		CU_ASSERT(plan.ring_entries <= 32768);
		CU_ASSERT_EQUAL(plan.ring_entries & (plan.ring_entries - 1), 0);
	}
}

static void one_lcore_that_does_everything_has_no_rings(void)
{
	make_config();
	layout.lcore_count = 1;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	CU_ASSERT_EQUAL(plan.ring_count, 0);
	CU_ASSERT_EQUAL(find_item("rings")->bytes, 0);
	// Two that each do both send to each other.
	layout = (struct sl_layout){.lcore_count = 2, .rx_count = 2, .worker_count = 2};
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	CU_ASSERT_EQUAL(plan.ring_count, 2);
}

static uint64_t lane_bytes(uint32_t partitions, uint32_t batch_bytes, bool has_alike)
{
	const struct sl_lane_size size = {.in_flight_max = 8,
		.owned_count = partitions,
		.batch_bytes = batch_bytes,
		.has_alike = has_alike};

	return sl_lane_memory_bytes(&size) + 8192;
}

static void batches_are_counted_for_each_lane(void)
{
	make_config();
	layout = (struct sl_layout){.lcore_count = 3, .rx_count = 1, .worker_count = 2};
	config.class_count = 2;
	config.classes[1].name = "large";
	config.classes[1].batch_bytes = SL_MIB;
	config.streams[1].name = "scrobbles";
	config.streams[1].partition_count = 2;
	config.streams[1].class_index = 1;
	config.stream_count = 2;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	CU_ASSERT_EQUAL(find_item("batches")->bytes,
		2 * (lane_bytes(8, 512 * 1024, false) + lane_bytes(1, SL_MIB, false)));
	uint64_t large_bytes = 2 * lane_bytes(1, SL_MIB, false);

	// Each worker has one partition of the second class: on one path only.
	config.store.path_count = 3;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	CU_ASSERT_EQUAL(
		find_item("batches")->bytes, 6 * lane_bytes(8, 512 * 1024, true) + large_bytes);
	config.store.is_degraded = true;
	config.store.paths[0] = "/";
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	CU_ASSERT_EQUAL(
		find_item("batches")->bytes, 2 * lane_bytes(8, 512 * 1024, false) + large_bytes);
}

// One stream of 4096 partitions in the class `default`, and one in a class of its own.
static void make_store(const char *path)
{
	struct sl_store_meta meta = {0};

	CU_ASSERT_EQUAL_FATAL(sl_store_meta_resize(&meta, 2, 2, 0, 4096 + 100), 0);
	strcpy(meta.classes[0].name, "default");
	strcpy(meta.classes[1].name, "gone");
	strcpy(meta.streams[0].name, "old");
	meta.streams[0].partition_count = 4096;
	strcpy(meta.streams[1].name, "older");
	meta.streams[1].partition_count = 100;
	meta.streams[1].first_partition = 4096;
	meta.streams[1].class_index = 1;
	CU_ASSERT_EQUAL_FATAL(sl_store_meta_write(&meta, path, &err), 0);
	sl_store_meta_free(&meta);
}

static void streams_that_only_the_store_has_are_counted(void)
{
	char path[64];

	if (!sl_fixture_make_directory(path))
		return;
	make_store(path);
	make_config();
	config.classes[0].batch_bytes = 64 * 1024;
	config.store.paths[0] = path;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	// The class is still there: all its partitions are in each checkpoint.
	CU_ASSERT_EQUAL(find_item("batches")->bytes, lane_bytes(4096 + 16, 64 * 1024, false));
	CU_ASSERT(lane_bytes(4096 + 16, 64 * 1024, false) > lane_bytes(16, 64 * 1024, false));
	CU_ASSERT_STRING_EQUAL(
		find_item("partitions")->detail, "4212, 16 of them in the configuration");
	// What the start would refuse is refused now.
	config.streams[0].name = "old";
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "was made with 4096"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
	sl_fixture_remove_directory(path);
}

static void too_few_mbufs_for_the_descriptors_are_refused(void)
{
	char text[512];
	// Three lcores with 384 in the cache and two bursts of 64 each, and the descriptors.
	uint32_t held = 3 * (384 + 128) + 4096;

	make_config();
	config.memory.mbuf_count = 4096;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), -EINVAL);
	snprintf(text, sizeof(text),
		"test.yaml:5: memory.mbufs: value '4096' is too small: descriptors and caches alone hold %u; set at least %u, or fewer rx_descriptors",
		held, 2 * held);
	CU_ASSERT_STRING_EQUAL(err.text, text);
	// What the line says is enough, is.
	config.memory.mbuf_count = 2 * held;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
}

static void rings_that_could_starve_the_ports_are_refused(void)
{
	char text[512];
	uint32_t held = 3 * (384 + 128) + 4096;

	make_config();
	config.memory.ring_entries = 65536;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), -EINVAL);
	snprintf(text, sizeof(text),
		"test.yaml:5: memory: 1 ring of 65536 entries and %u mbufs in descriptors and caches exceed mbufs '65536', so one slow worker could starve the ports; set mbufs to at least %u, or ring_entries lower",
		held, held + 65536);
	CU_ASSERT_STRING_EQUAL(err.text, text);
	config.memory.mbuf_count = held + 65536;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	CU_ASSERT_EQUAL(plan.ring_entries, 65536);
}

static void the_largest_configuration_is_refused_with_a_number_that_is_right(void)
{
	make_config();
	layout = (struct sl_layout){.lcore_count = 32, .rx_count = 16, .worker_count = 16};
	config.streams[0].partition_count = 4096;
	config.memory.ring_entries = 262144;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "256 rings of 262144 entries"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "set mbufs to at least 67129856,"));
	// Rings of the smallest size are too many still.
	config.memory.ring_entries = 0;
	config.memory.mbuf_count = 33 * (384 + 128) + 4096 + 256 * 32;
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "256 rings of 64 entries"));
}

static void the_printed_table_ends_with_the_sum(void)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	char sum[64];

	make_config();
	CU_ASSERT_EQUAL(sl_memory_plan_make(&plan, &config, &layout, queue_counts, &err), 0);
	sl_memory_plan_print(&plan, out);
	fclose(out);
	for (uint32_t i = 0; i < plan.item_count; i++) {
		CU_ASSERT_PTR_NOT_NULL(strstr(text, plan.items[i].name));
		CU_ASSERT_PTR_NOT_NULL(strstr(text, plan.items[i].detail));
	}
	snprintf(sum, sizeof(sum), "sum          %10.1f MiB",
		(double)plan.total_bytes / (double)SL_MIB);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, sum));
	free(text);
}

static const struct sl_test tests[] = {
	SL_TEST(sums_are_those_of_the_items),
	SL_TEST(rings_never_hold_more_than_the_mbufs_that_are_left),
	SL_TEST(one_lcore_that_does_everything_has_no_rings),
	SL_TEST(batches_are_counted_for_each_lane),
	SL_TEST(streams_that_only_the_store_has_are_counted),
	SL_TEST(too_few_mbufs_for_the_descriptors_are_refused),
	SL_TEST(rings_that_could_starve_the_ports_are_refused),
	SL_TEST(the_largest_configuration_is_refused_with_a_number_that_is_right),
	SL_TEST(the_printed_table_ends_with_the_sum),
};
SL_SUITE(dataplane_memory_plan);
