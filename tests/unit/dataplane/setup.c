/* SPDX-License-Identifier: BSD-3-Clause */
// EAL for the runner `unit-dataplane`: no hugepages, no devices, no files left behind.
#include "base.h"

#include <rte_eal.h>

int sl_runner_setup(void);

int sl_runner_setup(void)
{
	// EAL may reorder and change them.
	static char *arguments[] = {"unit-dataplane", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "--iova-mode=va", "--log-level=4", "-m", "128", NULL};

	return rte_eal_init((int)SL_ARRAY_COUNT(arguments) - 1, arguments) < 0 ? -1 : 0;
}
