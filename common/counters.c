/* SPDX-License-Identifier: BSD-3-Clause */
#include "counters.h"

const struct sl_drop_info sl_drop_infos[SL_DROP_REASON_COUNT] = {
#define SL_DROP(id, name_text, stage_id, unit_id, help_text) \
	[SL_DROP_##id] = { \
		.name = name_text, \
		.help = help_text, \
		.stage = SL_DROP_STAGE_##stage_id, \
		.unit = SL_DROP_UNIT_##unit_id, \
	},
#include "drop_reasons.def"
#undef SL_DROP
};

const char *const sl_stage_names[SL_STAGE_COUNT] = {
#define SL_STAGE(id, name, help) [SL_STAGE_##id] = name,
#include "stages.def"
#undef SL_STAGE
};

const struct sl_timed_stage_info sl_timed_stage_infos[SL_TIMED_STAGE_COUNT] = {
#define SL_TIMED_STAGE(id, name_text, unit_text, help_text) \
	[SL_TIMED_##id] = {.name = name_text, .unit = unit_text, .help = help_text},
#include "timed_stages.def"
#undef SL_TIMED_STAGE
};

const struct sl_counter_info sl_rx_counter_infos[] = {
#define SL_COUNTER(field, unit_text, help_text) \
	{ \
		.name = #field, \
		.unit = unit_text, \
		.help = help_text, \
		.byte_offset = offsetof(struct sl_rx_counters, field), \
	},
#include "rx_counters.def"
#undef SL_COUNTER
};
const size_t sl_rx_counter_count = SL_ARRAY_COUNT(sl_rx_counter_infos);

const struct sl_counter_info sl_worker_counter_infos[] = {
#define SL_COUNTER(field, unit_text, help_text) \
	{ \
		.name = #field, \
		.unit = unit_text, \
		.help = help_text, \
		.byte_offset = offsetof(struct sl_worker_counters, field), \
	},
#include "worker_counters.def"
#undef SL_COUNTER
};
const size_t sl_worker_counter_count = SL_ARRAY_COUNT(sl_worker_counter_infos);
