/* SPDX-License-Identifier: BSD-3-Clause */
// The data plane's control socket: runtime_dir/dataplane.sock, a Unix stream. A request is one line
// of JSON, {"command":"snapshot"}; the answer is one line, {"ok":true,...} or
// {"ok":false,"error":"one line of text"}. A client may send further requests on the same
// connection, each after the answer to the one before. Lines are bounded; a longer one is answered
// with an error and the connection closed. docs/json.md describes it for people. Thread rule: pure
// functions, any thread but a polling lcore.
//
// snapshot: the server raises sl_shm_header.snapshot_request to N, waits until every polling lcore
// has taken copy N and every ring's marker N has arrived, publishes the ports' counters, and then
// answers {"ok":true,"snapshot":N}. Requests that arrive meanwhile get a number of their own.
#pragma once

#include "base.h"
#include "err.h"

#define SL_CTL_LINE_BYTES_MAX (64 * 1024) // with the newline, both ways

enum sl_ctl_command { SL_CTL_SNAPSHOT, SL_CTL_COMMAND_COUNT };

// Index by enum; lifetime of the program.
extern const char *const sl_ctl_command_names[SL_CTL_COMMAND_COUNT];

// Reads one request: bytes of line, with or without its newline. Returns 0 with *command set, or
// -EINVAL with err saying what is wrong with it.
int sl_ctl_request_parse(
	const char *line, size_t bytes, enum sl_ctl_command *command, struct sl_err *err);

// Write an answer, newline included and not terminated by a zero, into line of line_bytes bytes.
// Return its length; 0 when it does not fit or there is no memory.
size_t sl_ctl_answer_snapshot(char *line, size_t line_bytes, uint64_t snapshot);
size_t sl_ctl_answer_error(char *line, size_t line_bytes, const char *text);
