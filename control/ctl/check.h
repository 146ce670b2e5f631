/* SPDX-License-Identifier: BSD-3-Clause */
// The live check of the accounting identities: two snapshots through the control socket, and the
// ledger between them. Thread rule: any thread that may wait.
#pragma once

#include "base.h"
#include "err.h"

struct sl_ledger;
struct sl_shm;

// Fills ledger, which the caller frees. Returns 0, whether the identities hold or not, or an exit
// code of sluicectl with err filled: the data plane does not answer, or there is no memory.
int sl_check_run(struct sl_ledger *ledger, const struct sl_shm *shm, const char *runtime_dir,
	struct sl_err *err);
