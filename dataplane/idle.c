/* SPDX-License-Identifier: BSD-3-Clause */
// What a polling lcore does when a turn found nothing. A pause, not a sleep: the next datagram may
// be there in 67 ns.
#include "lcore.h"

#include <rte_pause.h>

#include "hotpath.h"

void sl_lcore_idle(void)
{
	rte_pause();
}
