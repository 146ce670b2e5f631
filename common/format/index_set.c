/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/index_set.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_BYTES_MIN 64u

static bool grow(struct sl_index_set *set, size_t needed_bytes)
{
	size_t bytes = SL_MAX(set->capacity_bytes * 2, SL_MAX(needed_bytes, CAPACITY_BYTES_MIN));
	char *data;

	if (needed_bytes <= set->capacity_bytes)
		return true;
	data = realloc(set->data, bytes);
	if (data == NULL)
		return false;
	memset(data + set->capacity_bytes, 0, bytes - set->capacity_bytes);
	set->data = data;
	set->capacity_bytes = bytes;
	return true;
}

static void set_bit(uint8_t *bits, uint32_t place)
{
	bits[place / 8] |= (uint8_t)(1u << place % 8);
}

static bool become_bitmap(struct sl_index_set *set, uint32_t place)
{
	struct sl_index_set bitmap = {.is_bitmap = true, .count = set->count};
	const uint32_t *places = set->data;

	if (!grow(&bitmap, place / 8 + 1))
		return false;
	for (uint32_t i = 0; i < set->count; i++)
		set_bit(bitmap.data, places[i]);
	free(set->data);
	*set = bitmap;
	return true;
}

bool sl_index_set_add(struct sl_index_set *set, uint32_t place)
{
	size_t list_bytes = ((size_t)set->count + 1) * sizeof(place);

	if (!set->is_bitmap && list_bytes > set->capacity_bytes && list_bytes > place / 8 + 1 &&
		set->count > 0 && !become_bitmap(set, place))
		return false;
	if (!grow(set, set->is_bitmap ? place / 8 + 1 : list_bytes))
		return false;
	if (set->is_bitmap)
		set_bit(set->data, place);
	else
		((uint32_t *)set->data)[set->count] = place;
	set->count++;
	return true;
}

void sl_index_set_list(const struct sl_index_set *set, char *target)
{
	const uint8_t *bits = set->data;

	if (!set->is_bitmap) {
		if (set->count > 0)
			memcpy(target, set->data, set->count * sizeof(uint32_t));
		return;
	}
	for (uint32_t place = 0, left = set->count; left > 0; place++) {
		if ((bits[place / 8] & 1u << place % 8) == 0)
			continue;
		memcpy(target, &place, sizeof(place));
		target += sizeof(place);
		left--;
	}
}

void sl_index_set_bitmap(const struct sl_index_set *set, char *target, size_t bytes)
{
	const uint32_t *places = set->data;

	if (set->is_bitmap) {
		memcpy(target, set->data, SL_MIN(bytes, set->capacity_bytes));
		return;
	}
	for (uint32_t i = 0; i < set->count; i++)
		set_bit((uint8_t *)target, places[i]);
}

void sl_index_set_fini(struct sl_index_set *set)
{
	free(set->data);
	*set = (struct sl_index_set){0};
}
