/* SPDX-License-Identifier: BSD-3-Clause */
#include "rx/checksum.h"

#include "hotpath.h"

// Four lanes: 128 bits, which every CPU we build for has.
typedef uint32_t lanes __attribute__((vector_size(16)));

uint64_t sl_checksum_add_bulk(uint64_t sum, const uint8_t *bytes, uint32_t count)
{
	lanes even = {0}, odd = {0}; // of the 16-bit words

	for (const uint8_t *end = bytes + count; bytes < end; bytes += sizeof(lanes)) {
		lanes words;

		memcpy(&words, bytes, sizeof(words));
		even += words & UINT16_MAX;
		odd += words >> 16;
	}
	for (uint32_t i = 0; i < 4; i++)
		sum += (uint64_t)even[i] + odd[i];
	return sum;
}
