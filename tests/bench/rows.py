# SPDX-License-Identifier: BSD-3-Clause
"""What can be measured: a table of names, each with the function that makes its rows. Names of rows are
stable: others compare them."""

import dataclasses
import statistics

import references
from appliance import GIB, Appliance, Setup
from load import Load
from machine import Watch
from search import highest_passing
from trial import measure, prepare_store

# A store's retention holds a whole trial, so that nothing expires before it has been verified: ten
# seconds of 24 M events of 64-byte frames, or of what the drives seen so far can write. The current
# segment, the next one, and the one that has just been sealed count as full.
SMALL_RETENTION = 10 * GIB
LARGE_RETENTION = 34 * GIB
PARTIAL_SEGMENTS = 3
LOSS_SHARE_MAX = 0.001


def make_row(name, values, unit, reference="", reference_values=(), note=""):
    """The median, and how far the values lie apart, in parts of it."""
    value = statistics.median(values)
    spread = (max(values) - min(values)) / value if value else 0.0
    reference_value = statistics.median(reference_values) if reference_values else None
    return {
        "name": name, "value": value, "unit": unit, "spread": round(spread, 4),
        "reference": reference, "reference_value": reference_value,
        "ratio": round(value / reference_value, 4) if reference_value else None, "note": note,
    }


def _setup(bench, size, partitions=16):
    if bench.scale.retention_bytes:
        return Setup(partitions, bench.scale.retention_bytes, bench.scale.segment_bytes)
    return Setup(partitions, SMALL_RETENTION if size == 64 else LARGE_RETENTION)


def _load(bench, setup, size, **more):
    """As long as asked for, or as the store holds at the speed at which it was filled."""
    prepare_store(bench, setup)
    room = setup.retention_bytes - PARTIAL_SEGMENTS * setup.segment_bytes
    seconds = min(bench.scale.seconds, room / max(bench.fill_rate, 1))
    if size == 64:
        seconds = bench.scale.seconds  # the drive is not what limits these
    return Load(size=size, seconds=round(seconds, 2), rate=bench.scale.rate, **more)


def _note(trials):
    return "; ".join(sorted({trial.disturbed for trial in trials if trial.disturbed}))


def _cost_rows(suffix, trials):
    """What the trials of a capacity took besides."""
    return [
        make_row(f"cpu_seconds_per_million_{suffix}",
                 [1e6 * trial.cpu_seconds / trial.stored for trial in trials], "s"),
        make_row(f"memory_{suffix}", [trial.memory_bytes for trial in trials], "bytes"),
        make_row(f"start_up_{suffix}", [trial.start_seconds for trial in trials], "s"),
        make_row(f"flushes_per_batch_{suffix}",
                 [trial.flushes / max(1, trial.batches) for trial in trials], "flushes"),
    ]


def capacity_received(bench, name, suffix, size):
    """Held against dpdk-testpmd, alternating with it."""
    setup = _setup(bench, size)
    load = _load(bench, setup, size)
    trials, others = [], []
    for _ in range(bench.scale.trials):
        trials.append(measure(bench, setup, load, name))
        brief = dataclasses.replace(load, seconds=bench.scale.reference_seconds)
        others.append(references.receive_only(bench, brief, f"testpmd_{suffix}"))
    rates = [trial.rate for trial in trials]
    return [make_row(name, rates, "events/s", "testpmd", others, _note(trials)),
            make_row(f"testpmd_{suffix}", others, "frames/s"),
            *_cost_rows(suffix, trials)]


def capacity_written(bench, name, suffix, size):
    """Held against fio's bytes, expressed in events of this size."""
    setup = _setup(bench, size)
    load = _load(bench, setup, size)
    trials, others = [], []
    for _ in range(bench.scale.trials):
        trials.append(measure(bench, setup, load, name))
        others.append(references.write(bench, references.DEPTH, f"fio_{suffix}")[0])
    event_bytes = statistics.median(trial.bytes_per_second / trial.rate for trial in trials)
    return [make_row(name, [trial.rate for trial in trials], "events/s", "fio, in events of this size",
                     [rate / event_bytes for rate in others], _note(trials)),
            make_row(f"write_{suffix}", [trial.bytes_per_second for trial in trials], "bytes/s", "fio",
                     others),
            make_row(f"write_mean_us_{suffix}", [trial.write_ns_mean / 1e3 for trial in trials], "us"),
            *_cost_rows(suffix, trials)]


def capacity_partitions(bench, name, partitions, zipf=0.0):
    """Held against capacity_64 of the same run, where there is one."""
    setup = _setup(bench, 64, partitions)
    load = _load(bench, setup, 64, zipf=zipf)
    trials = [measure(bench, setup, load, name) for _ in range(bench.scale.trials)]
    base = bench.value_of("capacity_64")
    return [make_row(name, [trial.rate for trial in trials], "events/s",
                     "capacity_64" if base else "", [base] if base else (), _note(trials))]


def non_drop_rate(bench, name, suffix, size):
    """The highest rate without a lost event, and the highest that loses one in a thousand."""
    setup = _setup(bench, size)
    flat_out = measure(bench, setup, _load(bench, setup, size), name).rate
    best = {}

    def passes(share_min):
        def attempt(rate):
            for _ in range(bench.scale.ndr_tries):
                load = dataclasses.replace(_load(bench, setup, size), rate=int(rate))
                trial = measure(bench, setup, load, name)
                if trial.offered_share >= share_min and (share_min < 1 or trial.rate_held):
                    best[share_min] = rate
                    return True
            return False
        return attempt

    ndr = highest_passing(0, flat_out, passes(1.0), bench.scale.ndr_steps)
    loss = highest_passing(ndr, flat_out, passes(1.0 - LOSS_SHARE_MAX), bench.scale.loss_steps)
    return [make_row(name, [ndr], "events/s", "flat out", [flat_out]),
            make_row(f"loss_0.1_percent_{suffix}", [loss], "events/s", "flat out", [flat_out])]


def idle(bench, name):
    """What it costs when nothing comes: a polling core polls."""
    setup = _setup(bench, 64)
    prepare_store(bench, setup)
    appliance = Appliance(bench, setup).start()
    watch, before = Watch(), appliance.cpu_seconds()
    bench.pause(bench.scale.idle_seconds)
    used, seconds = appliance.cpu_seconds() - before, watch.stop().seconds
    appliance.note_memory()
    appliance.stop()
    return [make_row(name, [used / seconds], "CPUs"),
            make_row("idle_memory", [appliance.memory_bytes], "bytes"),
            make_row("idle_start_up", [appliance.start_seconds], "s")]


def write_alone(bench, name):
    """fio alone: what one durable write of a batch takes."""
    rates, times = zip(*(references.write(bench, 1, name) for _ in range(bench.scale.trials)))
    return [make_row(name, [1e6 * time for time in times], "us"),
            make_row("write_512k_depth_1", rates, "bytes/s")]


MEASURES = {
    "capacity_64": lambda bench: capacity_received(bench, "capacity_64", "64", 64),
    "capacity_1400": lambda bench: capacity_written(bench, "capacity_1400", "1400", 1400),
    "capacity_512": lambda bench: capacity_written(bench, "capacity_512", "512", 512),
    "capacity_imix": lambda bench: capacity_written(bench, "capacity_imix", "imix", "imix"),
    "write_512k_us": lambda bench: write_alone(bench, "write_512k_us"),
    "idle_cpu": lambda bench: idle(bench, "idle_cpu"),
    "capacity_64_p1": lambda bench: capacity_partitions(bench, "capacity_64_p1", 1),
    "capacity_64_p128": lambda bench: capacity_partitions(bench, "capacity_64_p128", 128),
    "capacity_64_p1024": lambda bench: capacity_partitions(bench, "capacity_64_p1024", 1024),
    "capacity_64_p1024_zipf":
        lambda bench: capacity_partitions(bench, "capacity_64_p1024_zipf", 1024, 1.0),
    "capacity_64_p4096": lambda bench: capacity_partitions(bench, "capacity_64_p4096", 4096),
    "capacity_64_p4096_zipf":
        lambda bench: capacity_partitions(bench, "capacity_64_p4096_zipf", 4096, 1.0),
    "ndr_64": lambda bench: non_drop_rate(bench, "ndr_64", "64", 64),
    "ndr_512": lambda bench: non_drop_rate(bench, "ndr_512", "512", 512),
    "ndr_1400": lambda bench: non_drop_rate(bench, "ndr_1400", "1400", 1400),
    "ndr_imix": lambda bench: non_drop_rate(bench, "ndr_imix", "imix", "imix"),
}
GROUPS = {
    "core": ("capacity_64", "capacity_1400", "write_512k_us", "idle_cpu"),
    "partitions": tuple(name for name in MEASURES if name.startswith("capacity_64")),
    "ndr": tuple(name for name in MEASURES if name.startswith("ndr_")),
    "all": tuple(MEASURES),
}
