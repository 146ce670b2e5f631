/* SPDX-License-Identifier: BSD-3-Clause */
// When to send how much, and whether the rate asked for was held. Times are the caller's (any
// steady clock in nanoseconds), so that tests need no clock. Thread rule: one thread.
#pragma once

#include "base.h"

// A sender that was held up (its CPU was taken away) catches up no more than this, without another
// wish: what is older is forgiven, and said, instead of hitting the receiver flat out. At 220,000/s
// these are 1100 events: the fill ring of DPDK's af_xdp driver starts with 2048 buffers, and what a
// stalled sender sent at once beyond that was lost to an appliance that had no CPU in that moment
// either.
#define SL_PACER_CATCH_UP_NS (5 * SL_NS_PER_MS)
// Without another wish a burst is what the rate brings in this time.
#define SL_PACER_BURST_NS (500 * SL_NS_PER_US)
#define SL_PACER_BURST_COUNT_MAX 16384u
// A second counts as held within 0.5 %.
#define SL_PACER_TOLERANCE_PER_MILLE 5u

struct sl_pacer {
	uint64_t rate; // events a second; 0: flat out
	uint32_t burst_count; // events that go at once
	uint64_t start_ns; // moves when lag is forgiven
	uint64_t catch_up_ns;
	uint64_t sent_count;
	uint64_t forgiven_ns;
	// Whole seconds since the first event, each by itself.
	uint64_t second_start_ns, second_sent_count;
	uint64_t second_count, second_off_count;
	uint64_t worst_sent_count; // of the second that was farthest off; rate when none was
};

// burst_count 0 chooses: SL_PACER_BURST_NS of the rate, at least 1; flat out 1024. Never above
// SL_PACER_BURST_COUNT_MAX. catch_up_ns: how much is sent at once of what was missed.
void sl_pacer_init(struct sl_pacer *pacer, uint64_t rate, uint32_t burst_count,
	uint64_t catch_up_ns, uint64_t now_ns);

// Events to send now: a burst, or 0 when the next one is not due. Forgives lag.
uint32_t sl_pacer_due(struct sl_pacer *pacer, uint64_t now_ns);

// When the next burst is due; 0 flat out.
uint64_t sl_pacer_next_ns(const struct sl_pacer *pacer);

// Counts what was sent, and closes the seconds that are over at now_ns.
void sl_pacer_sent(struct sl_pacer *pacer, uint32_t count, uint64_t now_ns);

// Whether the rate was held: in every whole second, without forgiving, and over all of elapsed_ns.
bool sl_pacer_held(const struct sl_pacer *pacer, uint64_t elapsed_ns);

// How far a second's count is from the rate, in thousandths of the rate.
uint64_t sl_pacer_worst_per_mille(const struct sl_pacer *pacer);
