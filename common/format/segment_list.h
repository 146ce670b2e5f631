/* SPDX-License-Identifier: BSD-3-Clause */
// Names in a store's directories: lanes, segments, segments being born. Thread rule: pure functions
// and lists that belong to their caller; any thread but a polling lcore.
#pragma once

#include "base.h"
#include "err.h"
#include "format/log_format.h"

// Each fills path (SL_PATH_BYTES_MAX bytes) and returns 0, or -ENAMETOOLONG with err filled.
int sl_lane_path(char *path, const char *store_path, uint16_t lane, struct sl_err *err);
int sl_segment_path(char *path, const char *lane_path, uint64_t number, struct sl_err *err);
int sl_segment_index_path(char *path, const char *lane_path, uint64_t number, struct sl_err *err);
int sl_segment_temp_path(char *path, const char *lane_path, uint64_t number, struct sl_err *err);

// Segment numbers of one lane.
struct sl_segment_list {
	uint64_t *numbers; // ascending
	size_t count;
};

// Lists the segments in LANE_DIR; those being born are left out, names that are no segment's too.
// Returns 0, -ENOENT without the directory, or another negative errno, with err filled. The caller
// owns *list.
int sl_segment_list_read(struct sl_segment_list *list, const char *lane_path, struct sl_err *err);

// The same for what is left of unfinished births: *.tmp.
int sl_segment_list_read_temps(
	struct sl_segment_list *list, const char *lane_path, struct sl_err *err);

// The same for segment indexes: *.idx, by the numbers of their segments.
int sl_segment_list_read_indexes(
	struct sl_segment_list *list, const char *lane_path, struct sl_err *err);

void sl_segment_list_free(struct sl_segment_list *list);
