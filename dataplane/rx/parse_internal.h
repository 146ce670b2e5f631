/* SPDX-License-Identifier: BSD-3-Clause */
// What parse.c (plain frames, inline) and parse_slow.c (every other frame) share. Thread rule: no
// state; called on RX lcores.
#pragma once

#include "parse.h"

// The verdict on a frame that is a datagram of ours.
#define SL_PARSE_ACCEPT SL_DROP_REASON_COUNT

// The whole specification, for any frame: tags, odd headers, several segments, and the exact reason
// of a drop. Fills *datagram when it returns SL_PARSE_ACCEPT. mbuf is only read.
enum sl_drop_reason sl_parse_slow(const struct sl_parse_table *table, const struct rte_mbuf *mbuf,
	struct sl_datagram *datagram);
