/* SPDX-License-Identifier: BSD-3-Clause */
// The figures of a data plane as JSON, built from its shared memory segment: what `sluicectl`
// prints and what the data plane writes as its final report are the same documents. docs/json.md
// describes every shape. Thread rule: any thread but a polling lcore; the segment is only read.
// Every function returns a new reference that the caller releases with json_decref(), or NULL
// without memory.
#pragma once

#include "base.h"
#include "err.h"

#include <jansson.h>

struct sl_shm;
struct sl_ledger;
struct sl_ledger_line;

// Who and in what state: process, store, ports, lcores, lanes, streams; no traffic counters.
json_t *sl_stats_json_status(const struct sl_shm *shm);

// All counters and gauges at this moment: "time_ns", "totals", "rx", "workers", "rings", "ports",
// "lanes", "stages", "latency".
json_t *sl_stats_json_stats(const struct sl_shm *shm);

// Sums over all lcores: the member "totals" of the above, alone.
json_t *sl_stats_json_totals(const struct sl_shm *shm);

// What each stage of each lcore took, where that is measured: the member "stages" of the above.
json_t *sl_stats_json_stages(const struct sl_shm *shm);

// From receive to stored: of all lanes together and of each lane that has stored anything. The
// member "latency" of the above.
json_t *sl_stats_json_latency(const struct sl_shm *shm);

// Adds how a lane's writes went to its object, which it takes over. NULL when there is no memory.
struct sl_shm_lane;
json_t *sl_stats_json_with_errors(json_t *object, const struct sl_shm_lane *lane);

// "store", "state", "drives" and "lanes" of the store at work.
json_t *sl_stats_json_store(const struct sl_shm *shm);

// Every drop reason with its count, the zero ones too, in the order of the walk.
json_t *sl_stats_json_drops(const struct sl_shm *shm);

// Offsets of every partition, stream by stream.
json_t *sl_stats_json_partitions(const struct sl_shm *shm);

// One identity.
json_t *sl_stats_json_ledger_line(const struct sl_ledger_line *line);

// The identities and whether all of them hold.
json_t *sl_stats_json_ledger(const struct sl_ledger *ledger);

// The final report: "status", "stats", "drops", "partitions" and "ledger", each as above.
json_t *sl_stats_json_report(const struct sl_shm *shm, const struct sl_ledger *ledger);

// Replaces FILE by document as a whole (written beside it, then renamed), so that nobody reads half
// a report. Does not take over the reference. Returns 0 or a negative errno with err naming the
// file.
int sl_stats_json_write(const json_t *document, const char *path, struct sl_err *err);
