/* SPDX-License-Identifier: BSD-3-Clause */
// A worker's ring over the virtual drive, in place of io_uring.
#pragma once

#include "store/io_ops.h"

struct sl_io *sim_ring_create(void);
