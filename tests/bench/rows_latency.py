# SPDX-License-Identifier: BSD-3-Clause
"""Rows of how long an event takes from its receipt until it is durable, as the appliance counts it."""

import references
from load import Load
from row import Skipped, join_notes, make_row
from rows_capacity import make_setup
from trial import measure, prepare_store

LOADS = (("tenth", 0.1), ("half", 0.5), ("ninety", 0.9))
PERCENTILES = ("p50", "p95", "p99", "p999")


def receive_to_durable(bench):
    """At parts of the non-drop rate of 64-byte frames that was found in the same run; beside it what a
    single durable write of a whole batch takes on the drive alone."""
    rate, base = bench.value_of("ndr_64"), ""
    if not rate and bench.value_of("capacity_64"):
        rate, base = bench.value_of("capacity_64") / 2, "of half of capacity_64: no non-drop rate was found"
    if not rate:
        raise Skipped("ndr_64 was not found in the same run: name both")
    setup = make_setup(bench, 64)
    prepare_store(bench, setup)
    alone = bench.value_of("write_512k_us")
    if alone is None:
        alone = 1e6 * references.write(bench, 1, "write_512k_us").mean_seconds
    rows = []
    for name, part in LOADS:
        load = Load(size=64, seconds=bench.scale.seconds, rate=int(rate * part))
        trials = [measure(bench, setup, load, f"latency_{name}") for _ in range(bench.scale.latency_trials)]
        found = [trial.report["stats"]["latency"] for trial in trials]
        lost = sum(trial.lost for trial in trials)
        slow = [f"{100 * trial.rate / load.rate:.1f} % of the rate came" for trial in trials
                if not trial.rate_held]
        note = join_notes([base, *slow, f"{lost} of {sum(trial.sent for trial in trials)} events lost" if lost else "",
                           *(trial.disturbed for trial in trials)])
        rows += [make_row(f"latency_{name}_{percentile}_us", [one[f"{percentile}_us"] for one in found], "us",
                          "one durable 512 KiB write alone", [alone], note) for percentile in PERCENTILES]
    return rows
