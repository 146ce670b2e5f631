# SPDX-License-Identifier: BSD-3-Clause
"""Rows of where the cycles go: stage by stage on one core, the rings between two cores, and nothing to do."""

import load as generator
import references
from appliance import Appliance
from load import Load
from machine import Watch
from row import join_notes, make_row
from rows_capacity import make_load, make_setup, notes
from trial import measure, prepare_store

RING_CYCLES_MAX = 30.0  # an event, at 16 partitions: what the design asks for


def _stages(trial):
    """Cycles by (lcore, stage)."""
    return {(stage["lcore"], stage["stage"]): stage for stage in trial.report["stats"]["stages"]}


def stage_cycles(bench):
    """Of one core, flat out, with the counters on: what each stage takes for a stored event."""
    setup = make_setup(bench, 64, stage_cycles=True)
    load = make_load(bench, setup, 64)
    trials = [measure(bench, setup, load, "stage_cycles_64") for _ in range(bench.scale.trials)]
    names = list(dict.fromkeys(stage for trial in trials for _, stage in _stages(trial)))
    rows = [make_row("capacity_64_stage_cycles", [trial.rate for trial in trials], "events/s", note=notes(trials))]
    for name in names:
        rows.append(make_row(f"cycles_{name}_64", [
            sum(found["cycles"] for (_, stage), found in _stages(trial).items() if stage == name) / trial.stored
            for trial in trials], "cycles"))
    return rows


def two_cores(bench):
    """RX lcore and worker lcore, fed from a file by DPDK's pcap driver on the RX lcore: no third core
    sends. What the rings cost an event is what both sides' counters say."""
    setup = make_setup(bench, 64, device=f"net_pcap0,rx_pcap={generator.replayed_path(bench)},infinite_rx=1",
                       two_cores=True, stage_cycles=True)
    prepare_store(bench, setup)
    load = Load(seconds=bench.scale.replay_seconds, replayed=True)
    trials = [measure(bench, setup, load, "two_cores_64") for _ in range(bench.scale.trials)]
    parts = {name: [_cycles_each(trial, name) for trial in trials] for name in ("dispatch", "dequeue")}
    one_core = bench.value_of("capacity_64")
    refused = sum(trial.drops.get("ring_full", 0) for trial in trials) / sum(trial.sent for trial in trials)
    note = f"the source never waits: full rings refused {100 * refused:.0f} % of what it gave"
    return [make_row("two_cores_64", [trial.rate for trial in trials], "events/s",
                     "capacity_64" if one_core else "", [one_core] if one_core else (),
                     join_notes([note, notes(trials)])),
            make_row("ring_cycles_64", [sum(both) for both in zip(*parts.values())], "cycles",
                     "wanted at most", [RING_CYCLES_MAX], note),
            *(make_row(f"ring_cycles_{name}_64", values, "cycles") for name, values in parts.items())]


def _cycles_each(trial, name):
    found = [stage for (_, stage_name), stage in _stages(trial).items() if stage_name == name]
    return sum(stage["cycles"] for stage in found) / max(1, sum(stage["count"] for stage in found))


def idle(bench):
    """What it costs when nothing comes: a polling core polls."""
    setup = make_setup(bench, 64, copied=True)  # it listens: nobody is there
    prepare_store(bench, setup)
    appliance = Appliance(bench, setup).start()
    watch, before = Watch(), appliance.cpu_seconds()
    bench.pause(bench.scale.idle_seconds)
    used, seconds = appliance.cpu_seconds() - before, watch.stop().seconds
    appliance.note_memory()
    appliance.stop()
    return [make_row("idle_cpu", [used / seconds], "CPUs"),
            make_row("idle_memory", [appliance.memory_bytes], "bytes"),
            make_row("idle_start_up", [appliance.start_seconds], "s")]


def write_alone(bench):
    """fio alone: what one durable write of a batch takes."""
    found = [references.write(bench, 1, "write_512k_us") for _ in range(bench.scale.trials)]
    return [make_row("write_512k_us", [1e6 * one.mean_seconds for one in found], "us"),
            make_row("write_512k_p99_us", [1e6 * one.p99_seconds for one in found], "us"),
            make_row("write_512k_depth_1", [one.rate for one in found], "bytes/s")]
