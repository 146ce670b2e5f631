/* SPDX-License-Identifier: BSD-3-Clause */
// What the stages take.
#include "counters.h"
#include "shm.h"
#include "stats_json.h"

static json_t *stage_json(const struct sl_shm_lcore *lcore, enum sl_timed_stage stage)
{
	const struct sl_timed_stage_info *info = &sl_timed_stage_infos[stage];
	const struct sl_stage_cycles *spent = &lcore->cycles.stages[stage];
	uint64_t cycles = SL_LOAD(spent->cycles), count = SL_LOAD(spent->count);
	uint64_t elapsed = SL_LOAD(lcore->cycles.elapsed);
	json_t *each = count == 0 ? json_null() : json_real((double)cycles / (double)count);
	json_t *share =
		elapsed == 0 ? json_null() : json_real(100 * (double)cycles / (double)elapsed);

	return json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "lcore",
		(int)lcore->lcore_id, "stage", info->name, "unit", info->unit, "calls",
		(json_int_t)SL_LOAD(spent->calls), "count", (json_int_t)count, "cycles",
		(json_int_t)cycles, "cycles_max", (json_int_t)SL_LOAD(spent->cycles_max),
		"cycles_per_event", each, "share_percent", share);
}

json_t *sl_stats_json_stages(const struct sl_shm *shm)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < shm->header->lcore_count; i++) {
		const struct sl_shm_lcore *lcore = &shm->lcores[i];

		for (int stage = 0; stage < SL_TIMED_STAGE_COUNT; stage++) {
			if (SL_LOAD(lcore->cycles.stages[stage].calls) == 0)
				continue;
			json_t *item = stage_json(lcore, (enum sl_timed_stage)stage);
			if (json_array_append_new(array, item) != 0) {
				json_decref(array);
				return NULL;
			}
		}
	}
	return array;
}
