/* SPDX-License-Identifier: BSD-3-Clause */
// Runs of type SL_RUN_GAP: what is known to be missing (docs/format.md, "Gaps"). Pure. Thread rule:
// any thread.
#pragma once

#include "base.h"
#include "format/log_format.h"

// True when the data of a run are a gap that a writer of this version can have written, or of a
// later one that put more behind it.
bool sl_run_gap_check(const void *data, uint32_t bytes);

// True for a name as reasons have: of a-z, 0-9 and _, zero-terminated.
bool sl_run_gap_is_reason(const char text[SL_GAP_REASON_BYTES_MAX]);
