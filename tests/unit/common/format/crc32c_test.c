/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/crc32c.h"

#include "suite.h"

#include <stdlib.h>

// The definition, bit by bit (RFC 3720 appendix B.4, reflected).
static uint32_t crc32c_reference(uint32_t crc, const uint8_t *data, size_t bytes)
{
	crc = ~crc;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static uint8_t *fill_random(size_t bytes)
{
	uint8_t *data = malloc(bytes);
	uint64_t state = 0x9e3779b97f4a7c15ull;

	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (size_t i = 0; i < bytes; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		data[i] = (uint8_t)state;
	}
	return data;
}

static void known_vectors_give_known_sums(void)
{
	uint8_t block[32] = {0};

	CU_ASSERT_EQUAL(sl_crc32c(0, "", 0), 0);
	CU_ASSERT_EQUAL(sl_crc32c(0, "123456789", 9), 0xe3069283u);
	// RFC 3720 B.4: 32 bytes of zeros, of ones, ascending.
	CU_ASSERT_EQUAL(sl_crc32c(0, block, 32), 0x8a9136aau);
	for (int i = 0; i < 32; i++)
		block[i] = 0xff;
	CU_ASSERT_EQUAL(sl_crc32c(0, block, 32), 0x62a8ab43u);
	for (int i = 0; i < 32; i++)
		block[i] = (uint8_t)i;
	CU_ASSERT_EQUAL(sl_crc32c(0, block, 32), 0x46dd794eu);
}

static void every_length_to_4096_equals_the_reference_at_every_alignment(void)
{
	uint8_t *data = fill_random(4096 + 8);
	int wrong_count = 0;

	for (size_t shift = 0; shift < 8; shift++) {
		uint32_t expected = ~0u; // the reference, grown byte by byte

		for (size_t bytes = 0; bytes <= 4096; bytes++) {
			if (bytes > 0) {
				expected ^= data[shift + bytes - 1];
				for (int bit = 0; bit < 8; bit++)
					expected = expected >> 1 ^ (expected & 1 ? 0x82f63b78u : 0);
			}
			wrong_count += sl_crc32c(0, data + shift, bytes) != ~expected;
		}
	}
	CU_ASSERT_EQUAL(wrong_count, 0);
	free(data);
}

static void long_buffers_equal_the_reference(void)
{
	static const size_t lengths[] = {12287, 12288, 12289, 13056, 40961, 65536, 524288};
	uint8_t *data = fill_random(524288 + 8);

	for (size_t i = 0; i < SL_ARRAY_COUNT(lengths); i++) {
		size_t shift = i % 8;

		CU_ASSERT_EQUAL(sl_crc32c(0x1234567u, data + shift, lengths[i]),
			crc32c_reference(0x1234567u, data + shift, lengths[i]));
	}
	free(data);
}

static void a_sum_continued_equals_the_sum_of_the_whole(void)
{
	static const size_t cuts[] = {0, 1, 7, 8, 767, 768, 769, 12288, 19999, 20000};
	uint8_t *data = fill_random(20000);
	uint32_t whole = sl_crc32c(0, data, 20000);

	for (size_t i = 0; i < SL_ARRAY_COUNT(cuts); i++) {
		uint32_t head = sl_crc32c(0, data, cuts[i]);

		CU_ASSERT_EQUAL(sl_crc32c(head, data + cuts[i], 20000 - cuts[i]), whole);
	}
	free(data);
}

static const struct sl_test tests[] = {
	SL_TEST(known_vectors_give_known_sums),
	SL_TEST(every_length_to_4096_equals_the_reference_at_every_alignment),
	SL_TEST(long_buffers_equal_the_reference),
	SL_TEST(a_sum_continued_equals_the_sum_of_the_whole),
};
SL_SUITE(common_format_crc32c);
