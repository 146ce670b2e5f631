/* SPDX-License-Identifier: BSD-3-Clause */
#include "siphash.h"

#include "load.h"

#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are loaded as they lie");

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void mix(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 = rotate_left(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s);
	s->v0 ^= word;
}

// The last bytes % 8 bytes as the low bytes of a word. Never a loop over bytes: it runs once a
// packet, and what it reads is always inside the data.
static inline uint64_t load_tail(const uint8_t *data, size_t bytes)
{
	unsigned tail_bytes = bytes & 7;

	if (tail_bytes == 0)
		return 0;
	if (bytes >= 8)
		return sl_load_u64(data + bytes - 8) >> (64 - 8 * tail_bytes);
	if (bytes >= 4)
		return sl_load_u32(data) |
			(uint64_t)sl_load_u32(data + bytes - 4) << (8 * (bytes - 4));
	// 1 to 3 bytes: the first, the middle and the last one, which may be the same.
	return data[0] | (uint64_t)data[bytes / 2] << (8 * (bytes / 2)) |
		(uint64_t)data[bytes - 1] << (8 * (bytes - 1));
}

struct sl_siphash_key sl_siphash_key_load(const uint8_t bytes[16])
{
	return (struct sl_siphash_key){.k0 = sl_load_u64(bytes), .k1 = sl_load_u64(bytes + 8)};
}

uint64_t sl_siphash13(const struct sl_siphash_key *key, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	// The constants spell "somepseudorandomlygeneratedbytes" (the paper, section 2).
	struct state s = {
		.v0 = key->k0 ^ 0x736f6d6570736575ull,
		.v1 = key->k1 ^ 0x646f72616e646f6dull,
		.v2 = key->k0 ^ 0x6c7967656e657261ull,
		.v3 = key->k1 ^ 0x7465646279746573ull,
	};

	for (size_t word = 0; word < bytes / 8; word++)
		absorb(&s, sl_load_u64(at + 8 * word));
	absorb(&s, load_tail(at, bytes) | (uint64_t)bytes << 56);
	s.v2 ^= 0xff;
	mix(&s);
	mix(&s);
	mix(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
