/* SPDX-License-Identifier: BSD-3-Clause */
// One seed: a store and what happens to it, from its birth through several lives of the appliance
// to a last, undisturbed one.
#pragma once

#include "base.h"

// Returns true when everything was as it must be; else sim_failure() says what was not.
// keep_path: where the store is left (keep.h), or NULL.
bool sim_run_seed(uint64_t seed, bool is_verbose, const char *keep_path);
