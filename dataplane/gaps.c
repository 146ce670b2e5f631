/* SPDX-License-Identifier: BSD-3-Clause */
// Who notes losses, and which worker writes them into the log.
#include "dataplane.h"

#include <errno.h>
#include <rte_malloc.h>

static void list_streams(struct sl_dataplane *dataplane)
{
	struct sl_gap_streams *streams = &dataplane->gap_streams;

	streams->count = dataplane->config.stream_count;
	for (uint32_t i = 0; i < streams->count; i++) {
		uint32_t index = dataplane->store.meta_index_by_stream[i];
		const struct sl_store_meta_stream *meta = &dataplane->store.meta.streams[index];

		streams->streams[i] = (struct sl_gap_stream){
			.partition_count = meta->partition_count,
			.first_partition = meta->first_partition,
			.stream = (uint16_t)index,
			.class_index = dataplane->config.streams[i].class_index,
		};
	}
}

int sl_gaps_make(struct sl_dataplane *dataplane, struct sl_err *err)
{
	list_streams(dataplane);
	for (uint32_t i = 0; i <= dataplane->layout.lcore_count; i++) {
		struct sl_gap_table *table = rte_zmalloc("gaps", sizeof(*table), SL_CACHE_LINE);

		if (table == NULL)
			return sl_err_set(err, -ENOMEM,
				"no hugepage memory for gaps; reserve more hugepages");
		table->streams = &dataplane->gap_streams;
		if (i < dataplane->layout.lcore_count)
			dataplane->lcores[i].gaps = table;
		else
			dataplane->port_gaps = table;
	}
	return 0;
}

static void give(struct sl_worker *worker, struct sl_gap_table *table)
{
	worker->gap_tables[worker->gap_table_count++] = table;
}

void sl_gaps_deal(struct sl_dataplane *dataplane)
{
	struct sl_worker *first = NULL; // with a lane; some worker has one

	for (uint32_t i = 0; i < dataplane->layout.lcore_count && first == NULL; i++) {
		struct sl_worker *worker = dataplane->lcores[i].worker;

		if (worker != NULL && worker->lane_count > 0)
			first = worker;
	}
	if (first == NULL)
		return;
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		struct sl_worker *worker = dataplane->lcores[i].worker;
		bool has_lane = worker != NULL && worker->lane_count > 0;

		give(has_lane ? worker : first, dataplane->lcores[i].gaps);
	}
	give(first, dataplane->port_gaps);
}

void sl_gaps_free(struct sl_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->layout.lcore_count; i++) {
		rte_free(dataplane->lcores[i].gaps);
		dataplane->lcores[i].gaps = NULL;
	}
	rte_free(dataplane->port_gaps);
	dataplane->port_gaps = NULL;
}

// ---- what ports lose

static void note_growth(struct sl_dataplane *dataplane, uint32_t port, uint64_t *before,
	uint64_t count, const char *reason, uint64_t now_ns)
{
	const struct sl_gap_key key = {
		.reason = reason,
		.stream = SL_GAP_STREAM_NONE,
		.unit = SL_GAP_FRAMES,
		.port = (uint8_t)(port + 1),
	};

	if (count > *before && dataplane->port_gaps != NULL)
		sl_gap_note(dataplane->port_gaps, &key, count - *before, now_ns);
	*before = count;
}

void sl_gaps_note_ports(struct sl_dataplane *dataplane)
{
	uint64_t now_ns = sl_clock_now_ns(&dataplane->clock);

	for (uint32_t i = 0; i < dataplane->config.port_count; i++) {
		const struct sl_shm_port *port = &dataplane->shm.ports[i];
		struct sl_port_losses *before = &dataplane->port_losses[i];

		note_growth(dataplane, i, &before->missed, port->imissed, "port_missed", now_ns);
		note_growth(dataplane, i, &before->no_mbuf, port->rx_nombuf, "no_mbuf", now_ns);
		note_growth(dataplane, i, &before->ring_full, port->xsk_ring_full, "xsk_ring_full",
			now_ns);
		note_growth(dataplane, i, &before->fill_empty, port->xsk_fill_empty,
			"xsk_fill_empty", now_ns);
		note_growth(dataplane, i, &before->rx_dropped, port->xsk_rx_dropped,
			"xsk_rx_dropped", now_ns);
	}
}
