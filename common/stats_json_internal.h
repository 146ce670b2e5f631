/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files of stats_json: stats_json.c (figures), stats_json_status.c (who and in what
// state), stats_json_store.c (the store at work), stats_json_report.c (ledger and final report).
// Nobody else includes this.
#pragma once

#include "shm.h"
#include "stats_json.h"

// json_int_t has 63 bits of value: 10^9 frames a second reach them after 292 years.
#define COUNT(word) ((json_int_t)SL_LOAD(word))

// Words in the segment come from another process: an index is checked before it is used.
#define NAME_OF(names, index) \
	((index) < SL_ARRAY_COUNT(names) && (names)[index] != NULL ? (names)[index] : "unknown")

// A text of the segment. A path need not be UTF-8, JSON must be: other bytes become '?'.
json_t *sl_stats_json_text(const char *text, size_t bytes_max);
#define TEXT(array) sl_stats_json_text((array), sizeof(array))

// An array of what build makes of each index; an index that build answers with JSON null is left
// out.
typedef json_t *sl_stats_json_build_fn(const struct sl_shm *shm, uint32_t index);
json_t *sl_stats_json_array(
	const struct sl_shm *shm, uint32_t count, sl_stats_json_build_fn *build);

const char *sl_stats_json_lane_state(uint32_t state);
