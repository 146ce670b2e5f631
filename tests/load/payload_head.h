/* SPDX-License-Identifier: BSD-3-Clause */
// The head of a binary payload as it lies in memory, and its check: inline, because the device
// transport makes more than twenty million of them a second. README.md says the layout.
// Thread rule: pure functions, any thread.
#pragma once

#include "load/payload.h"

#define SL_PAYLOAD_GOLDEN 0x9e3779b97f4a7c15ull
#define SL_PAYLOAD_TIME_BITS 40

// Little-endian.
struct sl_payload_head {
	uint64_t key_sequence; // key: bits 0..23, sequence: bits 24..63
	uint64_t run_time; // run id: bits 0..23, send time: bits 24..63
	uint16_t check;
} SL_PACKED;
static_assert(sizeof(struct sl_payload_head) == SL_PAYLOAD_BINARY_BYTES, "wire struct");

// The finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators"): every input bit reaches every output bit.
static inline uint64_t sl_payload_mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static inline uint64_t sl_payload_run_time(uint32_t run_id, uint64_t sent_ns)
{
	return sent_ns << (64 - SL_PAYLOAD_TIME_BITS) | run_id;
}

// bytes is the payload's length.
static inline uint16_t sl_payload_check16(uint64_t key_sequence, uint64_t run_time, uint32_t bytes)
{
	uint64_t value = sl_payload_mix(key_sequence + SL_PAYLOAD_GOLDEN);

	value = sl_payload_mix(value ^ run_time);
	return (uint16_t)sl_payload_mix(value + bytes);
}

// Seed of the pattern behind the head.
static inline uint64_t sl_payload_pattern_seed(uint32_t run_id, uint64_t sequence)
{
	return sl_payload_mix((uint64_t)run_id << SL_SEQUENCE_BITS | sequence);
}

// Every 8 bytes differ from their neighbours and from those of every other event, so that a
// shifted, swapped or repeated piece is seen. An arithmetic progression, because compilers turn it
// into SIMD.
static inline void sl_payload_pattern_build(uint64_t seed, void *out, uint32_t bytes)
{
	uint32_t word_count = bytes / 8;
	uint64_t word;

	for (uint32_t i = 0; i < word_count; i++) {
		word = seed + i * SL_PAYLOAD_GOLDEN;
		__builtin_memcpy((char *)out + (size_t)i * 8, &word, 8);
	}
	word = seed + word_count * SL_PAYLOAD_GOLDEN;
	__builtin_memcpy((char *)out + (size_t)word_count * 8, &word, bytes % 8);
}
