/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/pacer.h"

#define BURST_FLAT_OUT 1024u

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

void sl_pacer_init(struct sl_pacer *pacer, uint64_t rate, uint32_t burst_count,
	uint64_t catch_up_ns, uint64_t now_ns)
{
	uint64_t burst = burst_count;

	if (burst == 0)
		burst = rate == 0 ? BURST_FLAT_OUT : rate * SL_PACER_BURST_NS / SL_NS_PER_S;
	*pacer = (struct sl_pacer){
		.rate = rate,
		.burst_count = (uint32_t)SL_MIN(SL_MAX(burst, 1), SL_PACER_BURST_COUNT_MAX),
		.start_ns = now_ns,
		.second_start_ns = now_ns,
		.catch_up_ns = catch_up_ns,
		.worst_sent_count = rate,
	};
}

uint64_t sl_pacer_next_ns(const struct sl_pacer *pacer)
{
	if (pacer->rate == 0)
		return 0;
	// 128 bits: events times nanoseconds a second pass 64 bits after 18e9 events.
	return pacer->start_ns +
		(uint64_t)((unsigned __int128)pacer->sent_count * SL_NS_PER_S / pacer->rate);
}

uint32_t sl_pacer_due(struct sl_pacer *pacer, uint64_t now_ns)
{
	uint64_t next_ns = sl_pacer_next_ns(pacer);

	if (pacer->rate == 0)
		return pacer->burst_count;
	if (now_ns < next_ns)
		return 0;
	if (now_ns - next_ns > pacer->catch_up_ns) {
		uint64_t forgiven_ns = now_ns - next_ns - pacer->catch_up_ns;

		pacer->start_ns += forgiven_ns;
		pacer->forgiven_ns += forgiven_ns;
	}
	return pacer->burst_count;
}

// A burst belongs to the second in which it went out, so a count may be off by one burst and no
// rate was missed.
static uint64_t allowed_off(const struct sl_pacer *pacer, uint64_t count)
{
	return SL_MAX(count * SL_PACER_TOLERANCE_PER_MILLE / 1000, pacer->burst_count);
}

static void close_second(struct sl_pacer *pacer)
{
	uint64_t off = distance(pacer->second_sent_count, pacer->rate);

	pacer->second_count++;
	if (off > allowed_off(pacer, pacer->rate))
		pacer->second_off_count++;
	if (off > distance(pacer->worst_sent_count, pacer->rate))
		pacer->worst_sent_count = pacer->second_sent_count;
	pacer->second_sent_count = 0;
	pacer->second_start_ns += SL_NS_PER_S;
}

void sl_pacer_sent(struct sl_pacer *pacer, uint32_t count, uint64_t now_ns)
{
	pacer->sent_count += count;
	if (pacer->rate == 0)
		return;
	while (now_ns - pacer->second_start_ns >= SL_NS_PER_S)
		close_second(pacer);
	pacer->second_sent_count += count;
}

uint64_t sl_pacer_worst_per_mille(const struct sl_pacer *pacer)
{
	if (pacer->rate == 0)
		return 0;
	return distance(pacer->worst_sent_count, pacer->rate) * 1000 / pacer->rate;
}

bool sl_pacer_held(const struct sl_pacer *pacer, uint64_t elapsed_ns)
{
	uint64_t wanted = (uint64_t)((unsigned __int128)elapsed_ns * pacer->rate / SL_NS_PER_S);

	if (pacer->rate == 0)
		return true;
	return pacer->second_off_count == 0 && pacer->forgiven_ns == 0 &&
		distance(pacer->sent_count, wanted) <= allowed_off(pacer, wanted);
}
