/* SPDX-License-Identifier: BSD-3-Clause */
// Receive times: nanoseconds of CLOCK_REALTIME computed from the TSC, so that a polling lcore reads
// the time in a few cycles and without a system call. One owner calibrates; it never runs
// backwards. Thread rule: sl_clock_init and sl_clock_update by the owner (main lcore);
// sl_clock_now_ns by any thread.
#pragma once

#include "base.h"

#include <x86intrin.h>

// Sequence lock: the owner makes sequence odd while it changes the rest.
struct sl_clock {
	uint32_t sequence;
	uint32_t shift;
	uint64_t tsc_base;
	uint64_t ns_base;
	uint64_t mult; // ns = ns_base + ((tsc - tsc_base) * mult >> shift)
} SL_CACHE_ALIGNED;

// Measures the TSC against CLOCK_REALTIME for some 20 ms. Returns 0, or -ENOTSUP when the CPU has
// no invariant TSC.
int sl_clock_init(struct sl_clock *clock);

// Corrects rate and offset; call once a second. A forward step of the wall clock (above 10 ms) is
// followed at once; after a backward step the clock runs slower until the wall clock has caught up.
// *step_ns is the step seen (wall minus ours), 0 when none.
void sl_clock_update(struct sl_clock *clock, int64_t *step_ns);

// Nanoseconds since the epoch. Retries while the owner is writing (once a second, for nanoseconds).
static inline uint64_t sl_clock_now_ns(const struct sl_clock *clock)
{
	uint32_t sequence;
	uint64_t ns;

	do {
		sequence = SL_LOAD_ACQUIRE(clock->sequence);
		uint64_t ticks = __rdtsc() - SL_LOAD(clock->tsc_base);
		ns = SL_LOAD(clock->ns_base) +
			(uint64_t)(((unsigned __int128)ticks * SL_LOAD(clock->mult)) >>
				SL_LOAD(clock->shift));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (sl_unlikely((sequence & 1) != 0 || sequence != SL_LOAD(clock->sequence)));
	return ns;
}
