/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files that make up the segment. Nobody else includes this.
#pragma once

#include "store/segment.h"

// Takes the writer's lock byte with F_OFD_SETLK or F_OFD_SETLKW. 0 or a negative errno.
int sl_segment_lock_byte(int fd, int command);

// Opens for O_DIRECT. A file descriptor or a negative errno with err.
int sl_segment_open_direct(const char *path, int flags, struct sl_err *err);

// fsync of a directory. 0 or a negative errno with err.
int sl_segment_sync_directory(const char *path, struct sl_err *err);

// How much of the file, from its start, was written before, in whole blocks: 0 where the file
// system does not say.
uint64_t sl_segment_written_bytes(int fd, uint64_t file_bytes);

// A struct without a file. NULL with errno and err.
struct sl_segment *sl_segment_allocate(uint64_t number, uint64_t file_bytes, struct sl_err *err);
