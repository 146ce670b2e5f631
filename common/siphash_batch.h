/* SPDX-License-Identifier: BSD-3-Clause */
// SipHash-1-3 of many short messages at once, one in each lane of a vector: a burst's steering
// keys. Same function as siphash.h. Thread rule: pure functions on the caller's memory.
#pragma once

#include "siphash.h"

#define SL_SIPHASH_BATCH_COUNT_MAX 64
#define SL_SIPHASH_BATCH_WORDS_MAX 5 // the flow of an IPv6 datagram: 36 bytes
#define SL_SIPHASH_BATCH_LANES_MAX 8

// Messages by lane. All of a batch have the same number of words; what belongs in a lane's last
// word is sl_siphash_last_word().
struct sl_siphash_batch {
	uint64_t k0[SL_SIPHASH_BATCH_COUNT_MAX] SL_CACHE_ALIGNED;
	uint64_t k1[SL_SIPHASH_BATCH_COUNT_MAX];
	uint64_t words[SL_SIPHASH_BATCH_WORDS_MAX][SL_SIPHASH_BATCH_COUNT_MAX];
	uint64_t hash[SL_SIPHASH_BATCH_COUNT_MAX];
};
static_assert(SL_SIPHASH_BATCH_COUNT_MAX % SL_SIPHASH_BATCH_LANES_MAX == 0, "whole vectors");

// Words of a message of this many bytes.
static inline uint32_t sl_siphash_word_count(uint32_t bytes)
{
	return bytes / 8 + 1;
}

// What is left of a message behind its whole words, with its length. last_8 are the message's last
// eight bytes, or, when it is shorter, what stands in front of it and then the message.
static inline uint64_t sl_siphash_last_word(uint64_t last_8, uint32_t bytes)
{
	// Two shifts, because a shift by 64 is undefined.
	return last_8 >> (8 * (7 - bytes % 8)) >> 8 | (uint64_t)bytes << 56;
}

// Sets hash[0] to hash[count - 1] from the lanes before them. Lanes up to the next multiple of
// SL_SIPHASH_BATCH_LANES_MAX are read as well and must hold something. word_count and count are
// from 1 to the maxima.
typedef void (*sl_siphash_batch_run)(
	struct sl_siphash_batch *batch, uint32_t word_count, uint32_t count);

enum sl_siphash_variant { SL_SIPHASH_SSE2, SL_SIPHASH_AVX2, SL_SIPHASH_AVX512 };

// The fastest variant that this CPU has, fastest_allowed at most.
sl_siphash_batch_run sl_siphash_batch_choose(enum sl_siphash_variant fastest_allowed);
