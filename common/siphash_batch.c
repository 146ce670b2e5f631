/* SPDX-License-Identifier: BSD-3-Clause */
// One body, compiled for each width of vectors. GCC and clang turn the two shifts of ROTATE into
// one instruction where there is one (AVX-512).
#include "siphash_batch.h"

#define ROTATE(word, bits) ((word) << (bits) | (word) >> (64 - (bits)))

#define MIX \
	do { \
		v0 += v1; \
		v2 += v3; \
		v1 = ROTATE(v1, 13) ^ v0; \
		v3 = ROTATE(v3, 16) ^ v2; \
		v0 = ROTATE(v0, 32); \
		v2 += v1; \
		v0 += v3; \
		v1 = ROTATE(v1, 17) ^ v2; \
		v3 = ROTATE(v3, 21) ^ v0; \
		v2 = ROTATE(v2, 32); \
	} while (0)

// The constants are those of siphash.c. may_alias: lanes are loaded from arrays of words.
#define DEFINE_RUN(name, lane_count, isa) \
	typedef uint64_t name##_vector __attribute__((vector_size(8 * (lane_count)), may_alias)); \
	__attribute__((target(isa))) static void name( \
		struct sl_siphash_batch *batch, uint32_t word_count, uint32_t count) \
	{ \
		static_assert((lane_count) <= SL_SIPHASH_BATCH_LANES_MAX, "lanes"); \
		for (uint32_t i = 0; i < count; i += (lane_count)) { \
			name##_vector k0 = *(const name##_vector *)&batch->k0[i]; \
			name##_vector k1 = *(const name##_vector *)&batch->k1[i]; \
			name##_vector v0 = k0 ^ 0x736f6d6570736575ull; \
			name##_vector v1 = k1 ^ 0x646f72616e646f6dull; \
			name##_vector v2 = k0 ^ 0x6c7967656e657261ull; \
			name##_vector v3 = k1 ^ 0x7465646279746573ull; \
			for (uint32_t w = 0; w < word_count; w++) { \
				name##_vector word = *(const name##_vector *)&batch->words[w][i]; \
				v3 ^= word; \
				MIX; \
				v0 ^= word; \
			} \
			v2 ^= 0xff; \
			MIX; \
			MIX; \
			MIX; \
			*(name##_vector *)&batch->hash[i] = v0 ^ v1 ^ v2 ^ v3; \
		} \
	}

DEFINE_RUN(run_sse2, 2, "sse2")
DEFINE_RUN(run_avx2, 4, "avx2")
DEFINE_RUN(run_avx512, 8, "avx512f")

sl_siphash_batch_run sl_siphash_batch_choose(enum sl_siphash_variant fastest_allowed)
{
	if (fastest_allowed >= SL_SIPHASH_AVX512 && __builtin_cpu_supports("avx512f"))
		return run_avx512;
	if (fastest_allowed >= SL_SIPHASH_AVX2 && __builtin_cpu_supports("avx2"))
		return run_avx2;
	return run_sse2;
}
