/* SPDX-License-Identifier: BSD-3-Clause */
// Who runs, and in what state.
#include "format/log_format.h"
#include "stats_json_internal.h"

#include <stdio.h>

static const char *const state_names[] = {
	[SL_DATAPLANE_STARTING] = "starting",
	[SL_DATAPLANE_RUNNING] = "running",
	[SL_DATAPLANE_DEGRADED] = "degraded",
	[SL_DATAPLANE_STOPPING] = "stopping",
	[SL_DATAPLANE_STOPPED] = "stopped",
};

static const char *const ledger_names[] = {
	[SL_LEDGER_EXACT] = "exact",
	[SL_LEDGER_LOWER_BOUND] = "lower_bound",
	[SL_LEDGER_BLIND] = "blind",
};

static const char *const durability_names[] = {
	[SL_DURABILITY_NONE] = "none",
	[SL_DURABILITY_WRITTEN] = "written",
	[SL_DURABILITY_DURABLE] = "durable",
};

static json_t *port_status(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_port *port = &shm->ports[index];
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0], port->mac[1],
		port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
	return json_pack("{s:i, s:o, s:o, s:s, s:i, s:s, s:b}", "port", (int)index, "device",
		TEXT(port->device), "interface", TEXT(port->interface), "mac", mac, "queues",
		(int)port->queue_count, "ledger", NAME_OF(ledger_names, port->ledger), "link_up",
		(int)(SL_LOAD(port->link_up) != 0));
}

static json_t *lcore_status(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_lcore *lcore = &shm->lcores[index];
	const char *role = lcore->is_rx == 0 ? "worker"
		: lcore->is_worker == 0      ? "rx"
					     : "rx+worker";

	return json_pack("{s:i, s:i, s:s, s:s, s:I}", "lcore", (int)lcore->lcore_id, "cpu",
		(int)lcore->cpu, "role", role, "stage",
		NAME_OF(sl_stage_names, SL_LOAD(lcore->stage)), "heartbeat",
		COUNT(lcore->heartbeat));
}

static json_t *lane_status(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_lane *lane = &shm->lanes[index];
	json_t *worker =
		lane->worker_index == SL_LANE_NONE ? json_null() : json_integer(lane->worker_index);

	return json_pack("{s:i, s:o, s:o, s:i, s:s, s:s, s:i, s:I, s:I, s:I, s:I}", "lane",
		(int)lane->lane, "class", TEXT(lane->class_name), "worker", worker, "drive",
		(int)lane->drive_index, "durability", NAME_OF(durability_names, lane->durability),
		"state", sl_stats_json_lane_state(SL_LOAD(lane->state)), "in_flight_max",
		(int)lane->in_flight_max, "epoch", COUNT(lane->epoch), "recovered_events",
		COUNT(lane->recovered_events), "recovered_batches", COUNT(lane->recovered_batches),
		"recovery_us", COUNT(lane->recovery_us));
}

static json_t *stream_status(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_stream *stream = &shm->streams[index];

	return json_pack("{s:o, s:i, s:i, s:i, s:i}", "stream", TEXT(stream->name), "udp_port",
		(int)stream->udp_port, "partitions", (int)stream->partition_count,
		"first_partition", (int)stream->first_partition, "class", (int)stream->class_index);
}

json_t *sl_stats_json_status(const struct sl_shm *shm)
{
	const struct sl_shm_header *header = shm->header;

	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "state",
		NAME_OF(state_names, SL_LOAD(header->state)), "pid", (int)header->pid, "version",
		TEXT(header->program_version), "store", TEXT(header->store_path), "config",
		TEXT(header->config_path), "start_ns", COUNT(header->start_ns), "heartbeat_ns",
		COUNT(header->heartbeat_ns), "clock_steps", COUNT(header->clock_step_count),
		"ports", sl_stats_json_array(shm, header->port_count, port_status), "lcores",
		sl_stats_json_array(shm, header->lcore_count, lcore_status), "lanes",
		sl_stats_json_array(shm, header->lane_count, lane_status), "streams",
		sl_stats_json_array(shm, header->stream_count, stream_status));
}
