/* SPDX-License-Identifier: BSD-3-Clause */
// Reads one file after the other from front to back at the drive's speed: several large reads are
// under way while the caller looks at what has come. Blocks that the drive cannot give come as
// zeros and are said to be missing. Thread rule: belongs to its creator; the readers are threads of
// its own.
#pragma once

#include "base.h"
#include "err.h"

#define SL_READ_AHEAD_SPAN_BYTES_MAX (4u * 1024 * 1024) // of one get

struct sl_read_ahead;

// Returns 0 and *reader, the caller's to destroy, or a negative errno with err filled.
int sl_read_ahead_create(struct sl_read_ahead **reader, struct sl_err *err);
void sl_read_ahead_destroy(struct sl_read_ahead *reader); // NULL is legal

// Goes on with this file, from begin to end (both whole blocks). fd stays open until the next begin
// or the end of the reader; it may be O_DIRECT.
void sl_read_ahead_begin(struct sl_read_ahead *reader, int fd, uint64_t begin, uint64_t end);

// All reads that are under way end, and fd is the caller's again.
void sl_read_ahead_stop(struct sl_read_ahead *reader);

// The bytes at [position, position + bytes), which lie between begin and end, are at most
// SL_READ_AHEAD_SPAN_BYTES_MAX, and not before those of the last call; they stay until the next.
const char *sl_read_ahead_get(struct sl_read_ahead *reader, uint64_t position, size_t bytes);

// First block since begin that could not be read, UINT64_MAX while there is none; *error is what
// the system said, a negative errno (-EIO where the file ends too early).
uint64_t sl_read_ahead_unreadable(struct sl_read_ahead *reader, int *error);

// Bytes read since the creation.
uint64_t sl_read_ahead_bytes(struct sl_read_ahead *reader);
