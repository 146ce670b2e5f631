/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_plan.h"

#include "lcore.h"
#include "port/mempool.h"
#include "port/port.h"
#include "shm.h"
#include "store/lane_setup.h"
#include "store/store.h"

#include <errno.h>
#include <rte_ring_elem.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_ENTRIES_MIN 64u
#define RING_ENTRIES_MAX \
	32768u // what a worker can be behind without being too slow: 2 ms at line rate
#define RING_OVERHEAD_BYTES 512u
#define MALLOC_OVERHEAD_BYTES (2 * SL_BLOCK_BYTES) // rte_malloc's header, and the alignment
#define HUGEPAGE_BYTES (2 * SL_MIB)
// EAL's and the drivers' own in hugepages, and what the allocator cannot use.
#define EAL_BYTES (16 * SL_MIB)
// Heap and written data of DPDK with all drivers of Debian 12 (it loads them all) and of the other
// libraries; their code is the page cache's.
#define PROGRAM_BYTES (7 * SL_MIB)

static void SL_PRINTF(5, 6) add_item(struct sl_memory_plan *plan, const char *name,
	bool is_hugepage, uint64_t bytes, const char *format, ...)
{
	struct sl_memory_item *item = &plan->items[plan->item_count++];
	va_list arguments;

	item->name = name;
	item->bytes = bytes;
	item->is_hugepage = is_hugepage;
	va_start(arguments, format);
	vsnprintf(item->detail, sizeof(item->detail), format, arguments);
	va_end(arguments);
	plan->total_bytes += bytes;
	if (is_hugepage)
		plan->hugepage_bytes += bytes;
}

static uint32_t partition_total(const struct sl_config *config)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < config->stream_count; i++)
		total += config->streams[i].partition_count;
	return total;
}

static bool keeps_source(const struct sl_config *config, uint32_t class_index)
{
	bool keeps = false;

	for (uint32_t i = 0; i < config->stream_count; i++)
		keeps |= config->streams[i].keep_source &&
			config->streams[i].class_index == class_index;
	return keeps;
}

static uint32_t floor_power_of_two(uint32_t value)
{
	return value == 0 ? 0 : 1u << (31 - __builtin_clz(value));
}

// mbufs that ports and caches may hold while nothing is in the rings.
static uint32_t mbufs_outside_rings(const struct sl_config *config, const struct sl_layout *layout,
	const uint32_t *queue_counts)
{
	uint32_t held =
		(layout->lcore_count + 1) * (SL_MEMPOOL_CACHE_COUNT_MAX + 2 * SL_BURST_COUNT_MAX);

	for (uint32_t i = 0; i < config->port_count; i++)
		held += sl_port_mbufs_held(&config->ports[i], queue_counts[i]);
	return held;
}

// Rings between lcores: none when one lcore does everything.
static uint32_t rings_of_rx(const struct sl_layout *layout)
{
	bool is_alone =
		layout->rx_count == 1 && layout->worker_count == 1 && layout->lcore_count == 1;

	return is_alone ? 0 : layout->worker_count;
}

static int plan_mbufs(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const uint32_t *queue_counts, struct sl_err *err)
{
	uint32_t held = mbufs_outside_rings(config, layout, queue_counts);
	uint32_t ring_total = plan->ring_count * layout->rx_count;
	uint32_t left = plan->mbuf_count > held ? plan->mbuf_count - held : 0;

	if (left < SL_BURST_COUNT_MAX)
		return sl_err_set(err, -EINVAL,
			"%s:%u: memory.mbufs: value '%u' is too small: descriptors and caches alone hold %u; set at least %u, or fewer rx_descriptors",
			config->path, config->memory.line, plan->mbuf_count, held, 2 * held);
	if (ring_total == 0)
		return 0;
	plan->ring_entries = config->memory.ring_entries;
	if (plan->ring_entries == 0)
		plan->ring_entries =
			SL_MIN(floor_power_of_two(left / ring_total), RING_ENTRIES_MAX);
	if (plan->ring_entries < (config->memory.ring_entries == 0 ? RING_ENTRIES_MIN : 2) ||
		(uint64_t)plan->ring_entries * ring_total > left)
		return sl_err_set(err, -EINVAL,
			"%s:%u: memory: %u ring%s of %u entries and %u mbufs in descriptors and caches exceed mbufs '%u', so one slow worker could starve the ports; set mbufs to at least %u, or ring_entries lower",
			config->path, config->memory.line, ring_total, ring_total == 1 ? "" : "s",
			SL_MAX(plan->ring_entries, RING_ENTRIES_MIN), held, plan->mbuf_count,
			held + ring_total * SL_MAX(plan->ring_entries, RING_ENTRIES_MIN));
	return 0;
}

// What the start will make of configuration and store.
struct outlook {
	struct sl_store store;
	struct sl_steer_table steer;
	// Partitions by worker and class.
	uint32_t partitions[SL_LCORE_COUNT_MAX][SL_CLASS_COUNT_MAX];
};

static void count_partitions(struct outlook *outlook, const struct sl_config *config)
{
	const struct sl_store_meta *meta = &outlook->store.meta;

	for (uint32_t s = 0; s < meta->header.stream_count; s++) {
		const struct sl_store_meta_stream *stream = &meta->streams[s];
		uint32_t c = 0;

		while (c < config->class_count &&
			outlook->store.meta_index_by_class[c] != stream->class_index)
			c++;
		for (uint32_t p = 0; p < stream->partition_count && c < config->class_count; p++) {
			uint32_t partition = stream->first_partition + p;

			outlook->partitions[outlook->steer.worker_by_partition[partition]][c]++;
		}
	}
}

static uint32_t usable_path_count(const struct sl_config *config)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->store.path_count; i++)
		count += !config->store.is_degraded || access(config->store.paths[i], F_OK) == 0;
	return count;
}

// A lane for each worker and class on each path, as long as there are partitions. Each can take all
// that its worker has of its class.
static void plan_lanes(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const struct outlook *outlook)
{
	uint64_t bytes = 0, heap_bytes = SL_LANE_COUNT_MAX * sizeof(struct sl_store_lane);
	uint32_t lane_count = 0;

	for (uint32_t w = 0; w < layout->worker_count; w++) {
		for (uint32_t c = 0; c < config->class_count; c++) {
			uint32_t partitions = outlook->partitions[w][c];
			uint32_t lanes = SL_MIN(partitions, usable_path_count(config));
			const struct sl_lane_size size = {
				.in_flight_max = config->store.in_flight_max,
				.owned_count = partitions,
				.batch_bytes = config->classes[c].batch_bytes,
				.has_alike = lanes > 1,
				.keep_source = keeps_source(config, c),
			};

			lane_count += lanes;
			bytes += lanes * (sl_lane_memory_bytes(&size) + MALLOC_OVERHEAD_BYTES);
			heap_bytes += lanes * sl_lane_heap_bytes(&size);
		}
	}
	add_item(plan, "batches", true, bytes,
		"%u lanes, for each %u batches under way, an open one, a checkpoint's, with several paths another lane's",
		lane_count, config->store.in_flight_max);
	add_item(
		plan, "lanes", false, heap_bytes, "%u of %u in use", lane_count, SL_LANE_COUNT_MAX);
}

static void plan_rings(struct sl_memory_plan *plan, const struct sl_layout *layout)
{
	ssize_t ring_bytes = plan->ring_count == 0
		? 0
		: rte_ring_get_memsize_elem(
			  sizeof(struct sl_event), rte_align32pow2(plan->ring_entries + 1));

	add_item(plan, "rings", true,
		(uint64_t)layout->rx_count * plan->ring_count *
			((uint64_t)ring_bytes + RING_OVERHEAD_BYTES),
		"%u RX lcores x %u workers, rings of %u events", layout->rx_count, plan->ring_count,
		plan->ring_entries);
}

static void plan_items(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const struct outlook *outlook)
{
	uint32_t partitions = outlook->store.meta.header.partition_count;

	add_item(plan, "mbufs", true, sl_mempool_bytes(plan->mbuf_count, plan->mbuf_data_bytes),
		"%u of %u bytes of data", plan->mbuf_count, plan->mbuf_data_bytes);
	plan_lanes(plan, config, layout, outlook);
	plan_rings(plan, layout);
	add_item(plan, "lcores", true,
		layout->rx_count * sizeof(struct sl_rx) +
			layout->worker_count * sizeof(struct sl_worker) +
			(layout->lcore_count + 1) * sizeof(struct sl_gap_table),
		"%u", layout->lcore_count);
	add_item(plan, "EAL", true, EAL_BYTES, "its own, and what allocating leaves unused");
	add_item(plan, "partitions", false,
		partitions *
			(sizeof(struct sl_partition) + sizeof(struct sl_shm_partition) +
				config->store.path_count * sizeof(uint16_t)),
		"%u, %u of them in the configuration", partitions, partition_total(config));
	add_item(plan, "tables", false,
		sizeof(struct sl_parse_table) + sizeof(struct sl_steer_table),
		"ports and partitions");
	add_item(plan, "keeper", false, SL_KEEPER_FORMAT_BYTES, "zeros for new segments");
	add_item(plan, "program", false, PROGRAM_BYTES, "DPDK, its drivers, and other libraries");
}

static int make(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const uint32_t *queue_counts, struct outlook *outlook,
	struct sl_err *err)
{
	uint64_t rest;

	if (plan_mbufs(plan, config, layout, queue_counts, err) != 0)
		return err->code;
	if (sl_store_foresee(&outlook->store, config, err) != 0)
		return err->code;
	sl_steer_init(&outlook->steer, config, &outlook->store.meta,
		outlook->store.meta_index_by_stream, layout->worker_count);
	count_partitions(outlook, config);
	plan_items(plan, config, layout, outlook);
	rest = SL_ALIGN_UP(plan->hugepage_bytes, HUGEPAGE_BYTES) - plan->hugepage_bytes;
	plan->hugepage_bytes += rest;
	plan->total_bytes += rest;
	sl_store_meta_free(&outlook->store.meta);
	return 0;
}

int sl_memory_plan_make(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const uint32_t *queue_counts, struct sl_err *err)
{
	struct outlook *outlook = calloc(1, sizeof(*outlook));
	int result;

	if (outlook == NULL)
		return sl_err_set(err, -ENOMEM, "memory plan: out of memory");
	memset(plan, 0, sizeof(*plan));
	plan->mbuf_count = config->memory.mbuf_count;
	plan->ring_count = rings_of_rx(layout);
	for (uint32_t i = 0; i < config->port_count; i++)
		plan->mbuf_data_bytes =
			SL_MAX(plan->mbuf_data_bytes, sl_port_data_bytes(&config->ports[i]));
	result = make(plan, config, layout, queue_counts, outlook, err);
	free(outlook);
	return result;
}

void sl_memory_plan_print(const struct sl_memory_plan *plan, FILE *out)
{
	for (uint32_t i = 0; i < plan->item_count; i++) {
		const struct sl_memory_item *item = &plan->items[i];

		fprintf(out, "%-12s %10.1f MiB  %-9s %s\n", item->name,
			(double)item->bytes / (double)SL_MIB,
			item->is_hugepage ? "hugepages" : "heap", item->detail);
	}
	fprintf(out, "%-12s %10.1f MiB  of which %.1f MiB in hugepages: %lu of 2 MiB\n", "sum",
		(double)plan->total_bytes / (double)SL_MIB,
		(double)plan->hugepage_bytes / (double)SL_MIB,
		(unsigned long)(plan->hugepage_bytes / HUGEPAGE_BYTES));
}
