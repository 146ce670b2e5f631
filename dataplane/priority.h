/* SPDX-License-Identifier: BSD-3-Clause */
// How the kernel's scheduler treats a thread that never sleeps.
#pragma once

/**
 * Makes the calling thread a polling one: it outranks whatever else wants its CPU for long, and
 * gives way at once to what wants it for a moment, as the kernel's threads that complete writes and
 * flushes.
 *
 * The first is nice -20; not SCHED_FIFO, whose throttling stalls a polling thread for 50 ms of each
 * second, as Linux is set by default. The AF_XDP driver keeps 2,048 buffers filled, which bridge 10
 * ms at 200,000 datagrams/s, a few time slices of another program.
 *
 * The second is a time slice of 100 ms, the longest there is: among threads that may run, the one
 * that asks for less goes first (EEVDF; Linux 6.12 and later, others take no notice). With the
 * default slice such a kernel thread waits for the poller's turn to end; a durable write then
 * took 1.2 ms instead of 0.2 (docs/performance.md).
 *
 * A thread under another policy than SCHED_OTHER, as somebody has started it (chrt), keeps that
 * one, without a slice.
 *
 * Any thread, for itself. Returns 0, or a negative errno value when the kernel refuses one of them,
 * as -EPERM without CAP_SYS_NICE; the other one is in force.
 */
int sl_priority_poll(void);
