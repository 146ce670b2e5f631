/* SPDX-License-Identifier: BSD-3-Clause */
// The store at work: its drives and lanes, as `sluicectl store status` shows them.
#include "stats_json_internal.h"

#include "latency.h"

#include <string.h>

// The members of the tables of status and stats that belong to one lane.
static const char *const status_keys[] = {
	"class", "worker", "drive", "durability", "in_flight_max"};
static const char *const stats_keys[] = {"lane", "state", "breaker", "breaker_opened", "in_flight",
	"segment", "position", "segment_count", "segment_bytes_total", "spare_ready", "writes",
	"write_ns_max", "writes_failed", "segments_mended", "batches_rewritten", "write_error",
	"partitions", "rehomed", "partitions_rehomed", "batches_rehomed"};

static const char *breaker_name(uint32_t breaker)
{
	static const char *const names[] = {
		[SL_BREAKER_CLOSED] = "closed",
		[SL_BREAKER_OPEN] = "open",
		[SL_BREAKER_HALF_OPEN] = "half_open",
	};

	return NAME_OF(names, breaker);
}

json_t *sl_stats_json_with_errors(json_t *object, const struct sl_shm_lane *lane)
{
	int error = SL_LOAD(lane->write_error);
	json_t *errors = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I}", "breaker",
		breaker_name(SL_LOAD(lane->breaker)), "breaker_opened", COUNT(lane->breaker_opened),
		"writes", COUNT(lane->write_count), "write_ns_total", COUNT(lane->write_ns_total),
		"write_ns_max", COUNT(lane->write_ns_max), "writes_failed",
		COUNT(lane->writes_failed), "segments_mended", COUNT(lane->segments_mended),
		"batches_rewritten", COUNT(lane->batches_rewritten), "write_error",
		error == 0 ? json_null() : json_string(strerror(-error)), "partitions",
		COUNT(lane->partition_count), "rehomed", COUNT(lane->rehomed), "partitions_rehomed",
		COUNT(lane->partitions_rehomed), "batches_rehomed", COUNT(lane->batches_rehomed));

	if (object == NULL || errors == NULL || json_object_update(object, errors) != 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(errors);
	return object;
}

static int copy_keys(json_t *target, const json_t *source, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (json_object_set(target, keys[i], json_object_get(source, keys[i])) != 0)
			return -1;
	}
	return 0;
}

static double latency_us(const struct sl_latency *latency, uint32_t per_mille)
{
	return (double)sl_latency_percentile_ns(latency, per_mille) / 1e3;
}

static json_t *lane_json(
	const struct sl_shm *shm, uint32_t index, const json_t *status, const json_t *stats)
{
	const struct sl_shm_lane *lane = &shm->lanes[index];
	uint64_t write_count = SL_LOAD(lane->write_count);
	struct sl_latency latency = {0};
	json_t *object;

	sl_latency_add(&latency, &lane->latency);
	object = json_pack("{s:f, s:f, s:f}", "write_us_mean",
		write_count == 0
			? 0.0
			: (double)SL_LOAD(lane->write_ns_total) / 1e3 / (double)write_count,
		"stored_us_p50", latency_us(&latency, 500), "stored_us_p99",
		latency_us(&latency, 990));
	if (object == NULL ||
		copy_keys(object, status, status_keys, SL_ARRAY_COUNT(status_keys)) != 0 ||
		copy_keys(object, stats, stats_keys, SL_ARRAY_COUNT(stats_keys)) != 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

// Of the lanes of a drive, the breaker as the last one that asked found it; closed when none did.
static json_t *breaker_of(const struct sl_shm *shm, uint32_t drive, const json_t *lane_stats)
{
	json_t *breaker = json_string("closed");

	for (uint32_t i = 0; i < shm->header->lane_count; i++) {
		if (shm->lanes[i].drive_index != drive ||
			SL_LOAD(shm->lanes[i].breaker) == SL_BREAKER_CLOSED)
			continue;
		json_decref(breaker);
		breaker = json_incref(json_object_get(json_array_get(lane_stats, i), "breaker"));
	}
	return breaker;
}

json_t *sl_stats_json_store(const struct sl_shm *shm)
{
	json_t *status = sl_stats_json_status(shm), *stats = sl_stats_json_stats(shm);
	const json_t *lane_status = json_object_get(status, "lanes");
	const json_t *lane_stats = json_object_get(stats, "lanes");
	json_t *drives = json_deep_copy(json_object_get(stats, "drives"));
	json_t *lanes = json_array();
	json_t *document = NULL;
	bool is_whole = status != NULL && stats != NULL && drives != NULL && lanes != NULL;

	for (uint32_t i = 0; is_whole && i < shm->header->drive_count; i++)
		is_whole = json_object_set_new(json_array_get(drives, i), "breaker",
				   breaker_of(shm, i, lane_stats)) == 0;
	for (uint32_t i = 0; is_whole && i < shm->header->lane_count; i++)
		is_whole = json_array_append_new(lanes,
				   lane_json(shm, i, json_array_get(lane_status, i),
					   json_array_get(lane_stats, i))) == 0;
	if (is_whole)
		document = json_pack("{s:O, s:O, s:O, s:O}", "store",
			json_object_get(status, "store"), "state", json_object_get(status, "state"),
			"drives", drives, "lanes", lanes);
	json_decref(drives);
	json_decref(lanes);
	json_decref(status);
	json_decref(stats);
	return document;
}
