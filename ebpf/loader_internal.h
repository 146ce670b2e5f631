/* SPDX-License-Identifier: BSD-3-Clause */
// Shared by the files of the loader only. Thread rule: as loader.h.
#pragma once

#include "base.h"
#include "err.h"
#include "prefilter_shared.h"

struct bpf_map_info;

// What is attached to an interface: at most one program a mode.
struct sl_xdp_attached {
	uint32_t id; // 0: none
	uint32_t mode_flags; // XDP_FLAGS_DRV_MODE, ..., to detach it with
	char name[16];
};

// Fills attached[0..3), one a mode. Returns how many there are, or a negative errno.
int sl_xdp_attached_read(int interface_index, struct sl_xdp_attached attached[3]);

// Detaches exactly this program; one that has taken its place meanwhile stays.
int sl_xdp_attached_detach(int interface_index, const struct sl_xdp_attached *attached);

// A file descriptor of the map of this name that the program uses, or a negative errno. Fills info.
int sl_xdp_map_open(uint32_t program_id, const char *name, struct bpf_map_info *info);

// Field 22 of /proc/PID/stat, or 0 when there is no such process.
uint64_t sl_xdp_process_start_ticks(uint32_t pid);
