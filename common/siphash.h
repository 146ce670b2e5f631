/* SPDX-License-Identifier: BSD-3-Clause */
// SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", with one compression and
// three finalisation rounds): the keyed hash that chooses partitions. Who does not know the key
// cannot aim at a partition. Thread rule: pure functions.
#pragma once

#include "base.h"

struct sl_siphash_key {
	uint64_t k0, k1; // the 16 key bytes as two little-endian words
};

struct sl_siphash_key sl_siphash_key_load(const uint8_t bytes[16]);

// 64-bit SipHash-1-3 of bytes of data (any alignment, may be empty).
uint64_t sl_siphash13(const struct sl_siphash_key *key, const void *data, size_t bytes);

// Partition index below partition_count from a hash: the high 32 bits scaled, no division.
static inline uint32_t sl_hash_to_index(uint64_t hash, uint32_t partition_count)
{
	return (uint32_t)(((hash >> 32) * partition_count) >> 32);
}
