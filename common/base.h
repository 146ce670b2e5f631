/* SPDX-License-Identifier: BSD-3-Clause */
// Macros that every file may use: alignment, branch hints, array sizes, shared words.
// Thread rule: none, there is no state here.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_CACHE_LINE 64
#define SL_CACHE_ALIGNED __attribute__((aligned(SL_CACHE_LINE)))
#define SL_PACKED __attribute__((packed))
#define SL_PRINTF(format_arg, first_arg) __attribute__((format(printf, format_arg, first_arg)))
#define SL_UNUSED __attribute__((unused))
// Only with a measured reason beside it.
#define SL_ALWAYS_INLINE inline __attribute__((always_inline))

#define sl_likely(x) __builtin_expect(!!(x), 1)
#define sl_unlikely(x) __builtin_expect(!!(x), 0)

#define SL_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SL_MAX(a, b) ((a) > (b) ? (a) : (b))
// alignment must be a power of two.
#define SL_ALIGN_UP(value, alignment) \
	(((value) + ((alignment)-1)) & ~((__typeof__(value))(alignment)-1))

// One thread writes, any thread reads, nothing is ordered: counters and gauges.
#define SL_LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define SL_STORE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
// One thread publishes, another consumes what was written before.
#define SL_LOAD_ACQUIRE(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define SL_STORE_RELEASE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

#define SL_NS_PER_US 1000ull
#define SL_NS_PER_MS 1000000ull
#define SL_NS_PER_S 1000000000ull
#define SL_KIB (1024ull)
#define SL_MIB (1024ull * SL_KIB)
#define SL_GIB (1024ull * SL_MIB)
