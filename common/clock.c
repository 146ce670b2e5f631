/* SPDX-License-Identifier: BSD-3-Clause */
#include "clock.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define SHIFT \
	48 // mult fits 64 bits down to a TSC of 16 kHz; a second's error is below a nanosecond
#define CALIBRATION_NS (20 * SL_NS_PER_MS)
#define STEP_NS_MIN ((int64_t)(10 * SL_NS_PER_MS))
// Rate is measured over what is long against the jitter of a sample (below a microsecond).
#define RATE_WINDOW_NS_MIN (250 * SL_NS_PER_MS)
// The wall clock is slewed by 500 ppm at most, so what looks like more is a step too small to be
// called one, and must not spoil the rate.
#define RATE_CHANGE_DIVISOR 1024
// What sl_clock_now_ns may be late with its rdtsc, out of order, against the sequence's check.
#define READER_WINDOW_NS 1000
#define SAMPLE_TRIES 8

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

// An interrupt between the reads makes a sample wrong by its length: the tightest of some tries.
static struct sl_clock_sample take_sample(clockid_t id)
{
	struct sl_clock_sample sample = {0};
	uint64_t gap_min = UINT64_MAX;

	for (int i = 0; i < SAMPLE_TRIES; i++) {
		uint64_t before = __rdtsc();
		uint64_t ns = clock_ns(id);
		uint64_t gap = __rdtsc() - before;
		if (gap < gap_min) {
			gap_min = gap;
			sample = (struct sl_clock_sample){.tsc = before + gap / 2, .ns = ns};
		}
	}
	return sample;
}

static uint64_t rate_between(struct sl_clock_sample first, struct sl_clock_sample second)
{
	unsigned __int128 ns = second.ns - first.ns;

	return (uint64_t)((ns << SHIFT) / (second.tsc - first.tsc));
}

void sl_clock_calibrate(struct sl_clock *clock, struct sl_clock_sample first,
	struct sl_clock_sample second, struct sl_clock_sample wall)
{
	memset(clock, 0, sizeof(*clock));
	clock->shift = SHIFT;
	clock->rate = rate_between(first, second);
	clock->mult = clock->rate;
	clock->tsc_base = clock->sample_tsc = wall.tsc;
	clock->ns_base = clock->sample_wall_ns = wall.ns;
}

static uint64_t ticks_to_ns(uint64_t ticks, uint64_t mult)
{
	return (uint64_t)(((unsigned __int128)ticks * mult) >> SHIFT);
}

// How far the wall clock is from where its own rate would have brought it.
static int64_t step_since_sample(const struct sl_clock *clock, struct sl_clock_sample wall)
{
	uint64_t expected_ns =
		clock->sample_wall_ns + ticks_to_ns(wall.tsc - clock->sample_tsc, clock->rate);
	int64_t step_ns = (int64_t)(wall.ns - expected_ns);

	return step_ns > STEP_NS_MIN || step_ns < -STEP_NS_MIN ? step_ns : 0;
}

static void measure_rate(struct sl_clock *clock, struct sl_clock_sample wall)
{
	struct sl_clock_sample last = {.tsc = clock->sample_tsc, .ns = clock->sample_wall_ns};
	uint64_t change_max = clock->rate / RATE_CHANGE_DIVISOR;

	if (ticks_to_ns(wall.tsc - last.tsc, clock->rate) < RATE_WINDOW_NS_MIN)
		return;
	uint64_t rate = rate_between(last, wall);
	clock->rate = SL_MIN(SL_MAX(rate, clock->rate - change_max), clock->rate + change_max);
}

// The rate that works an error off within the next second. Faster by 1 % at most, since larger
// errors ahead of us are jumped; slower by half at most, so that time goes on.
static uint64_t mult_to_correct(uint64_t rate, int64_t error_ns)
{
	int64_t bounded_ns = SL_MAX(SL_MIN(error_ns, STEP_NS_MIN), -(int64_t)(SL_NS_PER_S / 2));

	return (uint64_t)((__int128)rate + (__int128)rate * bounded_ns / (int64_t)SL_NS_PER_S);
}

void sl_clock_steer(
	struct sl_clock *clock, struct sl_clock_sample wall, uint64_t tsc_switch, int64_t *step_ns)
{
	int64_t error_ns = (int64_t)(wall.ns - sl_clock_at_ns(clock, wall.tsc));

	*step_ns = step_since_sample(clock, wall);
	if (*step_ns == 0)
		measure_rate(clock, wall);
	clock->sample_tsc = wall.tsc;
	clock->sample_wall_ns = wall.ns;

	uint64_t ns = sl_clock_at_ns(clock, tsc_switch);
	uint64_t mult = mult_to_correct(clock->rate, error_ns);
	if (error_ns > STEP_NS_MIN) {
		ns += (uint64_t)error_ns;
		mult = clock->rate;
	}
	// When the clock slows down, the old and the new line cross a reader's window later: a
	// reader that still used the old one is not overtaken by its own past.
	if (mult < clock->mult)
		ns += (uint64_t)((unsigned __int128)READER_WINDOW_NS * (clock->mult - mult) /
			clock->mult);
	SL_STORE(clock->tsc_base, tsc_switch);
	SL_STORE(clock->ns_base, ns);
	SL_STORE(clock->mult, mult);
}

static bool tsc_is_invariant(void)
{
	unsigned eax, ebx, ecx, edx;

	// CPUID 80000007h, EDX bit 8: the TSC runs at one rate in every power state.
	return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & 1u << 8) != 0;
}

int sl_clock_init(struct sl_clock *clock)
{
	struct timespec calibration = {.tv_nsec = CALIBRATION_NS};

	if (!tsc_is_invariant())
		return -ENOTSUP;
	struct sl_clock_sample first = take_sample(CLOCK_MONOTONIC), second;
	do { // once, unless a signal cuts it short
		nanosleep(&calibration, NULL);
		second = take_sample(CLOCK_MONOTONIC);
	} while (second.ns - first.ns < CALIBRATION_NS);
	sl_clock_calibrate(clock, first, second, take_sample(CLOCK_REALTIME));
	return 0;
}

void sl_clock_update(struct sl_clock *clock, int64_t *step_ns)
{
	struct sl_clock_sample wall = take_sample(CLOCK_REALTIME);
	uint32_t sequence = clock->sequence;

	SL_STORE(clock->sequence, sequence + 1);
	// The odd number is seen before the switch's TSC is read: no reader uses the old line
	// behind the switch.
	_mm_mfence();
	_mm_lfence();
	sl_clock_steer(clock, wall, __rdtsc(), step_ns);
	SL_STORE_RELEASE(clock->sequence, sequence + 2);
}
