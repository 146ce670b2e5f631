/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/ledger.h"

#include <string.h>

static const struct {
	const char *driver;
	enum sl_ledger_class ledger;
} classes[] = {
	// Counted before the loss, by our XDP program; without it only imissed is left.
	{"net_af_xdp", SL_LEDGER_EXACT},
	// No wire: what is not read is still in the file.
	{"net_pcap", SL_LEDGER_EXACT},
	// The sender finds a full ring and says nothing; these drivers never report a missed frame.
	{"net_memif", SL_LEDGER_BLIND},
	{"net_af_packet", SL_LEDGER_BLIND},
};

enum sl_ledger_class sl_ledger_class(const char *driver, bool has_prefilter)
{
	if (strcmp(driver, "net_af_xdp") == 0 && !has_prefilter)
		return SL_LEDGER_LOWER_BOUND;
	for (size_t i = 0; i < SL_ARRAY_COUNT(classes); i++) {
		if (strcmp(driver, classes[i].driver) == 0)
			return classes[i].ledger;
	}
	// imissed counts what the device knows; a switch or a cable before it loses unseen.
	return SL_LEDGER_LOWER_BOUND;
}
