/* SPDX-License-Identifier: BSD-3-Clause */
// Words in native byte order from wherever they lie, aligned or not. Pure functions, any thread.
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint16_t sl_load_u16(const void *bytes)
{
	uint16_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint32_t sl_load_u32(const void *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint64_t sl_load_u64(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}
