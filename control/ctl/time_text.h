/* SPDX-License-Identifier: BSD-3-Clause */
// Times on the command line. Thread rule: any.
#pragma once

#include "base.h"
#include "err.h"

// Reads "2026-11-21T08:43:52", with or without a Z, as UTC, or digits alone as nanoseconds since
// 1970. Returns 0 with *ns, or -EINVAL with err saying what would be right.
int sl_time_parse(const char *text, uint64_t *ns, struct sl_err *err);
