/* SPDX-License-Identifier: BSD-3-Clause */
// Hugepages that the kernel has to give. Thread rule: any thread but a polling lcore.
#pragma once

#include "base.h"
#include "err.h"

// folder: /sys/kernel/mm/hugepages, or a stand-in of it. Returns 0 when memory_mib can be had from
// free pages of 2 MiB and 1 GiB, else -ENOMEM with err naming how many pages are missing and the
// command that reserves them.
int sl_hugepages_check(const char *folder, uint32_t memory_mib, struct sl_err *err);
