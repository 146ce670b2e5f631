/* SPDX-License-Identifier: BSD-3-Clause */
// What AddressSanitizer must be told of stacks and memory that the simulation hands out itself.
// Nothing, in builds without it.
#pragma once

#include "base.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#define SIM_STACK_BYTES (1024 * 1024ul) // its frames are larger

static inline void sim_memory_forbid(const void *memory, size_t bytes)
{
	__asan_poison_memory_region(memory, bytes);
}

static inline void sim_memory_allow(const void *memory, size_t bytes)
{
	__asan_unpoison_memory_region(memory, bytes);
}

// In front of a switch to the stack that begins at bottom.
static inline void sim_stack_leave(const void *bottom, size_t bytes)
{
	__sanitizer_start_switch_fiber(NULL, bottom, bytes);
}

// The first thing on the stack that was switched to. Says where the one before it lies.
static inline void sim_stack_enter(const void **left_bottom, size_t *left_bytes)
{
	__sanitizer_finish_switch_fiber(NULL, left_bottom, left_bytes);
}

#else
#define SIM_STACK_BYTES (256 * 1024ul)

static inline void sim_memory_forbid(const void *memory SL_UNUSED, size_t bytes SL_UNUSED)
{
}

static inline void sim_memory_allow(const void *memory SL_UNUSED, size_t bytes SL_UNUSED)
{
}

static inline void sim_stack_leave(const void *bottom SL_UNUSED, size_t bytes SL_UNUSED)
{
}

static inline void sim_stack_enter(const void **left_bottom SL_UNUSED, size_t *left_bytes SL_UNUSED)
{
}
#endif
