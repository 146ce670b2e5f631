/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/config.h"

#include "config_file.h"
#include "suite.h"

#include <errno.h>

static struct sl_config config;
static struct sl_err err;

static void load(const char *text)
{
	struct config_file file;

	config_file_write(&file, text);
	CU_ASSERT_EQUAL_FATAL(sl_config_load(&config, file.path, &err), 0);
	CU_ASSERT_STRING_EQUAL(config.path, file.path);
	config_file_remove(&file);
}

static void minimal_example_loads_with_every_default(void)
{
	CU_ASSERT_EQUAL_FATAL(
		sl_config_load(&config, SL_SOURCE_ROOT "/configs/minimal.yaml", &err), 0);
	CU_ASSERT_STRING_EQUAL(config.path, SL_SOURCE_ROOT "/configs/minimal.yaml");
	CU_ASSERT_STRING_EQUAL(config.runtime_dir, "/run/sluice");
	CU_ASSERT_EQUAL(config.log_level, SL_LOG_INFO);
	CU_ASSERT_EQUAL(config.port_count, 1);
	CU_ASSERT_STRING_EQUAL(config.ports[0].device, "af_xdp:eth0");
	CU_ASSERT_EQUAL(config.ports[0].queues, 0);
	CU_ASSERT_EQUAL(config.ports[0].rx_descriptors, 4096);
	CU_ASSERT_EQUAL(config.ports[0].line, 3);
	CU_ASSERT_EQUAL(config.lcores.rx_cpu_count, 0);
	CU_ASSERT_EQUAL(config.lcores.worker_cpu_count, 0);
	CU_ASSERT_EQUAL(config.lcores.main_cpu, SL_CPU_AUTO);
	CU_ASSERT_EQUAL(config.memory.mbuf_count, 65536);
	CU_ASSERT_EQUAL(config.memory.ring_entries, 0);
	CU_ASSERT_EQUAL(config.stream_count, 1);
	CU_ASSERT_STRING_EQUAL(config.streams[0].name, "plays");
	CU_ASSERT_EQUAL(config.streams[0].udp_port, 9000);
	CU_ASSERT_EQUAL(config.streams[0].partition_count, 16);
	CU_ASSERT_EQUAL(config.streams[0].key_kind, SL_KEY_FLOW);
	CU_ASSERT_EQUAL(config.streams[0].class_index, 0);
	CU_ASSERT_FALSE(config.streams[0].keep_source);
	CU_ASSERT_EQUAL(config.streams[0].line, 5);
	CU_ASSERT_EQUAL(config.class_count, 1);
	CU_ASSERT_STRING_EQUAL(config.classes[0].name, "default");
	CU_ASSERT_EQUAL(config.classes[0].durability, SL_DURABILITY_DURABLE);
	CU_ASSERT_EQUAL(config.classes[0].batch_bytes, 524288);
	CU_ASSERT_EQUAL(config.classes[0].linger_us, 1000);
	CU_ASSERT_EQUAL(config.classes[0].retention_bytes, 0);
	CU_ASSERT_EQUAL(config.classes[0].segment_age_s, 0);
	CU_ASSERT_EQUAL(config.classes[0].retention_age_s, 0);
	CU_ASSERT_EQUAL(config.store.reserve_bytes, config.store.segment_bytes);
	CU_ASSERT_STRING_EQUAL(config.store.paths[0], "/var/lib/sluice");
	CU_ASSERT_EQUAL(config.store.segment_bytes, 1ull << 30);
	CU_ASSERT_EQUAL(config.store.in_flight_max, 8);
	CU_ASSERT_EQUAL(config.store.retry_limit, 5);
	CU_ASSERT_EQUAL(config.store.backoff_us_min, 1000);
	CU_ASSERT_EQUAL(config.store.backoff_us_max, 1000000);
	CU_ASSERT_EQUAL(config.store.ledger_interval_s, 60);
	CU_ASSERT_EQUAL(config.store.line, 8);
	sl_config_free(&config);
}

static void bench_example_loads_and_runs_to_completion(void)
{
	CU_ASSERT_EQUAL_FATAL(
		sl_config_load(&config, SL_SOURCE_ROOT "/configs/bench.yaml", &err), 0);
	CU_ASSERT_EQUAL(config.lcores.rx_cpu_count, 1);
	CU_ASSERT_EQUAL(config.lcores.worker_cpu_count, 1);
	CU_ASSERT_EQUAL(config.lcores.rx_cpus[0], config.lcores.worker_cpus[0]);
	CU_ASSERT_EQUAL(config.streams[0].partition_count, 16);
	CU_ASSERT_EQUAL(config.streams[0].key_bytes, 3);
	CU_ASSERT_EQUAL(config.classes[0].durability, SL_DURABILITY_DURABLE);
	sl_config_free(&config);
}

static void demo_example_loads(void)
{
	CU_ASSERT_EQUAL_FATAL(
		sl_config_load(&config, SL_SOURCE_ROOT "/configs/demo.yaml", &err), 0);
	CU_ASSERT_EQUAL(config.ports[0].queues, 1);
	CU_ASSERT_STRING_EQUAL(config.streams[0].name, "plays");
	CU_ASSERT_EQUAL(config.streams[0].udp_port, 9000);
	CU_ASSERT_EQUAL(config.streams[0].partition_count, 16);
	CU_ASSERT_EQUAL(config.streams[0].key_kind, SL_KEY_BYTES);
	CU_ASSERT_EQUAL(config.streams[0].key_offset, 0);
	CU_ASSERT_EQUAL(config.streams[0].key_bytes, 8);
	CU_ASSERT_STRING_EQUAL(config.classes[0].name, "plays");
	CU_ASSERT_EQUAL(config.classes[0].durability, SL_DURABILITY_DURABLE);
	sl_config_free(&config);
}

static void every_key_of_a_full_file_is_taken(void)
{
	load("runtime_dir: /tmp/run\n"
	     "log_level: debug\n"
	     "ports:\n"
	     "  - {device: \"memif:/run/m.sock\", queues: 2, rx_descriptors: 64}\n"
	     "  - device: 0000:3b:00.0,mprq_en=1\n"
	     "lcores: {rx_cpus: [0], worker_cpus: [0], main_cpu: 0}\n"
	     "memory: {mbufs: 4096, ring_entries: 512}\n"
	     "streams:\n"
	     "  - name: a-1_\n"
	     "    port: 65535\n"
	     "    partitions: 4096\n"
	     "    key: 65506:256\n"
	     "    class: fast\n"
	     "    codec: raw\n"
	     "    keep_source: true\n"
	     "  - {name: b, port: 1, partitions: 1, key: flow}\n"
	     "classes:\n"
	     "  - {name: fast, durability: none, batch_bytes: 65536, linger_us: 0,\n"
	     "     retention_bytes: 83886080, segment_age_s: 60, retention_age_s: 3600}\n"
	     "  - {name: default, durability: written, linger_us: 1000000}\n"
	     "store: {paths: [/s], segment_bytes: 20971520, in_flight_max: 32, reserve_bytes: 5,\n"
	     "  retry_limit: 7, backoff_us_min: 10, backoff_us_max: 20}\n");
	CU_ASSERT_STRING_EQUAL(config.runtime_dir, "/tmp/run");
	CU_ASSERT_EQUAL(config.log_level, SL_LOG_DEBUG);
	CU_ASSERT_EQUAL(config.port_count, 2);
	CU_ASSERT_STRING_EQUAL(config.ports[0].device, "memif:/run/m.sock");
	CU_ASSERT_EQUAL(config.ports[0].queues, 2);
	CU_ASSERT_EQUAL(config.ports[0].rx_descriptors, 64);
	CU_ASSERT_STRING_EQUAL(config.ports[1].device, "0000:3b:00.0,mprq_en=1");
	CU_ASSERT_EQUAL(config.ports[1].line, 5);
	CU_ASSERT_EQUAL(config.lcores.rx_cpu_count, 1);
	CU_ASSERT_EQUAL(config.lcores.rx_cpus[0], 0);
	CU_ASSERT_EQUAL(config.lcores.worker_cpu_count, 1);
	CU_ASSERT_EQUAL(config.lcores.worker_cpus[0], 0);
	CU_ASSERT_EQUAL(config.lcores.main_cpu, 0);
	CU_ASSERT_EQUAL(config.lcores.line, 6);
	CU_ASSERT_EQUAL(config.memory.mbuf_count, 4096);
	CU_ASSERT_EQUAL(config.memory.ring_entries, 512);
	CU_ASSERT_EQUAL(config.memory.line, 7);
	CU_ASSERT_EQUAL(config.stream_count, 2);
	CU_ASSERT_STRING_EQUAL(config.streams[0].name, "a-1_");
	CU_ASSERT_EQUAL(config.streams[0].udp_port, 65535);
	CU_ASSERT_EQUAL(config.streams[0].partition_count, 4096);
	CU_ASSERT_EQUAL(config.streams[0].key_kind, SL_KEY_BYTES);
	CU_ASSERT_EQUAL(config.streams[0].key_offset, 65506);
	CU_ASSERT_EQUAL(config.streams[0].key_bytes, 256);
	CU_ASSERT_EQUAL(config.streams[0].class_index, 0);
	CU_ASSERT_TRUE(config.streams[0].keep_source);
	CU_ASSERT_EQUAL(config.streams[1].key_kind, SL_KEY_FLOW);
	CU_ASSERT_EQUAL(config.streams[1].class_index, 1); // "default" exists
	CU_ASSERT_EQUAL(config.streams[1].line, 16);
	CU_ASSERT_EQUAL(config.class_count, 2);
	CU_ASSERT_EQUAL(config.classes[0].durability, SL_DURABILITY_NONE);
	CU_ASSERT_EQUAL(config.classes[0].batch_bytes, 65536);
	CU_ASSERT_EQUAL(config.classes[0].linger_us, 0);
	CU_ASSERT_EQUAL(config.classes[0].retention_bytes, 83886080);
	CU_ASSERT_EQUAL(config.classes[0].segment_age_s, 60);
	CU_ASSERT_EQUAL(config.classes[0].retention_age_s, 3600);
	CU_ASSERT_EQUAL(config.store.reserve_bytes, 5);
	CU_ASSERT_EQUAL(config.classes[1].durability, SL_DURABILITY_WRITTEN);
	CU_ASSERT_EQUAL(config.classes[1].linger_us, 1000000);
	CU_ASSERT_STRING_EQUAL(config.store.paths[0], "/s");
	CU_ASSERT_EQUAL(config.store.segment_bytes, 20971520);
	CU_ASSERT_EQUAL(config.store.in_flight_max, 32);
	CU_ASSERT_EQUAL(config.store.retry_limit, 7);
	CU_ASSERT_EQUAL(config.store.backoff_us_min, 10);
	CU_ASSERT_EQUAL(config.store.backoff_us_max, 20);
	sl_config_free(&config);
}

static void stream_without_class_gets_the_only_one(void)
{
	load("ports: [{device: \"pcap:/a\"}]\n"
	     "streams: [{name: a, port: 1, partitions: 1}]\n"
	     "classes: [{name: only}]\n"
	     "store: {paths: [/s]}\n");
	CU_ASSERT_STRING_EQUAL(config.classes[config.streams[0].class_index].name, "only");
	sl_config_free(&config);
}

static void ledgers_have_an_interval_of_their_own(void)
{
	load("ports: [{device: \"pcap:/a\"}]\n"
	     "streams: [{name: a, port: 1, partitions: 1}]\n"
	     "store: {paths: [/s], ledger_interval_s: 3}\n");
	CU_ASSERT_EQUAL(config.store.ledger_interval_s, 3);
	sl_config_free(&config);
}

static void free_takes_zeroed_and_failed_configs(void)
{
	struct sl_config zeroed = {0};

	sl_config_free(&zeroed);
	CU_ASSERT_EQUAL(sl_config_load(&config, "/absent.yaml", &err), -ENOENT);
	sl_config_free(&config);
	sl_config_free(&config);
}

static const struct sl_test tests[] = {
	SL_TEST(minimal_example_loads_with_every_default),
	SL_TEST(bench_example_loads_and_runs_to_completion),
	SL_TEST(demo_example_loads),
	SL_TEST(every_key_of_a_full_file_is_taken),
	SL_TEST(stream_without_class_gets_the_only_one),
	SL_TEST(ledgers_have_an_interval_of_their_own),
	SL_TEST(free_takes_zeroed_and_failed_configs),
};
SL_SUITE(common_config);
