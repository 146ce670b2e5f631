/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/segment_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_DIGITS 16
#define CAPACITY_MIN 64

static int check_path(int bytes, const char *directory, struct sl_err *err)
{
	if (bytes >= SL_PATH_BYTES_MAX)
		return sl_err_set(err, -ENAMETOOLONG,
			"paths below %s are longer than %d bytes: use a shorter store path",
			directory, SL_PATH_BYTES_MAX - 1);
	return 0;
}

int sl_lane_path(char *path, const char *store_path, uint16_t lane, struct sl_err *err)
{
	return check_path(snprintf(path, SL_PATH_BYTES_MAX, "%s/" SL_LANE_DIR_FORMAT, store_path,
				  (unsigned)lane),
		store_path, err);
}

int sl_segment_path(char *path, const char *lane_path, uint64_t number, struct sl_err *err)
{
	return check_path(snprintf(path, SL_PATH_BYTES_MAX, "%s/" SL_SEGMENT_NAME_FORMAT, lane_path,
				  (unsigned long long)number),
		lane_path, err);
}

int sl_segment_index_path(char *path, const char *lane_path, uint64_t number, struct sl_err *err)
{
	return check_path(snprintf(path, SL_PATH_BYTES_MAX, "%s/" SL_SEGMENT_INDEX_NAME_FORMAT,
				  lane_path, (unsigned long long)number),
		lane_path, err);
}

int sl_segment_temp_path(char *path, const char *lane_path, uint64_t number, struct sl_err *err)
{
	return check_path(snprintf(path, SL_PATH_BYTES_MAX, "%s/" SL_SEGMENT_TEMP_FORMAT, lane_path,
				  (unsigned long long)number),
		lane_path, err);
}

// 16 lower-case hex digits and the suffix, nothing else; numbers count from 1.
static bool parse_name(const char *name, const char *suffix, uint64_t *number)
{
	*number = 0;
	for (int i = 0; i < NUMBER_DIGITS; i++) {
		char c = name[i];

		if (c >= '0' && c <= '9')
			*number = *number << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*number = *number << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return *number > 0 && strcmp(name + NUMBER_DIGITS, suffix) == 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static int add_number(struct sl_segment_list *list, size_t *capacity, uint64_t number)
{
	if (list->count == *capacity) {
		size_t grown_capacity = SL_MAX(*capacity * 2, (size_t)CAPACITY_MIN);
		void *grown = realloc(list->numbers, grown_capacity * sizeof(*list->numbers));

		if (grown == NULL)
			return -ENOMEM;
		list->numbers = grown;
		*capacity = grown_capacity;
	}
	list->numbers[list->count++] = number;
	return 0;
}

static int read_names(
	struct sl_segment_list *list, const char *lane_path, const char *suffix, struct sl_err *err)
{
	DIR *directory = opendir(lane_path);
	const struct dirent *entry;
	size_t capacity = 0;
	uint64_t number;
	int result = 0;

	*list = (struct sl_segment_list){0};
	if (directory == NULL) {
		result = -errno;
		return sl_err_set(err, result, "cannot list %s: %s", lane_path, strerror(-result));
	}
	while (result == 0) {
		errno = 0;
		entry = readdir(directory);
		if (entry == NULL) {
			result = -errno;
			break;
		}
		if (parse_name(entry->d_name, suffix, &number))
			result = add_number(list, &capacity, number);
	}
	closedir(directory);
	if (result < 0) {
		sl_segment_list_free(list);
		return sl_err_set(err, result, "cannot list %s: %s", lane_path, strerror(-result));
	}
	if (list->count > 0)
		qsort(list->numbers, list->count, sizeof(*list->numbers), compare_numbers);
	return 0;
}

int sl_segment_list_read(struct sl_segment_list *list, const char *lane_path, struct sl_err *err)
{
	return read_names(list, lane_path, ".seg", err);
}

int sl_segment_list_read_temps(
	struct sl_segment_list *list, const char *lane_path, struct sl_err *err)
{
	return read_names(list, lane_path, ".tmp", err);
}

int sl_segment_list_read_indexes(
	struct sl_segment_list *list, const char *lane_path, struct sl_err *err)
{
	return read_names(list, lane_path, ".idx", err);
}

void sl_segment_list_free(struct sl_segment_list *list)
{
	free(list->numbers);
	*list = (struct sl_segment_list){0};
}
