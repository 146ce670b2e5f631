/* SPDX-License-Identifier: BSD-3-Clause */
// hot: sl_payload_keys is part of the device transport's path
#include "load/payload_key.h"

#include "load/payload_head.h"

static uint32_t zipf_key(const struct sl_payload_config *config, uint64_t sequence)
{
	uint64_t random = sl_payload_mix(config->seed + (sequence + 1) * SL_PAYLOAD_GOLDEN);
	const struct sl_payload_zipf_slot *slot =
		&config->zipf->slots[random >> (64 - SL_ZIPF_SLOT_BITS)];

	return slot->first_key + (uint32_t)((random & UINT32_MAX) * slot->key_count >> 32);
}

// By how much the order of keys is turned in a block of key_count sequences.
static uint32_t block_shift(const struct sl_payload_config *config, uint64_t block)
{
	return (uint32_t)(sl_payload_mix(config->seed + block * SL_PAYLOAD_GOLDEN) %
		config->key_count);
}

uint32_t sl_payload_key(const struct sl_payload_config *config, uint64_t sequence)
{
	uint32_t key;

	sl_payload_keys(config, sequence, &key, 1);
	return key;
}

static void uniform_keys(
	const struct sl_payload_config *config, uint64_t sequence, uint32_t *keys, uint32_t count)
{
	uint64_t block = sequence / config->key_count;
	uint32_t index = (uint32_t)(sequence % config->key_count);
	uint32_t key_count = config->key_count;
	uint32_t key = (index + block_shift(config, block)) % key_count;

	for (uint32_t i = 0; i < count; i++) {
		keys[i] = key;
		key = key + 1 == key_count ? 0 : key + 1;
		if (sl_unlikely(++index == key_count)) {
			index = 0;
			key = block_shift(config, ++block);
		}
	}
}

void sl_payload_keys(const struct sl_payload_config *config, uint64_t first_sequence,
	uint32_t *keys, uint32_t count)
{
	if (config->zipf == NULL) {
		uniform_keys(config, first_sequence, keys, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		keys[i] = zipf_key(config, first_sequence + i);
}
