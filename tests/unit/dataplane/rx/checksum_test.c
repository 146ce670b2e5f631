/* SPDX-License-Identifier: BSD-3-Clause */
// Against the definition of RFC 1071, section 1: 16-bit words, one after the other.
#include "rx/checksum.h"

#include "suite.h"

#include <stdlib.h>

static uint16_t sum_by_definition(const uint8_t *bytes, uint32_t count)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

// The words are summed in memory order: the result is in network byte order.
static uint16_t sum_by_words(const uint8_t *bytes, uint32_t count)
{
	return __builtin_bswap16(sl_checksum_fold(sl_checksum_add(0, bytes, count)));
}

static void fill(uint8_t *bytes, uint32_t count, uint32_t seed)
{
	for (uint32_t i = 0; i < count; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static void checksum_equals_the_definition_for_any_length_and_alignment(void)
{
	uint8_t bytes[200 + 8];

	for (uint32_t count = 0; count <= 200; count++) {
		for (uint32_t at = 0; at < 8; at++) {
			fill(bytes, sizeof(bytes), count * 8 + at);
			CU_ASSERT_EQUAL(sum_by_words(bytes + at, count),
				sum_by_definition(bytes + at, count));
		}
	}
}

static void checksum_reads_nothing_outside_of_its_bytes(void)
{
	for (uint32_t count = 1; count <= 64; count++) {
		uint8_t *bytes = malloc(count); // the sanitizer watches both ends

		CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
		fill(bytes, count, count);
		CU_ASSERT_EQUAL(sum_by_words(bytes, count), sum_by_definition(bytes, count));
		free(bytes);
	}
}

static void checksum_carries_all_the_way_round(void)
{
	uint8_t *bytes = malloc(65536);

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	memset(bytes, 0xff, 65536);
	for (uint32_t count = 65536; count > 65500; count--)
		CU_ASSERT_EQUAL(sum_by_words(bytes, count), sum_by_definition(bytes, count));
	free(bytes);
	CU_ASSERT_EQUAL(sl_checksum_fold(UINT64_MAX), 0xffff);
	CU_ASSERT_EQUAL(sl_checksum_fold(0xffff0001ffff0001), 2);
}

static void checksum_is_zero_for_zeros_only(void)
{
	uint8_t bytes[32] = {0};

	CU_ASSERT_EQUAL(sum_by_words(bytes, sizeof(bytes)), 0);
	memset(bytes, 0xff, 2);
	CU_ASSERT_EQUAL(sum_by_words(bytes, sizeof(bytes)), 0xffff);
}

static const struct sl_test tests[] = {
	SL_TEST(checksum_equals_the_definition_for_any_length_and_alignment),
	SL_TEST(checksum_reads_nothing_outside_of_its_bytes),
	SL_TEST(checksum_carries_all_the_way_round),
	SL_TEST(checksum_is_zero_for_zeros_only),
};
SL_SUITE(dataplane_rx_checksum);
