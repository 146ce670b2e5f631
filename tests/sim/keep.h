/* SPDX-License-Identifier: BSD-3-Clause */
// A copy of the virtual drive's store in a real directory, for readers in other languages.
#pragma once

#include "base.h"

// Writes SIM_STORE_PATH to directory/store, and what the oracle knows to directory/events: a line
// "STREAMS PARTITIONS", then a line "PARTITION OFFSET ID BYTES" for each event. directory must
// exist. 0 or a negative errno; -EXDEV for a store on several paths.
int sim_keep_store(const char *directory, uint32_t stream_count);
