/* SPDX-License-Identifier: BSD-3-Clause */
// One worker's io_uring: O_DIRECT writes from registered buffers, RWF_DSYNC where asked for.
// Thread rule: created and destroyed on the main lcore, used by one worker lcore in between.
#pragma once

#include "base.h"
#include "err.h"
#include "store/io_ops.h"

#include <sys/uio.h>

// Creates a ring of entry_count and registers the buffer regions (at most 1 GiB each; none is
// legal), so that pages are pinned once. The regions stay the caller's and must outlive the ring.
// Returns NULL with err filled (remedy: RLIMIT_MEMLOCK, kernel.io_uring_disabled).
struct sl_io *sl_uring_create(uint32_t entry_count, const struct iovec *regions,
	uint32_t region_count, struct sl_err *err);
