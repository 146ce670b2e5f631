/* SPDX-License-Identifier: BSD-3-Clause */
// A client of the data plane's control socket: one connection and one request a call, with a
// deadline. Thread rule: any thread that may wait; no state is kept between calls.
#pragma once

#include "base.h"
#include "ctl_proto.h"
#include "err.h"

#include <jansson.h>

// Sends command to runtime_dir/dataplane.sock and waits for the answer, deadline_ms in all. Returns
// 0 with *answer the whole answer, a new reference whose "ok" is true. Otherwise a negative errno
// with err filled: -ENOENT or -ECONNREFUSED when nobody listens, -EACCES, -ETIMEDOUT, -EPROTO for
// an answer that is none, -EREMOTEIO with the server's own words when it refused.
int sl_ctl_request(const char *runtime_dir, enum sl_ctl_command command, uint32_t deadline_ms,
	json_t **answer, struct sl_err *err);

// Asks for a snapshot; *snapshot is its number. Returns as sl_ctl_request().
int sl_ctl_snapshot(
	const char *runtime_dir, uint32_t deadline_ms, uint64_t *snapshot, struct sl_err *err);
