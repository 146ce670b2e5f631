/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/breaker.h"

#include "hotpath.h"

void sl_breaker_init(struct sl_breaker *breaker, uint64_t backoff_ns_min, uint64_t backoff_ns_max)
{
	*breaker = (struct sl_breaker){
		.backoff_ns_min = backoff_ns_min, .backoff_ns_max = backoff_ns_max};
}

bool sl_breaker_is_waiting(const struct sl_breaker *breaker, uint64_t now_ns)
{
	uint32_t state = SL_LOAD_ACQUIRE(breaker->state);

	return state == SL_BREAKER_HALF_OPEN ||
		(state == SL_BREAKER_OPEN && now_ns < SL_LOAD(breaker->open_until_ns));
}

enum sl_breaker_answer sl_breaker_ask(struct sl_breaker *breaker, uint64_t now_ns)
{
	uint32_t state = SL_BREAKER_OPEN;

	if (sl_breaker_is_waiting(breaker, now_ns))
		return SL_BREAKER_WAIT;
	if (SL_LOAD_ACQUIRE(breaker->state) == SL_BREAKER_CLOSED)
		return SL_BREAKER_TRY;
	return __atomic_compare_exchange_n(&breaker->state, &state, SL_BREAKER_HALF_OPEN, false,
		       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
		? SL_BREAKER_PROBE
		: SL_BREAKER_WAIT;
}

void sl_breaker_trip(struct sl_breaker *breaker, uint64_t now_ns)
{
	uint32_t trip_count = __atomic_fetch_add(&breaker->trip_count, 1, __ATOMIC_RELAXED);

	__atomic_fetch_add(&breaker->opened_count, 1, __ATOMIC_RELAXED);
	SL_STORE(breaker->open_until_ns,
		now_ns +
			sl_backoff_ns(
				trip_count, breaker->backoff_ns_min, breaker->backoff_ns_max));
	SL_STORE_RELEASE(breaker->state, SL_BREAKER_OPEN);
}

void sl_breaker_close(struct sl_breaker *breaker)
{
	SL_STORE_RELEASE(breaker->state, SL_BREAKER_CLOSED);
}

void sl_breaker_forget(struct sl_breaker *breaker)
{
	SL_STORE(breaker->trip_count, 0);
}
