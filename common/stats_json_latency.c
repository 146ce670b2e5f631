/* SPDX-License-Identifier: BSD-3-Clause */
// How long it took from receive to stored.
#include "latency.h"
#include "shm.h"
#include "stats_json.h"

static json_t *buckets_json(const struct sl_latency *latency)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < SL_LATENCY_BUCKET_COUNT; i++) {
		uint64_t last_ns = sl_latency_bucket_last_ns(i);

		if (latency->buckets[i] == 0)
			continue;
		// The last bucket is open: its end is the longest duration seen.
		json_t *item = json_pack("{s:I, s:I}", "last_ns",
			(json_int_t)(last_ns == UINT64_MAX ? latency->max_ns : last_ns), "events",
			(json_int_t)latency->buckets[i]);
		if (json_array_append_new(array, item) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *percentile_json(const struct sl_latency *latency, uint32_t per_mille)
{
	return json_real((double)sl_latency_percentile_ns(latency, per_mille) / 1e3);
}

// Of a copy: the buckets and what is computed from them are those of one moment.
static json_t *latency_json(const struct sl_latency *latency)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:f, s:o}", "events",
		(json_int_t)sl_latency_event_count(latency), "p50_us",
		percentile_json(latency, 500), "p95_us", percentile_json(latency, 950), "p99_us",
		percentile_json(latency, 990), "p999_us", percentile_json(latency, 999), "max_us",
		(double)latency->max_ns / 1e3, "buckets", buckets_json(latency));
}

json_t *sl_stats_json_latency(const struct sl_shm *shm)
{
	struct sl_latency sum = {0};
	json_t *lanes = json_array();

	for (uint32_t i = 0; i < shm->header->lane_count; i++) {
		struct sl_latency latency = {0};

		sl_latency_add(&latency, &shm->lanes[i].latency);
		if (sl_latency_event_count(&latency) == 0)
			continue;
		sl_latency_add(&sum, &latency);
		json_t *item = latency_json(&latency);
		if (json_object_set_new(item, "lane", json_integer(shm->lanes[i].lane)) != 0 ||
			json_array_append_new(lanes, item) != 0) {
			json_decref(lanes);
			return NULL;
		}
	}
	json_t *all = latency_json(&sum);
	if (json_object_set_new(all, "lanes", lanes) == 0)
		return all;
	json_decref(all);
	return NULL;
}
