/* SPDX-License-Identifier: BSD-3-Clause */
// Measures stages in cycles of the TSC. A loop is compiled twice: with NULL for cycles all of this
// folds away, so that it costs nothing where lcores.stage_cycles is off. Thread rule: the lcore
// that owns the cycles.
#pragma once

#include "base.h"
#include "counters.h"

#include <x86intrin.h>

// The beginning of a lap. What was measured before it belongs to no lap.
static inline uint64_t sl_lap_start(struct sl_lcore_cycles *cycles)
{
	if (cycles == NULL)
		return 0;
	cycles->nested = 0;
	return __rdtsc();
}

static inline void sl_lap_count(struct sl_stage_cycles *spent, uint64_t count, uint64_t cycle_count)
{
	SL_STORE(spent->cycles, spent->cycles + cycle_count);
	SL_STORE(spent->cycles_max, SL_MAX(spent->cycles_max, cycle_count));
	SL_STORE(spent->count, spent->count + count);
	SL_STORE(spent->calls, spent->calls + 1);
}

// Ends the lap that began at *lap_tsc as one call of stage that dealt with count of its unit, and
// begins the next one. What a stage within the lap took for itself is left out.
static inline void sl_lap(struct sl_lcore_cycles *cycles, enum sl_timed_stage stage, uint64_t count,
	uint64_t *lap_tsc)
{
	uint64_t now_tsc;

	if (cycles == NULL)
		return;
	now_tsc = __rdtsc();
	sl_lap_count(&cycles->stages[stage], count, now_tsc - *lap_tsc - cycles->nested);
	cycles->nested = 0;
	*lap_tsc = now_tsc;
}

// A stage within another one's lap, that began at start_tsc.
static inline void sl_lap_nested(struct sl_lcore_cycles *cycles, enum sl_timed_stage stage,
	uint64_t count, uint64_t start_tsc)
{
	uint64_t cycle_count = __rdtsc() - start_tsc;

	sl_lap_count(&cycles->stages[stage], count, cycle_count);
	cycles->nested += cycle_count;
}

// Once a turn, at its end.
static inline void sl_lap_publish_elapsed(struct sl_lcore_cycles *cycles)
{
	if (cycles != NULL)
		SL_STORE(cycles->elapsed, __rdtsc() - cycles->start_tsc);
}
