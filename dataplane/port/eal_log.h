/* SPDX-License-Identifier: BSD-3-Clause */
// DPDK's log lines on their way to sl_log: errors as info, all others as debug, because what an
// operator must know is said by our own lines. Thread rule: open and close on the main thread; any
// thread may log in between.
#pragma once

// From now on DPDK logs through sl_log. Returns 0 or a negative errno.
int sl_eal_log_open(void);

// DPDK logs to stderr again.
void sl_eal_log_close(void);
