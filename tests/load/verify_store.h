/* SPDX-License-Identifier: BSD-3-Clause */
// Feeds a verifier from a store. Thread rule: one thread.
#pragma once

#include "format/store_reader.h"
#include "load/verify.h"

// Looks for the first event of the generator, of any run and kind, and sets kind and run_id of
// payload from it; a kind or run that the caller knows is only looked for. stream is an index, or
// SL_VERIFY_ALL_STREAMS. Returns 0, -ENOENT when there is none, or what the reader failed with; err
// is filled.
int sl_verify_find_run(struct sl_store_reader *store, uint32_t stream, bool kind_known,
	struct sl_payload_config *payload, struct sl_err *err);

// Hands every event of the stream to verify; the caller finishes it. Each lane is read from its
// first segment that has at least the number segment_from on; a partition that has changed its lane
// is read whole. Returns 0 or a negative errno with err filled.
int sl_verify_store(struct sl_verify *verify, struct sl_store_reader *store, uint32_t stream,
	uint64_t segment_from, struct sl_err *err);

#define SL_VERIFY_ALL_STREAMS UINT32_MAX
