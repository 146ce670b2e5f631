/* SPDX-License-Identifier: BSD-3-Clause */
#include "load/payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIMPLE_IMIX "7:64,4:570,1:1518"

struct size_share {
	uint32_t weight;
	uint32_t payload_bytes;
	int32_t credit;
};

// "COUNT:BYTES" at *text, which moves behind it and a comma.
static int take_share(const char **text, struct size_share *share)
{
	char *end;
	unsigned long weight = strtoul(*text, &end, 10), frame_bytes;

	if (end == *text || *end != ':' || weight < 1 || weight > SL_PAYLOAD_CYCLE_COUNT_MAX)
		return -EINVAL;
	*text = end + 1;
	frame_bytes = strtoul(*text, &end, 10);
	if (end == *text || (*end != '\0' && (*end != ',' || end[1] == '\0')) ||
		frame_bytes <= SL_FRAME_OVERHEAD_BYTES ||
		frame_bytes > SL_PAYLOAD_BYTES_MAX + SL_FRAME_OVERHEAD_BYTES)
		return -EINVAL;
	*share = (struct size_share){
		.weight = (uint32_t)weight,
		.payload_bytes = (uint32_t)frame_bytes - SL_FRAME_OVERHEAD_BYTES,
	};
	*text = *end == ',' ? end + 1 : end;
	return 0;
}

// Each turn every size earns its weight, and the richest goes and pays for all: no size clusters.
static void spread(struct sl_payload_config *config, struct size_share *shares, uint32_t count)
{
	for (uint32_t i = 0; i < config->cycle_count; i++) {
		struct size_share *richest = &shares[0];

		for (uint32_t j = 0; j < count; j++) {
			shares[j].credit += (int32_t)shares[j].weight;
			if (shares[j].credit > richest->credit)
				richest = &shares[j];
		}
		richest->credit -= (int32_t)config->cycle_count;
		config->cycle[i] = richest->payload_bytes;
	}
}

int sl_payload_cycle_parse(struct sl_payload_config *config, const char *text, struct sl_err *err)
{
	struct size_share shares[SL_PAYLOAD_CYCLE_COUNT_MAX];
	uint32_t count = 0, weight_sum = 0, bytes_max = 0;
	const char *rest = strcmp(text, "simple") == 0 ? SIMPLE_IMIX : text;

	do {
		if (count == SL_ARRAY_COUNT(shares) || take_share(&rest, &shares[count]) != 0)
			return sl_err_set(err, -EINVAL,
				"must be COUNT:BYTES,... with frame sizes from %u on, as in %s, or "
				"'simple', which means that",
				SL_FRAME_OVERHEAD_BYTES + 1, SIMPLE_IMIX);
		weight_sum += shares[count].weight;
		bytes_max = SL_MAX(bytes_max, shares[count].payload_bytes);
		count++;
	} while (*rest != '\0');
	if (weight_sum > SL_PAYLOAD_CYCLE_COUNT_MAX)
		return sl_err_set(err, -EINVAL, "the counts must add up to at most %u",
			SL_PAYLOAD_CYCLE_COUNT_MAX);
	config->cycle_count = weight_sum;
	config->bytes = bytes_max;
	spread(config, shares, count);
	return 0;
}
