/* SPDX-License-Identifier: BSD-3-Clause */
// Receive times: nanoseconds of CLOCK_REALTIME computed from the TSC, so that a polling lcore reads
// the time in a few cycles and without a system call. One owner calibrates; it never runs
// backwards. Thread rule: sl_clock_now_ns by any thread, everything else by the owner (main lcore).
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
	// Read by the owner only: the last sample, and the wall clock's own rate, which mult leaves
	// while an error is worked off.
	uint64_t rate;
	uint64_t sample_tsc;
	uint64_t sample_wall_ns;
} SL_CACHE_ALIGNED;
static_assert(sizeof(struct sl_clock) == SL_CACHE_LINE, "one line, read once a burst");

// The TSC and a system clock at the same moment.
struct sl_clock_sample {
	uint64_t tsc;
	uint64_t ns;
};

// Measures the TSC against the system's clocks for some 20 ms. Returns 0, or -ENOTSUP when the CPU
// has no invariant TSC.
int sl_clock_init(struct sl_clock *clock);

// Corrects rate and offset; call once a second. A forward step of the wall clock (above 10 ms) is
// followed at once; after a backward step the clock runs slower, at half speed at most, until the
// wall clock has caught up. *step_ns is the step that the wall clock made since the last call
// (negative: backward), 0 when none.
void sl_clock_update(struct sl_clock *clock, int64_t *step_ns);

// The arithmetic of the two functions above, without the machine's clocks. The rate comes from two
// samples of a clock that never steps (CLOCK_MONOTONIC), the time from one of CLOCK_REALTIME.
void sl_clock_calibrate(struct sl_clock *clock, struct sl_clock_sample first,
	struct sl_clock_sample second, struct sl_clock_sample wall);
// Takes the new rate over at tsc_switch, which is not before the sample's TSC.
void sl_clock_steer(
	struct sl_clock *clock, struct sl_clock_sample wall, uint64_t tsc_switch, int64_t *step_ns);

// Nanoseconds since the epoch at a value of the TSC. Only by the owner, or while nobody steers.
static inline uint64_t sl_clock_at_ns(const struct sl_clock *clock, uint64_t tsc)
{
	uint64_t ticks = tsc - SL_LOAD(clock->tsc_base);

	return SL_LOAD(clock->ns_base) +
		(uint64_t)(((unsigned __int128)ticks * SL_LOAD(clock->mult)) >>
			SL_LOAD(clock->shift));
}

// Nanoseconds since the epoch. Retries while the owner is writing (once a second, for nanoseconds).
static inline uint64_t sl_clock_now_ns(const struct sl_clock *clock)
{
	uint32_t sequence;
	uint64_t ns;

	do {
		sequence = SL_LOAD_ACQUIRE(clock->sequence);
		ns = sl_clock_at_ns(clock, __rdtsc());
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (sl_unlikely((sequence & 1) != 0 || sequence != SL_LOAD(clock->sequence)));
	return ns;
}
