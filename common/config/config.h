/* SPDX-License-Identifier: BSD-3-Clause */
// The configuration of an appliance: one YAML file, schema-checked by libcyaml, then checked for
// meaning. What sl_config_load() returns is valid and complete: defaults are filled in. Const after
// start. Thread rule: load and free on one thread; read-only from then on.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "format/log_format.h"
#include "log.h"

enum sl_key_kind { SL_KEY_FLOW, SL_KEY_BYTES };

struct sl_config_port {
	const char *device; // "af_xdp:IFACE", "memif:SOCKET", "memif-client:SOCKET", "pcap:FILE",
			    // or DPDK devargs
	uint32_t queues; // RX queues; 0: as many as there are RX lcores and the device has
	uint32_t rx_descriptors; // power of two; default 4096
	uint32_t line; // in the file, for errors
};

struct sl_config_stream {
	const char *name;
	uint16_t udp_port;
	uint32_t partition_count;
	enum sl_key_kind key_kind;
	uint32_t key_offset, key_bytes; // when SL_KEY_BYTES
	uint32_t class_index; // into classes
	bool keep_source;
	uint32_t line;
};

struct sl_config_class {
	const char *name;
	enum sl_durability durability; // default durable
	uint32_t batch_bytes; // multiple of 4096; default 524288
	uint32_t linger_us; // default 1000, at most 1,000,000
	uint64_t retention_bytes; // over the whole store; 0: keep everything
	uint64_t segment_age_s; // a segment with events is rolled at this age; 0: never
	uint64_t retention_age_s; // a segment expires when its last event is older; 0: never
	uint32_t line;
};

struct sl_config {
	const char *path; // of the file
	const char *runtime_dir; // default /run/sluice
	enum sl_log_level log_level;
	struct sl_config_port ports[SL_PORT_COUNT_MAX];
	uint32_t port_count;
	struct sl_config_stream streams[SL_STREAM_COUNT_MAX];
	uint32_t stream_count;
	struct sl_config_class classes[SL_CLASS_COUNT_MAX]; // one "default" when the file has none
	uint32_t class_count;
	struct {
		const char *paths[SL_STORE_PATH_COUNT_MAX];
		uint32_t path_count;
		bool is_degraded; // from the command line: a path of the store may be missing
		uint64_t segment_bytes; // multiple of 4096; default 1 GiB
		uint64_t format_bytes_per_s; // new segments are written once ahead at this rate
		uint64_t reserve_bytes; // free space that births leave; default segment_bytes
		uint32_t in_flight_max; // batches under way in one lane; default 8
		uint32_t retry_limit; // tries after a failed write before the breaker opens
		uint64_t backoff_us_min, backoff_us_max; // before the first, and the longest
		uint64_t ledger_interval_s;
		uint32_t line;
	} store;
	struct {
		uint32_t rx_cpus[SL_LCORE_COUNT_MAX], rx_cpu_count; // 0: automatic
		uint32_t worker_cpus[SL_LCORE_COUNT_MAX], worker_cpu_count; // 0: automatic
		uint32_t main_cpu; // SL_CPU_AUTO: any CPU that no polling lcore has
		bool stage_cycles; // measure what each stage takes
		uint32_t line;
	} lcores;
	struct {
		uint32_t mbuf_count; // default 65536
		uint32_t ring_entries; // of one ring; power of two; 0: derived from mbuf_count
		uint32_t line;
	} memory;
	void *storage; // owns every string above
};

#define SL_CPU_AUTO UINT32_MAX

// Reads, checks and completes the file. On failure returns a negative errno, and err->text is one
// line: file, line, key, value, what would be right. The caller owns *config: sl_config_free().
int sl_config_load(struct sl_config *config, const char *path, struct sl_err *err);

// Legal on a zeroed or failed config.
void sl_config_free(struct sl_config *config);
