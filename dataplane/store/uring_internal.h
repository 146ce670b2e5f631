/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the hot and the slow half of the io_uring backend. Nobody else includes this.
#pragma once

#include "store/uring.h"

#include <liburing.h>

struct sl_uring {
	struct sl_io io; // first
	struct io_uring ring;
};

// Hot half, uring.c.
int sl_uring_queue(struct sl_io *io, struct sl_io_request *request);
int sl_uring_submit(struct sl_io *io);
uint32_t sl_uring_reap(struct sl_io *io, struct sl_io_request **done, uint32_t count_max);
