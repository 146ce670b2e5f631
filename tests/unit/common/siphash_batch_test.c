/* SPDX-License-Identifier: BSD-3-Clause */
#include "siphash_batch.h"

#include "suite.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX (8 * SL_SIPHASH_BATCH_WORDS_MAX - 1)

static const enum sl_siphash_variant variants[] = {
	SL_SIPHASH_SSE2, SL_SIPHASH_AVX2, SL_SIPHASH_AVX512};

// Eight bytes of something in front, as the headers of a frame are.
static uint8_t messages[SL_SIPHASH_BATCH_COUNT_MAX][8 + MESSAGE_BYTES_MAX];

static void make_messages(void)
{
	srand(7);
	for (uint32_t i = 0; i < SL_SIPHASH_BATCH_COUNT_MAX; i++) {
		for (uint32_t b = 0; b < sizeof(messages[0]); b++)
			messages[i][b] = (uint8_t)rand();
	}
}

static struct sl_siphash_key key_of(uint32_t lane)
{
	return (struct sl_siphash_key){
		.k0 = 0x0706050403020100 + lane, .k1 = 0x0f0e0d0c0b0a0908 - lane};
}

static void fill(struct sl_siphash_batch *batch, uint32_t bytes)
{
	memset(batch, 0, sizeof(*batch));
	for (uint32_t lane = 0; lane < SL_SIPHASH_BATCH_COUNT_MAX; lane++) {
		const uint8_t *message = &messages[lane][8];
		uint64_t last_8;

		batch->k0[lane] = key_of(lane).k0;
		batch->k1[lane] = key_of(lane).k1;
		for (uint32_t w = 0; w < bytes / 8; w++)
			memcpy(&batch->words[w][lane], message + 8 * w, 8);
		memcpy(&last_8, message + bytes - 8, 8);
		batch->words[bytes / 8][lane] = sl_siphash_last_word(last_8, bytes);
	}
}

static void every_variant_hashes_as_siphash_does(void)
{
	static struct sl_siphash_batch batch;

	make_messages();
	for (uint32_t v = 0; v < SL_ARRAY_COUNT(variants); v++) {
		sl_siphash_batch_run run = sl_siphash_batch_choose(variants[v]);

		for (uint32_t bytes = 0; bytes <= MESSAGE_BYTES_MAX; bytes++) {
			fill(&batch, bytes);
			run(&batch, sl_siphash_word_count(bytes), SL_SIPHASH_BATCH_COUNT_MAX);
			for (uint32_t lane = 0; lane < SL_SIPHASH_BATCH_COUNT_MAX; lane++) {
				struct sl_siphash_key key = key_of(lane);

				CU_ASSERT_EQUAL(batch.hash[lane],
					sl_siphash13(&key, &messages[lane][8], bytes));
			}
		}
	}
}

static void lanes_behind_the_count_are_left_alone_but_for_whole_vectors(void)
{
	static struct sl_siphash_batch batch;

	make_messages();
	for (uint32_t v = 0; v < SL_ARRAY_COUNT(variants); v++) {
		for (uint32_t count = 1; count <= SL_SIPHASH_BATCH_COUNT_MAX; count++) {
			fill(&batch, 3);
			sl_siphash_batch_choose(variants[v])(&batch, 1, count);
			for (uint32_t lane = 0; lane < SL_SIPHASH_BATCH_COUNT_MAX; lane++) {
				struct sl_siphash_key key = key_of(lane);
				uint64_t hash = sl_siphash13(&key, &messages[lane][8], 3);

				if (lane < count)
					CU_ASSERT_EQUAL(batch.hash[lane], hash);
				if (lane >= SL_ALIGN_UP(count, SL_SIPHASH_BATCH_LANES_MAX + 0u))
					CU_ASSERT_EQUAL(batch.hash[lane], 0);
			}
		}
	}
}

static const struct sl_test tests[] = {
	SL_TEST(every_variant_hashes_as_siphash_does),
	SL_TEST(lanes_behind_the_count_are_left_alone_but_for_whole_vectors),
};
SL_SUITE(common_siphash_batch);
