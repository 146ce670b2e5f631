/* SPDX-License-Identifier: BSD-3-Clause */
// What a store holds, from its metadata, footers, checkpoints and unsealed segments alone: sealed
// segments are not read. Takes no lock but the readers', so that it works beside a writer; then the
// figures are those of the moment. Thread rule: belongs to its caller; reads only.
#pragma once

#include "base.h"
#include "bounds.h"
#include "err.h"
#include "format/store_paths.h"

struct sl_store_info_lane {
	uint16_t lane;
	char path[SL_PATH_BYTES_MAX];
	uint64_t epoch; // 0: lane.meta cannot be read
	uint64_t sealed_count, unsealed_count; // segments
	uint64_t byte_count; // of all their files
	uint64_t batch_count, event_count; // retained, void events counted too
	uint64_t time_first_ns, time_last_ns; // receive times; 0 without a batch
	struct sl_err damage; // code 0, or what stopped the look at this lane
};

struct sl_store_info_partition {
	uint64_t first_offset; // first retained; next_offset when none is
	uint64_t next_offset;
};

struct sl_store_info {
	struct sl_store_meta meta;
	struct sl_store_paths paths;
	uint64_t id; // a hash of the salt, which itself is nobody's to see
	struct sl_store_info_lane *lanes; // meta.header.lane_count
	struct sl_store_info_partition *partitions; // meta.header.partition_count
};

// Looks at the store at path. Returns 0, also when lanes are damaged (each says so); -ENOENT
// without a store, -EPROTO for an unknown version, -EBADMSG when store.meta cannot be read, or
// another negative errno; err is filled. The caller owns *info.
int sl_store_info_read(struct sl_store_info *info, const char *path, struct sl_err *err);

void sl_store_info_free(struct sl_store_info *info);

// The id of a store with this salt.
uint64_t sl_store_id(const uint8_t salt[SL_SALT_BYTES]);
