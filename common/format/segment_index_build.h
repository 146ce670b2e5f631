/* SPDX-License-Identifier: BSD-3-Clause */
// Builds the index of a sealed segment from its headers and partition tables, in small steps: a
// thread that has other things to do takes some batches a turn. Only reads the segment. Thread
// rule: keeper thread, offline tools; blocking, allocates.
#pragma once

#include "base.h"
#include "err.h"
#include "format/segment_index.h"

struct sl_index_builder;

// Opens the segment. Returns 0 and *builder, which the caller destroys; -ENOENT when the segment is
// not there, -EAGAIN when it is not sealed, or another negative errno; err is filled.
int sl_index_builder_create(struct sl_index_builder **builder, const char *lane_path, uint16_t lane,
	uint64_t segment, uint32_t salt_crc, struct sl_err *err);

// Looks at up to batch_count_max batches more. Returns 1 when there are more, 0 when all are known,
// -EBADMSG when headers or tables do not go on as they must (such a segment gets no index), or
// another negative errno; err is filled.
int sl_index_builder_step(
	struct sl_index_builder *builder, uint32_t batch_count_max, struct sl_err *err);

// Writes the index of a segment whose batches are all known: temporary name, fsync, rename, fsync
// of the directory. Returns 0 or a negative errno with err filled, and nothing left behind.
int sl_index_builder_write(struct sl_index_builder *builder, struct sl_err *err);

// Segment that is being looked at.
uint64_t sl_index_builder_segment(const struct sl_index_builder *builder);

void sl_index_builder_destroy(struct sl_index_builder *builder); // NULL is legal
