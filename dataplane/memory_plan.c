/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_plan.h"

#include "lcore.h"
#include "port/mempool.h"
#include "port/port.h"
#include "shm.h"
#include "store/lane_setup.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define RING_ENTRIES_MIN 64u
#define RING_ENTRIES_MAX \
	32768u // what a worker can be behind without being too slow: 2 ms at line rate
#define RING_OVERHEAD_BYTES 512u

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

static void plan_lanes(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, uint32_t partitions)
{
	uint64_t bytes = 0;
	uint32_t share = (partitions + layout->worker_count - 1) / layout->worker_count;

	for (uint32_t i = 0; i < config->class_count; i++)
		bytes += layout->worker_count * config->store.path_count *
			SL_ALIGN_UP(sl_lane_memory_bytes(config->store.in_flight_max, share,
					    config->classes[i].batch_bytes),
				2 * SL_MIB);
	add_item(plan, "batches", true, bytes,
		"%u workers x %u classes x %u paths, %u under way in each lane, an open one, a checkpoint's",
		layout->worker_count, config->class_count, config->store.path_count,
		config->store.in_flight_max);
}

int sl_memory_plan_make(struct sl_memory_plan *plan, const struct sl_config *config,
	const struct sl_layout *layout, const uint32_t *queue_counts, struct sl_err *err)
{
	uint32_t partitions = partition_total(config);

	memset(plan, 0, sizeof(*plan));
	plan->mbuf_count = config->memory.mbuf_count;
	plan->ring_count = rings_of_rx(layout);
	for (uint32_t i = 0; i < config->port_count; i++)
		plan->mbuf_data_bytes =
			SL_MAX(plan->mbuf_data_bytes, sl_port_data_bytes(&config->ports[i]));
	if (plan_mbufs(plan, config, layout, queue_counts, err) != 0)
		return err->code;
	add_item(plan, "mbufs", true, sl_mempool_bytes(plan->mbuf_count, plan->mbuf_data_bytes),
		"%u of %u bytes of data", plan->mbuf_count, plan->mbuf_data_bytes);
	plan_lanes(plan, config, layout, partitions);
	add_item(plan, "rings", true,
		(uint64_t)layout->rx_count * plan->ring_count *
			(plan->ring_entries * sizeof(struct sl_event) + RING_OVERHEAD_BYTES),
		"%u RX lcores x %u workers, rings of %u events", layout->rx_count, plan->ring_count,
		plan->ring_entries);
	add_item(plan, "lcores", true,
		layout->rx_count * sizeof(struct sl_rx) +
			layout->worker_count * sizeof(struct sl_worker),
		"%u", layout->lcore_count);
	add_item(plan, "partitions", false,
		partitions *
			(sizeof(struct sl_partition) + sizeof(struct sl_shm_partition) +
				sizeof(uint16_t)),
		"%u", partitions);
	add_item(plan, "tables", false,
		sizeof(struct sl_parse_table) + sizeof(struct sl_steer_table),
		"ports and partitions");
	return 0;
}

void sl_memory_plan_print(const struct sl_memory_plan *plan, FILE *out)
{
	for (uint32_t i = 0; i < plan->item_count; i++) {
		const struct sl_memory_item *item = &plan->items[i];

		fprintf(out, "%-12s %10.1f MiB  %-9s %s\n", item->name,
			(double)item->bytes / (double)SL_MIB,
			item->is_hugepage ? "hugepages" : "heap", item->detail);
	}
	fprintf(out, "%-12s %10.1f MiB  of which %.1f MiB in hugepages, besides EAL's own\n", "sum",
		(double)plan->total_bytes / (double)SL_MIB,
		(double)plan->hugepage_bytes / (double)SL_MIB);
}
