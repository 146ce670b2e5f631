/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by mend.c (files and their names) and mend_fill.c (what is written into the copy).
#pragma once

#include "ctl/store/mend.h"

// The copy, and what a walk along its batches has found.
struct sl_mend_copy {
	const struct sl_mend *mend;
	struct sl_err *err;
	char path[SL_PATH_BYTES_MAX]; // for messages
	int fd;
	uint64_t file_bytes;
	char *memory; // SL_BATCH_BYTES_MAX, block-aligned
	uint64_t unreadable; // the first block outside of all holes; UINT64_MAX: none
	uint64_t number_end; // a later segment takes over from here on; UINT64_MAX: none does
	uint64_t first_number, last_number, end_position, epoch, event_count;
	uint64_t time_first_ns, time_last_ns;
	uint32_t last_body_crc;
};

int sl_mend_read(struct sl_mend_copy *copy, uint64_t position, size_t bytes);
int sl_mend_write(struct sl_mend_copy *copy, uint64_t position, const void *data, size_t bytes);

// Fills a hole of the copy. Returns 0 or a negative errno.
int sl_mend_fill(struct sl_mend_copy *copy, const struct sl_finding *finding);

// Walks the batches of the copy from its beginning, as long as they follow each other.
int sl_mend_walk(struct sl_mend_copy *copy);

// Puts fences for mend->tail_lost behind the last batch.
int sl_mend_fill_tail(struct sl_mend_copy *copy);

int sl_mend_write_footer(struct sl_mend_copy *copy);
