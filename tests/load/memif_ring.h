/* SPDX-License-Identifier: BSD-3-Clause */
// How full the ring is into which a memif client sends. DPDK's driver cannot be asked, and a client
// that closes takes with it what still lies there; but the ring is shared memory of a fixed layout
// (memif protocol 2.0), mapped into this process. Thread rule: the sending thread.
#pragma once

#include "base.h"

struct sl_memif_ring;

// The ring of the first queue of this process's only memif client, in a mapping of its own, so that
// it stays readable when the other end hangs up. NULL when there is none that is understood.
const struct sl_memif_ring *sl_memif_ring_open(void);

// Frames in it that the other end has not taken yet.
uint32_t sl_memif_ring_pending(const struct sl_memif_ring *ring);

// NULL is legal.
void sl_memif_ring_close(const struct sl_memif_ring *ring);
