/* SPDX-License-Identifier: BSD-3-Clause */
// What each kind of port can see of its own losses. Thread rule: none, there is no state here.
#pragma once

#include "base.h"
#include "shm.h"

// driver: rte_eth_dev_info.driver_name. has_prefilter: our XDP program counts what it redirects.
enum sl_ledger_class sl_ledger_class(const char *driver, bool has_prefilter);
