/* SPDX-License-Identifier: BSD-3-Clause */
// Reads the store with the product's readers and holds what they find against the oracle.
#pragma once

#include "base.h"

#define SIM_STORE_PATH "/sim/store"

struct sl_shm_partition;

// The whole store, at rest: by partition, by stream, and counted, which must agree. all: it must
// hold every event that the model has, not only those that were acknowledged.
void sim_judge_store(bool all);

// One partition beside the running appliance, up to its watermark. In a task.
void sim_judge_live(uint16_t partition, const struct sl_shm_partition *partitions);
