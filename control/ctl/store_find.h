/* SPDX-License-Identifier: BSD-3-Clause */
// Which store `sluicectl read` and its like look at, and whether a data plane is writing it. Thread
// rule: sluicectl has one thread.
#pragma once

#include "bounds.h"
#include "ctl/ctl.h"

struct sl_store_reader;

// Which store the command line names. The strings are argv's.
struct sl_ctl_store_choice {
	const char *paths[SL_STORE_PATH_COUNT_MAX];
	uint32_t path_count; // 0: the data plane's
	bool is_degraded; // also when a path is not here
};

// Handles an option "store" that may be given several times. Returns 0, or -EINVAL with err.
int sl_ctl_store_choose(struct sl_ctl_store_choice *choice, const char *path, struct sl_err *err);

// Opens the chosen store (by one of its paths, or all), or the store of the data plane in
// ctl->runtime_dir, be it running or dead. *shm is mapped when that data plane is alive and writes
// this very store, and zeroed otherwise: then nobody writes it. Returns SL_CTL_OK with both the
// caller's to close, or an exit code after its line on stderr.
int sl_ctl_store_find(const struct sl_ctl *ctl, const struct sl_ctl_store_choice *choice,
	struct sl_store_reader **store, struct sl_shm *shm);

// The data plane that writes the store at store_path: *shm is mapped, the caller's to close, when
// it is alive and the one of ctl->runtime_dir, and zeroed when nobody writes. Returns SL_CTL_OK, or
// an exit code after its line on stderr.
int sl_ctl_store_writer(const struct sl_ctl *ctl, const char *store_path, struct sl_shm *shm);

// The exit code for what the store's reader returned.
enum sl_ctl_exit sl_ctl_store_code(int rc);
