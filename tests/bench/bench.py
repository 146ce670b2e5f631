#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measures the appliance: bench.py [NAME...] [options]; scripts/bench prepares the machine and calls it.

NAME is a row or a group of rows; without one it is `core`. A figure exists only for a run whose ledger
closed and whose store was read back whole. What was measured is written after every row, so that a run
that is ended early, or by --budget, keeps its figures and names what it did not measure. Exit codes: 0 all
rows were measured, skipped or over budget, 1 one failed (stderr says why), 2 usage, 130 and 143 stopped."""

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
import tempfile
import time

import machine
import processes
import report
from joined import join
from processes import Failed
from row import Skipped
from rows import GROUPS, MEASURES
from trial import drop_parked

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What a run may have on the disk at a time: the largest retention, segments that are born before the
# oldest go, fio's file.
DISK_BYTES_MAX = 40e9


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is measured."""
    seconds: float = 10.0
    reference_seconds: float = 5.0
    fio_seconds: int = 8
    fio_bytes: int = 1 << 30
    trials: int = 3
    latency_trials: int = 1  # each is a histogram of all its events
    repeats: int = 2  # of disturbed trials, in one row
    ndr_steps: int = 6
    ndr_tries: int = 3
    loss_steps: int = 4
    idle_seconds: float = 3.0
    replay_seconds: float = 5.0  # a source without a sender is faster than any
    rate: int = 0  # instead of flat out
    retention_bytes: int = 0  # instead of each row's
    replay_retention_bytes: int = 0
    segment_bytes: int = 0
    store_rate: int = 600_000  # events of the store's frames a second, where a row does not go flat out
    store_rate_64: int = 6_000_000
    crash_share: tuple = (0.85, 0.94)  # how full a segment is when its appliance is killed
    store_sizes: tuple = (1, 5, 20)  # of recovered stores, in segments
    large_segment: int = 4  # times as large as the others


# Only to prove that the bench works: seconds, and no load to speak of. What a trial of small events sends fits
# the open batch, so that nothing is refused however long the drive stalls.
TOY = Scale(seconds=0.5, reference_seconds=0.3, fio_seconds=1, fio_bytes=64 << 20, trials=1, repeats=0,
            ndr_steps=1, ndr_tries=1, loss_steps=1, idle_seconds=0.3, replay_seconds=0.1, rate=30000,
            retention_bytes=256 << 20, replay_retention_bytes=1 << 30, segment_bytes=32 << 20, store_rate=20000,
            store_rate_64=800000, crash_share=(0.3, 0.7), store_sizes=(1, 2), large_segment=0)


class Stopped(Exception):
    """A signal."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class Bench:
    """One run: where it works, what it has measured so far."""

    def __init__(self, scale, work):
        cpus = sorted(os.sched_getaffinity(0))
        self.scale, self.work, self.top = scale, work, TOP
        self.generator_cpu, self.appliance_cpu = machine.deal_cpus(
            cpus, machine.Drive(work).interrupts_by_cpu())
        self.cpu_count = os.cpu_count()
        self.store_key = None
        self.parked = {}  # stores that a row keeps aside: their keys, and where they lie
        self.written_rate_max = 0.0  # bytes a second that the drive took, by whomever
        self.disk_bytes_max = 0
        self.repeated = self.repeats_left = 0
        self.rows, self.trials, self.references, self.runs, self.measured = [], [], [], [], []
        self.failures, self.not_run = [], []
        self.machine = machine.describe(work)

    def program(self, name):
        return os.path.join(self.top, "build", name)

    def path(self, name):
        return os.path.join(self.work, name)

    def say(self, text):
        print(text, flush=True)

    def pause(self, seconds):
        time.sleep(seconds)

    def value_of(self, name):
        return next((row["value"] for row in self.rows if row["name"] == name), None)

    def may_repeat(self):
        """Takes one of the row's repeats."""
        if self.repeats_left == 0:
            return False
        self.repeats_left -= 1
        self.repeated += 1
        return True

    def note_disk(self):
        self.disk_bytes_max = max(self.disk_bytes_max, machine.bytes_below(self.work))
        if self.disk_bytes_max > DISK_BYTES_MAX:
            raise Failed(f"{self.disk_bytes_max / 1e9:.1f} GB lie below {self.work}: at most "
                         f"{DISK_BYTES_MAX / 1e9:.0f} GB are allowed")

    def note_written(self, rate):
        self.written_rate_max = max(self.written_rate_max, rate)

    def note_trial(self, what, trial):
        figures = dataclasses.asdict(dataclasses.replace(trial, report=None))
        del figures["report"]
        self.trials.append({"row": what, **figures})
        self.say(f"  {what}: {trial.rate / 1e6:.3f} M events/s, {trial.bytes_per_second / 1e6:.0f} MB/s, "
                 f"{trial.lost} of {trial.sent} refused")

    def note_reference(self, what, figures):
        self.references.append({"row": what, **figures})
        rate = figures.get("rate")
        self.say(f"  {what}: " + (f"{rate / 1e6:.3f} M frames/s" if rate else
                                  f"{figures['bytes_per_second'] / 1e6:.0f} MB/s"))

    def note_run(self, what, figures, text):
        """Of the store's programs."""
        self.runs.append({"row": what, **figures})
        self.say(f"  {what}: {text}")

    def document(self):
        return {"machine": self.machine, "toy": self.scale is TOY, "rows": self.rows,
                "trial_count": len(self.trials), "repeated": self.repeated,
                "disk_bytes_max": self.disk_bytes_max, "failures": self.failures,
                "not_run": self.not_run, "measured": self.measured, "trials": self.trials,
                "references": self.references, "runs": self.runs}


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure the appliance on this machine.",
        epilog=f"rows: {', '.join(MEASURES)}; groups: {', '.join(GROUPS)}. Exit codes: 0 all rows were "
        "measured, skipped or over budget, 1 one failed, 2 usage, 129, 130 and 143 stopped")
    parser.add_argument("names", metavar="NAME", nargs="*", help="row or group (default: core)")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--page", metavar="DIR", help="renew performance.md and performance.svg there")
    parser.add_argument("--from", metavar="FILE", dest="sources", action="append", help="measure nothing: take the "
                        "figures that --json wrote; of several runs, rows of a later one take the place of an earlier one's")
    parser.add_argument("--budget", metavar="MINUTES", type=float, help="begin no row that would "
                        "probably not end within this time; they are listed as not run")
    parser.add_argument("--toy", action="store_true", help="seconds only: proves that the bench works")
    options = parser.parse_args(arguments)
    names = []
    for name in options.names or ["core"]:
        if name not in MEASURES and name not in GROUPS:
            parser.error(f"{name!r} is no row and no group: see --help")
        names += [part for part in GROUPS.get(name, (name,)) if part not in names]
    options.names = names
    return options


def measure_one(bench, measure):
    bench.repeats_left, began = bench.scale.repeats, time.monotonic()
    try:
        bench.rows += measure.run(bench)
        bench.measured.append({"name": measure.name, "seconds": round(time.monotonic() - began, 1)})
    except Skipped as skipped:
        bench.not_run.append({"row": measure.name, "why": str(skipped)})
        bench.say(f"  {measure.name}: skipped: {skipped}")
    except Stopped:
        raise
    except Exception as error:  # whatever it is must not cost the other rows
        why = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        processes.stop_all()
        bench.store_key = None  # the next row starts with a store of its own
        bench.failures.append({"row": measure.name, "why": why})
        print(f"scripts/bench: {measure.name}: {why}", file=sys.stderr, flush=True)
    finally:
        drop_parked(bench)


def expected_seconds(bench, measure):
    """What a row will probably take, by what the others took of what was expected of them."""
    expected = sum(MEASURES[done["name"]].seconds for done in bench.measured)
    taken = sum(done["seconds"] for done in bench.measured)
    return measure.seconds * (taken / expected if expected else 1.0)


def measure_all(bench, options, save):
    """save is called whenever something has been added."""
    began = time.monotonic()
    left = list(options.names)
    try:
        while left:
            measure, spent = MEASURES[left[0]], time.monotonic() - began
            expected = expected_seconds(bench, measure)
            if options.budget and spent + expected > 60 * options.budget:
                bench.not_run.append({"row": measure.name, "why": f"over budget: takes about {expected:.0f} s, "
                                      f"{max(0, 60 * options.budget - spent):.0f} s were left"})
            else:
                bench.say(f"{measure.name} ({spent:.0f} s since the start)")
                measure_one(bench, measure)
            del left[0]
            save(bench.document())
    finally:
        if left:
            bench.not_run += [{"row": name, "why": "the run was ended before"} for name in left]
            save(bench.document())


def make_work_directory():
    for parent in filter(None, (os.environ.get("TMPDIR"), os.path.join(TOP, "build"))):
        work = tempfile.mkdtemp(prefix="sluice-bench.", dir=parent)
        try:
            os.close(os.open(work, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT))
            return work
        except OSError:
            os.rmdir(work)
    raise Failed("neither TMPDIR nor build/ is on a file system that takes O_DIRECT: set TMPDIR")


def run(options, scale):
    work = make_work_directory()
    try:
        free = os.statvfs(work).f_bavail * os.statvfs(work).f_frsize
        if scale is not TOY and free < DISK_BYTES_MAX:
            raise Failed(f"{free / 1e9:.0f} GB are free below {work}, and up to "
                         f"{DISK_BYTES_MAX / 1e9:.0f} GB are needed: set TMPDIR")
        bench = Bench(scale, work)
        if scale is not TOY and bench.generator_cpu == bench.appliance_cpu:
            raise Failed(f"only CPU {bench.generator_cpu} may be used, and two are needed: see taskset")
        measure_all(bench, options, lambda document: save(options, document))
        return bench.document()
    finally:
        processes.stop_all()
        shutil.rmtree(work, ignore_errors=True)


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(options, document):
    if options.json:
        report.write_json(options.json, document)


def show(options, document):
    print("\n" + report.table(document["rows"]))
    print(f"\n{document['trial_count']} trials, {document['repeated']} disturbed and repeated; "
          f"at most {document.get('disk_bytes_max', 0) / 1e9:.1f} GB of disk")
    for kind, word in (("failures", "failed"), ("not_run", "not run")):
        for line in document.get(kind, ()):
            print(f"{word}: {line['row']}: {line['why']}")
    if options.page:
        report.write_page(options.page, document)


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def on_signal(number, _frame):
    """The first one ends the run; what follows must not disturb the cleaning up."""
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


def main(arguments):
    options = parse_arguments(arguments)
    for number in STOP_SIGNALS:
        signal.signal(number, on_signal)
    try:
        if options.sources:
            document = join([read(path) for path in options.sources])
            save(options, document)
        else:
            document = run(options, TOY if options.toy else Scale())
        show(options, document)
    except Stopped as stopped:
        return 128 + stopped.number
    except (Failed, OSError, ValueError) as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    return 1 if document["failures"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
