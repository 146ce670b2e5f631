/* SPDX-License-Identifier: BSD-3-Clause */
// The Internet checksum (RFC 1071) as 64-bit sums of words in memory order: adding whole words is
// right in any byte order, and the fold at the end takes the carries back in. Thread rule: pure.
#pragma once

#include "base.h"
#include "load.h"

#include <string.h>

#define SL_CHECKSUM_BULK_BYTES 128u
#define SL_CHECKSUM_BYTES_MAX 65536u // of one call: 16-bit words that a 32-bit sum can take
static_assert(SL_CHECKSUM_BYTES_MAX / 4 * (uint64_t)UINT16_MAX <= UINT32_MAX, "no overflow");

// Sum of a multiple of SL_CHECKSUM_BULK_BYTES, for large payloads: the loop is vectorised.
uint64_t sl_checksum_add_bulk(uint64_t sum, const uint8_t *bytes, uint32_t count);

// Both halves of a word, so that 2^31 of them fit a sum without a carry.
static inline uint64_t sl_checksum_word(uint64_t word)
{
	return (word & UINT32_MAX) + (word >> 32);
}

// Folds a sum to 16 bits. 0 only for a sum of zero: a sum that verifies is 0xffff. Adding a word to
// itself with its halves exchanged leaves their ones' complement sum in the upper half.
static inline uint16_t sl_checksum_fold(uint64_t sum)
{
	uint32_t half = (uint32_t)((sum + (sum >> 32 | sum << 32)) >> 32);

	return (uint16_t)((half + (half >> 16 | half << 16)) >> 16);
}

// Sum of eight bytes or more, which a UDP header always has. Nothing is read outside of them: what
// is left at the end is taken from a word that overlaps the last one, shifted to where it belongs.
static inline uint64_t sl_checksum_add_long(uint64_t sum, const uint8_t *bytes, uint32_t count)
{
	uint32_t tail = count % 8;
	const uint8_t *end = bytes + count;
	// 128 bits take the carries of 64-bit words: an add and an adc for each.
	// Two shifts, because a shift by 64 is undefined.
	unsigned __int128 total = sl_load_u64(end - 8) >> (8 * (7 - tail)) >> 8;

	end -= tail;
	if (sl_unlikely(count >= SL_CHECKSUM_BULK_BYTES)) {
		uint32_t bulk_bytes = count / SL_CHECKSUM_BULK_BYTES * SL_CHECKSUM_BULK_BYTES;
		sum = sl_checksum_add_bulk(sum, bytes, bulk_bytes);
		bytes += bulk_bytes;
	}
	for (; bytes < end; bytes += 8)
		total += sl_load_u64(bytes);
	return sum + sl_checksum_word((uint64_t)total) + (uint64_t)(total >> 64);
}

// Sum of any number of bytes, as if a zero followed an odd one.
static inline uint64_t sl_checksum_add(uint64_t sum, const uint8_t *bytes, uint32_t count)
{
	uint64_t word = 0;

	if (count >= 8)
		return sl_checksum_add_long(sum, bytes, count);
	memcpy(&word, bytes, count);
	return sum + sl_checksum_word(word);
}
