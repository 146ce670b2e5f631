/* SPDX-License-Identifier: BSD-3-Clause */
#include "siphash.h"

#include "suite.h"

#include <stdlib.h>

#define MESSAGE_BYTES_MAX 63

// Message N is the bytes 0, 1, .. N - 1, the key is the bytes 0 .. 15: the shape of the vectors in
// the paper's appendix. Made by a separate program that gives the paper's own values when it runs
// 2 and 4 rounds, and CPython's (which hashes with 1 and 3) under a key of zeros.
static const uint64_t expected[MESSAGE_BYTES_MAX + 1] = {
	0xabac0158050fc4dcull,
	0xc9f49bf37d57ca93ull,
	0x82cb9b024dc7d44dull,
	0x8bf80ab8e7ddf7fbull,
	0xcf75576088d38328ull,
	0xdef9d52f49533b67ull,
	0xc50d2b50c59f22a7ull,
	0xd3927d989bb11140ull,
	0x369095118d299a8eull,
	0x25a48eb36c063de4ull,
	0x79de85ee92ff097full,
	0x70c118c1f94dc352ull,
	0x78a384b157b4d9a2ull,
	0x306f760c1229ffa7ull,
	0x605aa111c0f95d34ull,
	0xd320d86d2a519956ull,
	0xcc4fdd1a7d908b66ull,
	0x9cf2689063dbd80cull,
	0x8ffc389cb473e63eull,
	0xf21f9de58d297d1cull,
	0xc0dc2f46a6cce040ull,
	0xb992abfe2b45f844ull,
	0x7ffe7b9ba320872eull,
	0x525a0e7fdae6c123ull,
	0xf464aeb267349c8cull,
	0x45cd5928705b0979ull,
	0x3a3e35e3ca9913a5ull,
	0xa91dc74e4ade3b35ull,
	0xfb0bed02ef6cd00dull,
	0x88d93cb44ab1e1f4ull,
	0x540f11d643c5e663ull,
	0x2370dd1f8c21d1bcull,
	0x81157b6c16a7b60dull,
	0x4d54b9e57a8ff9bfull,
	0x759f12781f2a753eull,
	0xcea1a3bebf186b91ull,
	0x2cf508d3ada26206ull,
	0xb6101c2da3c33057ull,
	0xb3f47496ae3a36a1ull,
	0x626b57547b108392ull,
	0xc1d2363299e41531ull,
	0x667cc1923f1ad944ull,
	0x65704ffec8138825ull,
	0x24f280d1c28949a6ull,
	0xc2ca1cedfaf8876bull,
	0xc2164bfc9f042196ull,
	0xa16e9c9368b1d623ull,
	0x49fb169c8b5114fdull,
	0x9f3143f8df074c46ull,
	0xc6fdaf2412cc86b3ull,
	0x7eaf49d10a52098full,
	0x1cf313559d292f9aull,
	0xc44a30dda2f41f12ull,
	0x36fae98943a71ed0ull,
	0x318fb34c73f0bce6ull,
	0xa27abf3670a7e980ull,
	0xb4bcc0db243c6d75ull,
	0x23f8d852fdb71513ull,
	0x8f035f4da67d8a08ull,
	0xd89cd0e5b7e8f148ull,
	0xf6f4e6bcf7a644eeull,
	0xaec59ad80f1837f2ull,
	0xc3b2f6154b6694e0ull,
	0x9d199062b7bbb3a8ull,
};

static struct sl_siphash_key counting_key(void)
{
	uint8_t bytes[16];

	for (int i = 0; i < 16; i++)
		bytes[i] = (uint8_t)i;
	return sl_siphash_key_load(bytes);
}

static void hashes_equal_the_reference_for_every_length(void)
{
	struct sl_siphash_key key = counting_key();
	uint8_t message[MESSAGE_BYTES_MAX];

	for (size_t bytes = 0; bytes <= MESSAGE_BYTES_MAX; bytes++) {
		for (size_t i = 0; i < bytes; i++)
			message[i] = (uint8_t)i;
		CU_ASSERT_EQUAL(sl_siphash13(&key, message, bytes), expected[bytes]);
	}
}

// The buffer ends where the message ends: the address sanitizer sees any read outside.
static void hashes_do_not_depend_on_alignment(void)
{
	struct sl_siphash_key key = counting_key();

	for (size_t shift = 0; shift < 8; shift++) {
		for (size_t bytes = 0; bytes <= MESSAGE_BYTES_MAX; bytes++) {
			uint8_t *buffer = malloc(shift + bytes + 1);
			uint8_t *message = buffer + 1 + shift;
			for (size_t i = 0; i < bytes; i++)
				message[i] = (uint8_t)i;
			CU_ASSERT_EQUAL(sl_siphash13(&key, message, bytes), expected[bytes]);
			free(buffer);
		}
	}
}

static void hashes_depend_on_the_key(void)
{
	struct sl_siphash_key zero = {0}, one = {.k1 = 1};

	// CPython 3.11 with PYTHONHASHSEED=0: hash(b"plays")
	CU_ASSERT_EQUAL(sl_siphash13(&zero, "plays", 5), 0x13202ed7e43d2467ull);
	CU_ASSERT_NOT_EQUAL(sl_siphash13(&one, "plays", 5), sl_siphash13(&zero, "plays", 5));
}

static void index_is_below_the_partition_count_and_spreads(void)
{
	struct sl_siphash_key key = counting_key();
	unsigned counts[16] = {0};

	CU_ASSERT_EQUAL(sl_hash_to_index(0, 16), 0);
	CU_ASSERT_EQUAL(sl_hash_to_index(UINT64_MAX, 16), 15);
	CU_ASSERT_EQUAL(sl_hash_to_index(UINT64_MAX, 1), 0);
	CU_ASSERT_EQUAL(sl_hash_to_index(UINT64_MAX, 4096), 4095);
	for (uint64_t i = 0; i < 16000; i++)
		counts[sl_hash_to_index(sl_siphash13(&key, &i, sizeof(i)), 16)]++;
	for (int i = 0; i < 16; i++)
		CU_ASSERT(counts[i] > 850 && counts[i] < 1150);
}

static const struct sl_test tests[] = {
	SL_TEST(hashes_equal_the_reference_for_every_length),
	SL_TEST(hashes_do_not_depend_on_alignment),
	SL_TEST(hashes_depend_on_the_key),
	SL_TEST(index_is_below_the_partition_count_and_spreads),
};
SL_SUITE(common_siphash);
