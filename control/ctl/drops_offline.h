/* SPDX-License-Identifier: BSD-3-Clause */
// sluicectl drops --check --offline: the accounting identities from the log alone. Thread rule:
// sluicectl has one thread.
#pragma once

#include "ctl/ctl.h"

struct sl_ctl_store_choice;

// Reads the chosen store, prints what adds up and what
// does not, and returns the exit code.
int sl_drops_offline(struct sl_ctl *ctl, const struct sl_ctl_store_choice *choice);
