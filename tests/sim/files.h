/* SPDX-License-Identifier: BSD-3-Clause */
// The file system calls of the product, on the virtual drive: descriptors, paths, locks. Paths
// outside SIM_ROOT do not exist for the process; the harness sees the real ones.
#pragma once

#include "base.h"

struct sim_file;

// NULL: no descriptor of ours.
struct sim_file *sim_file_of(int fd);

// The process is dead: its descriptors are closed, its locks last while its writes do. Returns the
// number of descriptors that it had open.
uint32_t sim_files_close_all(void);
