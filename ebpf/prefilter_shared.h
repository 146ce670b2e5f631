/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
// What the XDP program and its loader agree on: names, map layouts, verdicts. Compiled for BPF and
// for C. Thread rule: constants and layouts only.
#pragma once

#include <linux/types.h>

// Kernel names hold 15 characters. A program of this name on an interface is ours.
#define SL_PREFILTER_PROGRAM "sl_prefilter"
#define SL_PREFILTER_MAP_XSKS "xsks_map" // the name that DPDK's af_xdp driver looks for
#define SL_PREFILTER_MAP_PORTS "sl_ports"
#define SL_PREFILTER_MAP_CONTROL "sl_control"
#define SL_PREFILTER_MAP_VERDICTS "sl_verdicts"

#define SL_PREFILTER_QUEUE_COUNT_MAX 64
// Headers looked at behind the IPv6 header; a longer chain is left to the kernel.
#define SL_PREFILTER_IPV6_CHAIN_MAX 8

// sl_ports: a bitmap over the UDP destination ports, an array of 64-bit words.
#define SL_PREFILTER_PORT_WORD_COUNT (65536 / 64)

// sl_control: one element, written by the loader alone.
struct sl_prefilter_control {
	__u32 redirect; // 0: everything passes to the kernel
	__u32 owner_pid; // of the data plane, so that a live one is not taken for a stale one
	__u64 owner_start_ticks; // field 22 of /proc/PID/stat: pids come back
};

// sl_verdicts: index of a 64-bit counter per CPU. Every frame ends in exactly one.
enum sl_prefilter_verdict {
	SL_PREFILTER_REDIRECT, // given to the AF_XDP socket of its queue
	SL_PREFILTER_PASS, // not ours
	SL_PREFILTER_PASS_OFF, // ours, but the redirect is switched off
	SL_PREFILTER_PASS_NO_SOCKET, // ours, but its receive queue has no socket
	SL_PREFILTER_VERDICT_COUNT,
};
