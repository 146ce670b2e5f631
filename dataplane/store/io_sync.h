/* SPDX-License-Identifier: BSD-3-Clause */
// Writes that are done when queue() returns: pwrite, and fdatasync where asked for. Start and stop
// use it, on the main lcore, so that a lane's first and last batches take the same way as all
// others.
#pragma once

#include "store/io_ops.h"

// NULL with errno when out of memory.
struct sl_io *sl_io_sync_create(void);
