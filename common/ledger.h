/* SPDX-License-Identifier: BSD-3-Clause */
// The accounting identities: every frame ends in exactly one counter, and what is in flight is
// counted. Both sides of each identity are computed from the shared memory segment, by whoever
// watches. Thread rule: any thread but a polling lcore; the segment is only read, the ledger is the
// caller's.
//
// At rest (the data plane has stopped) every identity is exact. At a snapshot the counters of
// lcores and rings are exact too, because each lcore copied its own at one point and markers went
// through the rings; only the ports' counters, which drivers and the kernel write while we read,
// are known as ranges between two samples. Ranges are sound if (a) the segment's ports were
// published before snapshot N was asked for (first sample) and again after all lcores had taken it
// (second sample), and (b) a publisher reads the sockets' counters, xsk_in_ring with them, before
// ipackets: then a frame on its way is seen at least once. Without traffic a range is one number.
#pragma once

#include "base.h"

struct sl_shm;
struct sl_shm_port;

#define SL_LEDGER_NAME_BYTES_MAX 64

// What a side was, seen from two samples; low == high when it is exact.
struct sl_ledger_range {
	uint64_t low, high;
};

// "left_text = right_text" of what `name` says. Texts live as long as the program.
struct sl_ledger_line {
	char name[SL_LEDGER_NAME_BYTES_MAX]; // "lcore 3 parse"
	const char *unit; // "frames", "datagrams", "events"
	const char *left_text, *right_text;
	struct sl_ledger_range left, right;
	bool is_sampled; // of what drivers and the kernel counted meanwhile: not exact
	bool ok; // the ranges meet; when both are exact: they are equal
};

struct sl_ledger {
	struct sl_ledger_line *lines; // owned
	size_t line_count;
};

// Evaluates the live counters of a segment whose polling lcores have stopped: the data plane's
// final report. Adds that nothing is left in open batches, in flight or in rings. Returns 0 or
// -ENOMEM. The caller owns *ledger.
int sl_ledger_at_rest(struct sl_ledger *ledger, const struct sl_shm *shm);

// Evaluates snapshot number `snapshot`, which the control socket has reported as whole.
// ports_before is the first sample: a copy of shm->ports made after an earlier snapshot. Returns 0;
// -EAGAIN when somebody asked for another snapshot meanwhile (ask again); -ENOMEM. The caller owns
// *ledger.
int sl_ledger_at_snapshot(struct sl_ledger *ledger, const struct sl_shm *shm, uint64_t snapshot,
	const struct sl_shm_port *ports_before);

// True when every line is ok.
bool sl_ledger_holds(const struct sl_ledger *ledger);

// Legal on a zeroed ledger.
void sl_ledger_free(struct sl_ledger *ledger);
