/* SPDX-License-Identifier: BSD-3-Clause */
// The fault-injecting twin of a worker's writes: stands before the real one and spoils chosen
// writes. Unit tests use it, and builds with -Dfaults=true through --fault. Thread rule: as
// io_ops.h.
#pragma once

#include "base.h"
#include "store/io_ops.h"

// Numbers count the writes queued, from 1; 0 never.
struct sl_io_fault {
	uint64_t eio_number; // is not written; completes with -EIO
	uint64_t eio_count; // so do those behind it, this many in all; 0: one
	bool eio_lands; // they are written all the same: of a failed range nobody knows
	// Of the first one from here on that is larger than a block only its first block is
	// written; the completion says so.
	uint64_t short_number;
	uint64_t eagain_number; // is not written; completes with -EAGAIN
	uint64_t full_number; // is not written; completes with -ENOSPC
	uint64_t full_count; // so do those behind it, this many in all; 0: one
	uint64_t hang_number; // this and all later ones never complete
	bool reverse; // the last comes first; a lone one waits while others are under way
};

// Takes ownership of inner. NULL with errno when out of memory; then inner is destroyed.
struct sl_io *sl_io_fault_create(struct sl_io *inner, const struct sl_io_fault *fault);
