# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the store: how fast it writes, what durability costs, how fast it is read back."""

import reading
import references
from appliance import GIB
from load import Load
from row import join_notes, make_row
from rows_capacity import make_load, make_setup, notes
from trial import measure, prepare_store, repeat_disturbed

FRAME = 1400  # large: the drive is the limit, not the lcore
RETENTION = 12 * GIB
WRITE_DEPTH = 8  # deeper gives a drive no more, only more to bridge a stall with
LATENCY_RATE = 1_000_000  # 64-byte frames a second: a few per cent of what a drive takes
PERCENTILES = ("p50", "p99")


def store_setup(bench, **more):
    return make_setup(bench, FRAME, retention_bytes=RETENTION, **more)


def write_note(trials):
    """Whether the drive, and recycled segments, is what was measured."""
    refused = sum(trial.lost for trial in trials) / sum(trial.sent for trial in trials)
    unwritten = sum(trial.unwritten_segments for trial in trials)
    return join_notes([
        f"{100 * refused:.0f} % of the events were refused: the source was not the limit" if refused else
        "nothing was refused: the source was the limit",
        f"{unwritten} segments were not written before" if unwritten else "", notes(trials)])


def write(bench):
    """Durable writing, held against fio's, alternating with it: the same blocks, depth and flushes, over
    blocks written before."""
    setup = store_setup(bench, in_flight_max=WRITE_DEPTH)
    prepare_store(bench, setup)
    trials, others = [], []
    for _ in range(bench.scale.trials):
        others.append(references.write(bench, setup.in_flight_max, "fio_store").rate)
        trials.append(measure(bench, setup, make_load(bench, setup, FRAME), "store_write_512k"))
    return [make_row("store_write_512k", [trial.bytes_per_second for trial in trials], "bytes/s", "fio", others,
                     write_note(trials))]


def durable_added(bench):
    """Classes `durable` and `written` at the same rate, alternating on the same store."""
    load = Load(size=64, seconds=bench.scale.seconds, rate=bench.scale.rate or LATENCY_RATE)
    trials = {"durable": [], "written": []}
    for _ in range(bench.scale.trials):
        for durability, done in trials.items():
            setup = store_setup(bench, durability=durability)
            done.append(measure(bench, setup, load, f"store_{durability}"))
    note, rows = notes([*trials["durable"], *trials["written"]]), []
    for percentile in PERCENTILES:
        durable, written = ([trial.report["stats"]["latency"][f"{percentile}_us"] for trial in done]
                            for done in trials.values())
        rows += [make_row(f"store_durable_added_{percentile}_us",
                          [slow - fast for slow, fast in zip(durable, written)], "us", "written", written, note),
                 make_row(f"store_durable_{percentile}_us", durable, "us"),
                 make_row(f"store_written_{percentile}_us", written, "us")]
    return rows


def _reading_row(name, passes, reference, reference_values):
    return make_row(name, [one.rate for one in passes], "bytes/s", reference, reference_values,
                    join_notes(one.disturbed for one in passes))


def _passes(bench, functions):
    """What each function of a pass over the store found in each of the trials, alternating."""
    found = {name: [] for name in functions}
    for _ in range(bench.scale.trials):
        for name, function in functions.items():
            found[name].append(repeat_disturbed(bench, name, lambda name=name, function=function: function(name)))
    return found


def verify(bench):
    """`sluicectl store verify` against dd over the same files, alternating."""
    prepare_store(bench, store_setup(bench))
    found = _passes(bench, {
        "store_verify": lambda name: reading.verify(bench, name),
        "dd_store": lambda name: reading.dd(bench, name, reading.whole_segments(bench)),
    })
    return [_reading_row("store_verify", found["store_verify"], "dd iflag=direct",
                         [one.rate for one in found["dd_store"]])]


def read(bench):
    """What `sluicectl read` passes of the log a second, for a stream and for a sixteenth of it."""
    prepare_store(bench, store_setup(bench))
    found = _passes(bench, {
        "store_read_stream": lambda name: reading.read(bench, name),
        "store_read_partition": lambda name: reading.read(bench, name, partition=0),
    })
    other = bench.value_of("store_verify")
    return [_reading_row(name, passes, "store_verify" if other else "", [other] if other else ())
            for name, passes in found.items()]
