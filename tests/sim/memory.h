/* SPDX-License-Identifier: BSD-3-Clause */
// The memory of the simulated process: all that its archives allocate. It is gone when the process
// dies, as after a kill, and what its tasks left behind at a clean end is known.
#pragma once

#include "base.h"

// Allocations belong to the simulated process from now on, or to the harness again.
void sim_memory_enter(bool is_process);

// The process has ended. Returns the bytes that it had not given back.
uint64_t sim_memory_reset(void);

// Zeros; of large pieces the pages are given back to the kernel, which is faster than writing them:
// the slots of store.meta are 4 MiB of little.
void sim_memory_clear(void *memory, size_t bytes);

// For the simulation itself, never out of memory, zeroed.
void *sim_host_allocate(size_t bytes);
void *sim_host_grow(void *memory, size_t bytes);
void sim_host_free(void *memory);
