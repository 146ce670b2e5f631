# SPDX-License-Identifier: BSD-3-Clause
"""Rows of how much: flat out, by partitions, and without loss."""

import dataclasses
import statistics

import references
from appliance import GIB, Setup
from load import Load
from machine import Drive
from row import join_notes, make_row
from search import highest_passing
from trial import TooLossy, attempt, measure, prepare_store

# A store's retention holds a whole trial, so that nothing expires before it has been verified: ten
# seconds of 24 M events of 64-byte frames, or of what the drives seen so far can write. The current
# segment, the next one, and the one that has just been sealed count as full.
SMALL_RETENTION = 10 * GIB
LARGE_RETENTION = 34 * GIB
PARTIAL_SEGMENTS = 3
WRITTEN_MARGIN = 1.1  # the next trial may be faster than all before
LOSS_SHARE_MAX = 0.001
# The memif says when it has no room: what a stall of the generator's CPU held up may come flat out, which asks more
# of the appliance, not less.
CATCH_UP_MS = 1000
RATE_SHARE_MIN = 0.99  # of the rate asked for; the row says the rate that was stored


def make_setup(bench, size, partitions=16, retention_bytes=0, **more):
    if bench.scale.retention_bytes:
        retention_bytes = bench.scale.replay_retention_bytes if more.get("two_cores") else bench.scale.retention_bytes
        return Setup(partitions, retention_bytes, bench.scale.segment_bytes, **more)
    return Setup(partitions, retention_bytes or (SMALL_RETENTION if size == 64 else LARGE_RETENTION), **more)


def make_load(bench, setup, size, **more):
    """As long as asked for, or as the store holds at the fastest that was written so far."""
    prepare_store(bench, setup)
    room = setup.retention_bytes - PARTIAL_SEGMENTS * setup.segment_bytes
    seconds = min(bench.scale.seconds, room / max(bench.written_rate_max * WRITTEN_MARGIN, 1))
    if size == 64:
        seconds = bench.scale.seconds  # the drive is not what limits these
    return Load(**{"size": size, "seconds": round(seconds, 2), "rate": bench.scale.rate, **more})


def notes(trials):
    return join_notes(trial.disturbed for trial in trials)


def _cost_rows(bench, suffix, trials):
    """What the trials of a capacity took besides."""
    in_flight_max = trials[0].report["status"]["lanes"][0]["in_flight_max"]
    needed = [1 / in_flight_max] if Drive(bench.work).must_flush() else ()
    return [
        make_row(f"cpu_seconds_per_million_{suffix}",
                 [1e6 * trial.cpu_seconds / trial.stored for trial in trials], "s"),
        make_row(f"memory_{suffix}", [trial.memory_bytes for trial in trials], "bytes"),
        make_row(f"start_up_{suffix}", [trial.start_seconds for trial in trials], "s"),
        make_row(f"flushes_per_batch_{suffix}",
                 [trial.flushes / max(1, trial.batches) for trial in trials], "flushes",
                 "needed at least" if needed else "", needed),
    ]


def capacity_received(bench, suffix, size, copied=False):
    """Held against dpdk-testpmd, alternating with it. copied: both are the memif's server, whose driver
    copies each frame."""
    name = f"capacity_{suffix}"
    setup = make_setup(bench, size, copied=copied)
    load = make_load(bench, setup, size)
    trials, others = [], []
    for _ in range(bench.scale.trials):
        trials.append(measure(bench, setup, load, name))
        brief = dataclasses.replace(load, seconds=bench.scale.reference_seconds)
        others.append(references.receive_only(bench, brief, f"testpmd_{suffix}", copied))
    rates = [trial.rate for trial in trials]
    return [make_row(name, rates, "events/s", "testpmd", others, notes(trials)),
            make_row(f"testpmd_{suffix}", others, "frames/s"),
            *_cost_rows(bench, suffix, trials)]


def capacity_written(bench, suffix, size):
    """Held against fio's bytes, expressed in events of this size; fio first, as the trial's length
    hangs on the drive's speed."""
    name = f"capacity_{suffix}"
    setup = make_setup(bench, size)
    prepare_store(bench, setup)
    trials, others = [], []
    for _ in range(bench.scale.trials):
        others.append(references.write(bench, setup.in_flight_max, f"fio_{suffix}").rate)
        trials.append(measure(bench, setup, make_load(bench, setup, size), name))
    event_bytes = statistics.median(trial.bytes_per_second / trial.rate for trial in trials)
    return [make_row(name, [trial.rate for trial in trials], "events/s", "fio, in events of this size",
                     [rate / event_bytes for rate in others], notes(trials)),
            make_row(f"write_{suffix}", [trial.bytes_per_second for trial in trials], "bytes/s", "fio",
                     others),
            make_row(f"write_mean_us_{suffix}", [trial.write_ns_mean / 1e3 for trial in trials], "us"),
            *_cost_rows(bench, suffix, trials)]


def capacity_partitions(bench, partitions, zipf=0.0):
    """Held against 16 partitions with uniform keys, alternating with them."""
    name = f"capacity_64_p{partitions}{'_zipf' if zipf else ''}"
    setup, sixteen = make_setup(bench, 64, partitions), make_setup(bench, 64)
    trials, others = [], []
    for _ in range(bench.scale.trials):
        prepare_store(bench, setup, beside=sixteen)
        trials.append(measure(bench, setup, make_load(bench, setup, 64, zipf=zipf), name))
        prepare_store(bench, sixteen, beside=setup)
        others.append(measure(bench, sixteen, make_load(bench, sixteen, 64), f"16 partitions beside {name}"))
    return [make_row(name, [trial.rate for trial in trials], "events/s", "16 partitions, alternating",
                     [trial.rate for trial in others], notes(trials + others))]


class _Search:
    """Tries of one size at shares of what the same machine takes flat out in the same half minute: on a shared
    one that changes by a third within minutes."""

    def __init__(self, bench, name, setup, size):
        self.bench, self.name, self.setup, self.size = bench, name, setup, size
        self.held = {}  # share: (rate stored, rates flat out right before and behind it)
        self.lost_some = False  # in any try

    def passes(self, lost_share_max):
        """A test of a share: the best of some trials counts, beside a few that were disturbed. One that
        loses ten times as much as the worst that is looked for, undisturbed, is the last."""
        def test(share):
            tries, repeats = self.bench.scale.ndr_tries, self.bench.scale.repeats
            while tries:
                flat_out = self._flat_out()
                trial = self._try(share, flat_out)
                if self._holds(trial, share * flat_out, lost_share_max):
                    self.held[share] = trial.rate, (flat_out, self._flat_out())
                    return True
                if trial.disturbed and repeats:
                    repeats -= 1
                    self.bench.repeated += 1
                    self.bench.say(f"  {self.name}: disturbed ({trial.disturbed}), once more")
                elif isinstance(trial, TooLossy) and not trial.disturbed:
                    return False
                else:
                    tries -= 1
            return False
        return test

    def found(self, *shares):
        """The best of what was held at these: (rate stored, rates flat out)."""
        return max((self.held[share] for share in shares if share in self.held), default=(0.0, ()))

    @staticmethod
    def _holds(trial, rate, lost_share_max):
        if isinstance(trial, TooLossy) or trial.lost > lost_share_max * trial.sent:
            return False
        # Slower than asked for is a generator that had to wait for room.
        return trial.rate >= RATE_SHARE_MIN * rate

    def _flat_out(self):
        load = make_load(self.bench, self.setup, self.size)
        load = dataclasses.replace(load, seconds=min(load.seconds, self.bench.scale.reference_seconds))
        trial = attempt(self.bench, self.setup, load)
        self.bench.note_trial(f"{self.name} flat out", trial)
        return trial.rate

    def _try(self, share, flat_out):
        rate = int(share * flat_out)
        load = make_load(self.bench, self.setup, self.size, rate=rate, catch_up_ms=CATCH_UP_MS)
        trial = attempt(self.bench, self.setup, load, lost_share_max=10 * LOSS_SHARE_MAX)
        self.lost_some |= trial.lost > 0
        asked = f"{rate / 1e6:.3f} M events/s, {share:.3f} of flat out"
        if isinstance(trial, TooLossy):
            self.bench.say(f"  {self.name}: at {asked}: {trial.lost} of {trial.sent} lost")
        else:
            self.bench.note_trial(f"{self.name} at {asked}", trial)
        return trial


def non_drop_rate(bench, suffix, size):
    """The highest rate without a lost event, and the highest that loses one in a thousand."""
    name, setup = f"ndr_{suffix}", make_setup(bench, size)
    search = _Search(bench, name, setup, size)
    ndr = highest_passing(0, 1, search.passes(0), bench.scale.ndr_steps)
    # Where no try has lost anything, more could only not come.
    loss = highest_passing(ndr, 1, search.passes(LOSS_SHARE_MAX), bench.scale.loss_steps) if search.lost_some else ndr
    steps = (f"found within {100 / 2 ** bench.scale.ndr_steps:.1f} % of flat out" if ndr else
             "no rate that was tried was stored whole")
    rows = []
    for row, (rate, flat_out), note in ((name, search.found(ndr), steps),
                                        (f"loss_0.1_percent_{suffix}", search.found(ndr, loss), "")):
        rows.append(make_row(row, [rate], "events/s", "flat out, right before and after" if flat_out else "",
                             flat_out, note))
    return rows
