/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats_json_internal.h"

#include "counters.h"

#include <string.h>
#include <time.h>

static const char *const drive_level_names[] = {
	[SL_DRIVE_OK] = "ok",
	[SL_DRIVE_LOW] = "low",
	[SL_DRIVE_FULL] = "full",
	[SL_DRIVE_MISSING] = "missing",
};

static const char *const drop_stage_names[] = {
	[SL_DROP_STAGE_PARSE] = "parse",
	[SL_DROP_STAGE_STEER] = "steer",
	[SL_DROP_STAGE_APPEND] = "append",
};

static const char *const drop_unit_names[] = {
	[SL_DROP_UNIT_FRAME] = "frames",
	[SL_DROP_UNIT_EVENT] = "events",
};

json_t *sl_stats_json_text(const char *text, size_t bytes_max)
{
	char copy[SL_PATH_BYTES_MAX];
	size_t bytes = strnlen(text, SL_MIN(bytes_max, sizeof(copy)));

	json_t *string = json_stringn(text, bytes);
	if (string != NULL)
		return string;
	for (size_t i = 0; i < bytes; i++)
		copy[i] = (signed char)text[i] < 0 ? '?' : text[i];
	return json_stringn(copy, bytes);
}

json_t *sl_stats_json_array(const struct sl_shm *shm, uint32_t count, sl_stats_json_build_fn *build)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array != NULL && i < count; i++) {
		json_t *item = build(shm, i);
		if (json_is_null(item))
			continue;
		if (json_array_append_new(array, item) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}

const char *sl_stats_json_lane_state(uint32_t state)
{
	static const char *const names[] = {
		[SL_LANE_ACTIVE] = "active",
		[SL_LANE_DISK_FULL] = "disk_full",
		[SL_LANE_FAILED] = "failed",
		[SL_LANE_OWNERLESS] = "ownerless",
		[SL_LANE_MENDING] = "mending",
		[SL_LANE_HALTED] = "halted",
		[SL_LANE_MISSING] = "missing",
	};

	return NAME_OF(names, state);
}

// Adds a member; on failure releases object, which is then NULL for all that follows.
static json_t *with(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static uint64_t counter_of(const void *counters, const struct sl_counter_info *info)
{
	const uint64_t *word = (const void *)((const char *)counters + info->byte_offset);

	return SL_LOAD(*word);
}

static json_t *with_counters(
	json_t *object, const void *counters, const struct sl_counter_info *infos, size_t count)
{
	for (size_t i = 0; i < count; i++)
		object = with(object, infos[i].name,
			json_integer((json_int_t)counter_of(counters, &infos[i])));
	return object;
}

// The drops of one lcore: only reasons of the stages from first to last.
static json_t *with_drops(
	json_t *object, const uint64_t *drops, enum sl_drop_stage first, enum sl_drop_stage last)
{
	json_t *members = json_object();

	for (int i = 0; i < SL_DROP_REASON_COUNT; i++)
		if (sl_drop_infos[i].stage >= first && sl_drop_infos[i].stage <= last)
			members =
				with(members, sl_drop_infos[i].name, json_integer(COUNT(drops[i])));
	return with(object, "drops", members);
}

// ---- stats

static json_t *rx_stats(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_lcore *lcore = &shm->lcores[index];

	if (lcore->is_rx == 0)
		return json_null();
	json_t *object = json_pack("{s:i}", "lcore", (int)lcore->lcore_id);
	object = with_counters(object, &lcore->rx, sl_rx_counter_infos, sl_rx_counter_count);
	return with_drops(object, lcore->rx.drops, SL_DROP_STAGE_PARSE, SL_DROP_STAGE_STEER);
}

static json_t *worker_stats(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_lcore *lcore = &shm->lcores[index];

	if (lcore->is_worker == 0)
		return json_null();
	json_t *object = json_pack("{s:i}", "lcore", (int)lcore->lcore_id);
	object = with_counters(
		object, &lcore->worker, sl_worker_counter_infos, sl_worker_counter_count);
	object = with(object, "open_events", json_integer(COUNT(lcore->worker.open_events)));
	object = with(
		object, "in_flight_events", json_integer(COUNT(lcore->worker.in_flight_events)));
	return with_drops(object, lcore->worker.drops, SL_DROP_STAGE_APPEND, SL_DROP_STAGE_APPEND);
}

static json_t *ring_stats(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_ring *ring = &shm->rings[index];

	if (ring->entry_count == 0)
		return json_null();
	return json_pack("{s:i, s:i, s:i, s:i, s:I, s:I, s:I}", "ring", (int)index, "rx",
		(int)ring->rx_index, "worker", (int)ring->worker_index, "entries",
		(int)ring->entry_count, "enqueued", COUNT(ring->enqueued), "dequeued",
		COUNT(ring->dequeued), "occupancy_max", COUNT(ring->occupancy_max));
}

static json_t *port_stats(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_port *port = &shm->ports[index];
	uint64_t frames = 0;

	for (uint32_t i = 0; i < shm->header->lcore_count; i++)
		frames += SL_LOAD(shm->lcores[i].rx.port_frames[index]);

	json_t *object = json_pack("{s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "port",
		(int)index, "device", TEXT(port->device), "frames", (json_int_t)frames, "ipackets",
		COUNT(port->ipackets), "imissed", COUNT(port->imissed), "ierrors",
		COUNT(port->ierrors), "rx_nombuf", COUNT(port->rx_nombuf), "interface_rx_packets",
		COUNT(port->interface_rx_packets), "interface_rx_dropped",
		COUNT(port->interface_rx_dropped));
	json_t *xdp =
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "redirect", COUNT(port->xdp_redirect),
			"pass", COUNT(port->xdp_pass), "xsk_ring_full", COUNT(port->xsk_ring_full),
			"xsk_fill_empty", COUNT(port->xsk_fill_empty), "xsk_rx_dropped",
			COUNT(port->xsk_rx_dropped), "xsk_in_ring", COUNT(port->xsk_in_ring));
	return with(object, "xdp", xdp);
}

static json_t *lane_stats(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_lane *lane = &shm->lanes[index];

	json_t *object = json_pack(
		"{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"lane", (int)lane->lane, "state", sl_stats_json_lane_state(SL_LOAD(lane->state)),
		"in_flight", (json_int_t)SL_LOAD(lane->in_flight), "segment", COUNT(lane->segment),
		"position", COUNT(lane->position), "batch_number", COUNT(lane->batch_number),
		"watermark_number", COUNT(lane->watermark_number), "durable_mark",
		COUNT(lane->durable_mark), "segments_rolled", COUNT(lane->segments_rolled),
		"segment_count", COUNT(lane->segment_count), "segment_bytes_total",
		COUNT(lane->segment_bytes_total), "segments_expired", COUNT(lane->segments_expired),
		"spare_ready", COUNT(lane->spare_ready), "segments_recycled",
		COUNT(lane->segments_recycled), "segments_unwritten",
		COUNT(lane->segments_unwritten), "unwritten_extents",
		COUNT(lane->unwritten_extents), "segments_aged", COUNT(lane->segments_aged));
	object = with(object, "segments_indexed", json_integer(COUNT(lane->segments_indexed)));
	object = with(object, "indexes_built", json_integer(COUNT(lane->indexes_built)));
	return sl_stats_json_with_errors(object, lane);
}

static json_t *drive_stats(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_drive *drive = &shm->drives[index];

	return json_pack("{s:i, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "drive", (int)index,
		"path", TEXT(drive->path), "level",
		NAME_OF(drive_level_names, SL_LOAD(drive->level)), "total_bytes",
		COUNT(drive->total_bytes), "free_bytes", COUNT(drive->free_bytes), "low_bytes",
		COUNT(drive->low_bytes), "reserve_bytes", COUNT(drive->reserve_bytes), "low_count",
		COUNT(drive->low_count), "full_count", COUNT(drive->full_count));
}

static uint64_t drop_sum(const struct sl_shm *shm, enum sl_drop_reason reason)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shm->header->lcore_count; i++)
		sum += SL_LOAD(shm->lcores[i].rx.drops[reason]) +
			SL_LOAD(shm->lcores[i].worker.drops[reason]);
	return sum;
}

static uint64_t drop_unit_sum(const struct sl_shm *shm, enum sl_drop_unit unit)
{
	uint64_t sum = 0;

	for (int i = 0; i < SL_DROP_REASON_COUNT; i++)
		if (sl_drop_infos[i].unit == unit)
			sum += drop_sum(shm, (enum sl_drop_reason)i);
	return sum;
}

json_t *sl_stats_json_totals(const struct sl_shm *shm)
{
	struct sl_rx_counters rx = {0};
	struct sl_worker_counters worker = {0};

	for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
		const struct sl_shm_lcore *lcore = &shm->lcores[i];
		rx.frames += SL_LOAD(lcore->rx.frames);
		rx.frame_bytes += SL_LOAD(lcore->rx.frame_bytes);
		rx.datagrams += SL_LOAD(lcore->rx.datagrams);
		rx.events += SL_LOAD(lcore->rx.events);
		rx.event_bytes += SL_LOAD(lcore->rx.event_bytes);
		worker.stored += SL_LOAD(lcore->worker.stored);
		worker.stored_bytes += SL_LOAD(lcore->worker.stored_bytes);
		worker.written_bytes += SL_LOAD(lcore->worker.written_bytes);
		worker.batches += SL_LOAD(lcore->worker.batches);
		worker.open_events += SL_LOAD(lcore->worker.open_events);
		worker.in_flight_events += SL_LOAD(lcore->worker.in_flight_events);
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"frames", (json_int_t)rx.frames, "frame_bytes", (json_int_t)rx.frame_bytes,
		"datagrams", (json_int_t)rx.datagrams, "events", (json_int_t)rx.events,
		"event_bytes", (json_int_t)rx.event_bytes, "stored", (json_int_t)worker.stored,
		"stored_bytes", (json_int_t)worker.stored_bytes, "written_bytes",
		(json_int_t)worker.written_bytes, "batches", (json_int_t)worker.batches,
		"open_events", (json_int_t)worker.open_events, "in_flight_events",
		(json_int_t)worker.in_flight_events, "dropped_frames",
		(json_int_t)drop_unit_sum(shm, SL_DROP_UNIT_FRAME), "dropped_events",
		(json_int_t)drop_unit_sum(shm, SL_DROP_UNIT_EVENT));
}

json_t *sl_stats_json_stats(const struct sl_shm *shm)
{
	const struct sl_shm_header *header = shm->header;
	// Not json_pack: it ends where its format does, and what stands behind is lost.
	const struct {
		const char *name;
		json_t *value;
	} members[] = {
		{"totals", sl_stats_json_totals(shm)},
		{"rx", sl_stats_json_array(shm, header->lcore_count, rx_stats)},
		{"workers", sl_stats_json_array(shm, header->lcore_count, worker_stats)},
		{"rings", sl_stats_json_array(shm, header->ring_count, ring_stats)},
		{"ports", sl_stats_json_array(shm, header->port_count, port_stats)},
		{"lanes", sl_stats_json_array(shm, header->lane_count, lane_stats)},
		{"drives", sl_stats_json_array(shm, header->drive_count, drive_stats)},
		{"stages", sl_stats_json_stages(shm)},
		{"latency", sl_stats_json_latency(shm)},
	};
	struct timespec now;
	json_t *stats;

	clock_gettime(CLOCK_REALTIME, &now);
	stats = json_pack(
		"{s:I}", "time_ns", (json_int_t)now.tv_sec * (json_int_t)SL_NS_PER_S + now.tv_nsec);
	for (uint32_t i = 0; i < SL_ARRAY_COUNT(members); i++)
		json_object_set_new(stats, members[i].name, members[i].value);
	return stats;
}

// ---- drops, partitions

static json_t *drop_reason(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_drop_info *info = &sl_drop_infos[index];

	return json_pack("{s:s, s:s, s:s, s:I, s:s}", "reason", info->name, "stage",
		NAME_OF(drop_stage_names, info->stage), "unit",
		NAME_OF(drop_unit_names, info->unit), "count",
		(json_int_t)drop_sum(shm, (enum sl_drop_reason)index), "help", info->help);
}

json_t *sl_stats_json_drops(const struct sl_shm *shm)
{
	return json_pack("{s:o, s:I, s:I}", "reasons",
		sl_stats_json_array(shm, SL_DROP_REASON_COUNT, drop_reason), "dropped_frames",
		(json_int_t)drop_unit_sum(shm, SL_DROP_UNIT_FRAME), "dropped_events",
		(json_int_t)drop_unit_sum(shm, SL_DROP_UNIT_EVENT));
}

static json_t *stream_partitions(const struct sl_shm *shm, uint32_t index)
{
	const struct sl_shm_stream *stream = &shm->streams[index];
	json_t *array = json_array();

	for (uint32_t i = 0; i < stream->partition_count; i++) {
		uint32_t number = stream->first_partition + i;
		if (number >= shm->header->partition_count)
			break;
		const struct sl_shm_partition *partition = &shm->partitions[number];
		json_t *item = json_pack("{s:i, s:i, s:I, s:I}", "partition", (int)i, "number",
			(int)number, "next_offset", COUNT(partition->next_offset), "watermark",
			COUNT(partition->watermark));
		if (json_array_append_new(array, item) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return json_pack("{s:o, s:o}", "stream", TEXT(stream->name), "partitions", array);
}

json_t *sl_stats_json_partitions(const struct sl_shm *shm)
{
	return json_pack("{s:o}", "streams",
		sl_stats_json_array(shm, shm->header->stream_count, stream_partitions));
}
