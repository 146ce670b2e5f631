/* SPDX-License-Identifier: BSD-3-Clause */
// The commands below `sluicectl store`, one file each; store.c dispatches. Thread rule: sluicectl
// has one thread.
#pragma once

#include "ctl/ctl.h"

// For the sl_command of one that works on one store, named by any of its paths.
#define SL_CTL_STORE_ARGUMENT .arguments = "STORE", .argument_count_min = 1, .argument_count_max = 1

extern const struct sl_command sl_ctl_store_info_command, sl_ctl_store_verify_command,
	sl_ctl_store_dump_command, sl_ctl_store_repair_command, sl_ctl_store_status_command;
extern const struct sl_ctl_subcommand sl_ctl_store_info, sl_ctl_store_verify, sl_ctl_store_dump,
	sl_ctl_store_repair, sl_ctl_store_status;
