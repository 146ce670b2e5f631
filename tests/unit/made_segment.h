/* SPDX-License-Identifier: BSD-3-Clause */
// A shared memory segment as an honest data plane would leave it: made by sl_shm_create() in a
// directory of its own and filled with figures in which every identity of the ledger holds, in the
// live counters and in snapshot SL_MADE_SNAPSHOT. Thread rule: one test.
#pragma once

#include "shm.h"

#define SL_MADE_SNAPSHOT 7

// Lcores: 0 receives, 1 works, 2 does both (run to completion).
struct sl_made_segment {
	char runtime_dir[64];
	struct sl_shm shm;
	struct sl_shm_port
		ports_before[1]; // the first sample, before any of the traffic's last frames
};

// Makes and fills the segment. Returns 0, or -1 with a line on stdout.
int sl_made_segment_create(struct sl_made_segment *made);

// Unmaps the segment and removes its directory.
void sl_made_segment_destroy(struct sl_made_segment *made);
