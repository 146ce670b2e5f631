/* SPDX-License-Identifier: BSD-3-Clause */
// Switches that break the data plane on purpose, to show that the tests notice. Only in builds with
// -Dfaults=true; a production binary has neither the code nor the option. Thread rule:
// sl_fault_parse before start; the rest on any lcore.
#pragma once

#include "base.h"

#ifdef SL_FAULTS

#include "err.h"

struct sl_io;

enum sl_fault_place {
	SL_FAULT_LOSE_RING, // an event vanishes between RX lcore and worker
	SL_FAULT_LOSE_BATCH, // an event vanishes before it is appended
	SL_FAULT_LOSE_COMPLETION, // an event vanishes from the count of stored ones
	SL_FAULT_PLACE_COUNT
};

// Rules of the store that are broken all the time: the simulation (tests/sim) must find each but
// the last, which is for the battery (tests/battery), as the first one and the epoch's are.
enum sl_fault_rule {
	SL_FAULT_SKIP_FLUSH, // batches of durable lanes are not flushed
	SL_FAULT_SKIP_NAME_FLUSH, // the directory of a new segment is not flushed
	SL_FAULT_REUSE_EPOCH, // a start takes the epoch of the one before
	SL_FAULT_HASTY_WATERMARK, // moves with each completion, whatever came before it
	SL_FAULT_LOSE_AT_ROLL, // the event that made a lane roll is not written
	SL_FAULT_KEEP_TERM, // a partition that moves at a start keeps its term
	SL_FAULT_KEEP_TERM_AT_WORK, // so does one that moves while the appliance runs
	SL_FAULT_TRUST_BOOKMARK, // a start trusts the bookmark of any stop before
	SL_FAULT_SKIP_EPOCH, // lane.meta is not written
	SL_FAULT_RULE_COUNT
};

enum sl_fault_point {
#define SL_FAULT_POINT_ROW(id, name) SL_FAULT_AT_##id,
#include "fault_points.def"
#undef SL_FAULT_POINT_ROW
	SL_FAULT_POINT_COUNT
};

// "lose=ring", "lose=batch", "lose=completion": one event, the 1000th. "write=eio@N",
// "write=full@N" (ENOSPC), "write=short@N", "write=eagain@N": write number N of each worker, from
// 1 (short: the first from there on that is larger than a block); "write=lands@N": it says EIO and
// is written all the same; "write=eio@N+COUNT", also with lands and full: COUNT writes from that
// one on; "write=hang@N": that one and all later never complete; "write=reverse": they come back in
// another order, the log says at the end how many. "flush=skip", "names=skip", "epoch=reuse",
// "watermark=hasty", "roll=lose", "term=keep", "rehome=keep", "bookmark=trust", "epoch=skip": the
// rules above. "die=POINT@N": fault_points.def. Several, separated by commas. 0, or -EINVAL with
// err.
int sl_fault_parse(const char *spec, struct sl_err *err);

// 1 when one of event_count events is to be lost here now, else 0.
uint32_t sl_fault_lose(enum sl_fault_place place, uint32_t event_count);

// True when the rule is to be broken.
bool sl_fault_breaks(enum sl_fault_rule rule);

// Ends the process when it is to die here. Slow path.
void sl_fault_die_at(enum sl_fault_point point);
#define SL_FAULT_POINT(id) sl_fault_die_at(SL_FAULT_AT_##id)

// Puts the write faults asked for, if any, before io. Takes ownership of io; NULL when out of
// memory.
struct sl_io *sl_fault_wrap_io(struct sl_io *io);

#else

#define SL_FAULT_POINT(id) ((void)0)

#endif
