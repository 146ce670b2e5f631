/* SPDX-License-Identifier: BSD-3-Clause */
// Our XDP program on an interface, from the outside. DPDK's af_xdp driver loads and attaches it
// (xdp_prog=); here it is found again by its name, its maps by the program's id, so that nothing is
// pinned and ports never collide. Needs root (CAP_SYS_ADMIN to look up by id). Thread rule: one
// thread, the main lcore; never a polling lcore.
#pragma once

#include "base.h"
#include "err.h"

struct sl_xdp;

// Frames since the program was attached, all CPUs. Every frame is in exactly one.
struct sl_xdp_verdicts {
	uint64_t redirect; // to an AF_XDP socket
	uint64_t pass; // to the kernel: not ours
	uint64_t pass_off; // to the kernel: ours, with the redirect switched off
	uint64_t pass_no_socket; // to the kernel: ours, on a receive queue without a socket
};

// Writes the path of the compiled program: $SLUICE_XDP_OBJECT if set, else the one in the build
// tree that this executable belongs to, else the installed one. Returns 0, or -ENOENT with err
// naming what was looked for.
int sl_xdp_object_path(char *path, size_t path_bytes, struct sl_err *err);

// Makes room for our program. Returns 0 when the interface is free, 1 when a stale program of ours
// (of a process that was killed) was detached. -EBUSY, with err naming it and the remedy, when
// another program is attached or the one that is ours belongs to a running process.
int sl_xdp_detach_stale(const char *interface, struct sl_err *err);

// Finds our program on the interface and its maps, and records this process as its owner. Nothing
// is redirected yet. Returns NULL with errno and err set. The caller owns it: sl_xdp_close().
struct sl_xdp *sl_xdp_open(const char *interface, struct sl_err *err);

// Replaces the set of UDP destination ports (host byte order) that are ours.
int sl_xdp_set_ports(
	struct sl_xdp *xdp, const uint16_t *udp_ports, uint32_t udp_port_count, struct sl_err *err);

// While off, the kernel gets everything. A frame that is inside the program at that moment still
// goes the old way.
int sl_xdp_set_redirect(struct sl_xdp *xdp, bool on, struct sl_err *err);

// Returns 0 or a negative errno; then verdicts is not written.
int sl_xdp_read_verdicts(const struct sl_xdp *xdp, struct sl_xdp_verdicts *verdicts);

// Detaches our program if it is still attached (the driver does so when the device is closed) and
// frees. Legal on NULL.
void sl_xdp_close(struct sl_xdp *xdp);

// Sends libbpf's own lines to sl_log at level debug. Once, before anything else of this header.
void sl_xdp_log_init(void);
