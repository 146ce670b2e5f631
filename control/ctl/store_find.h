/* SPDX-License-Identifier: BSD-3-Clause */
// Which store `sluicectl read` reads, and whether a data plane is writing it. Thread rule:
// sluicectl has one thread.
#pragma once

#include "ctl/ctl.h"

struct sl_store_reader;

// Opens the store at store_paths (one of them, or all), or when there is none the store of the data
// plane in ctl->runtime_dir, be it running or dead; is_degraded: also when a path is not here. *shm
// is mapped when that data plane is alive and writes this very store, and zeroed otherwise: then
// nobody writes it. Returns SL_CTL_OK with both the caller's to close, or an exit code after its
// line on stderr.
int sl_ctl_store_find(const struct sl_ctl *ctl, const char *const *store_paths,
	uint32_t store_path_count, bool is_degraded, struct sl_store_reader **store,
	struct sl_shm *shm);

// The data plane that writes the store at store_path: *shm is mapped, the caller's to close, when
// it is alive and the one of ctl->runtime_dir, and zeroed when nobody writes. Returns SL_CTL_OK, or
// an exit code after its line on stderr.
int sl_ctl_store_writer(const struct sl_ctl *ctl, const char *store_path, struct sl_shm *shm);

// The exit code for what the store's reader returned.
enum sl_ctl_exit sl_ctl_store_code(int rc);
