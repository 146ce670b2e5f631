#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Do `sluicectl read` and the independent reader find the same events? agreement.py SLUICECTL FOLDER

Runs both over every image of make_store.py, which neither has written, as whole streams and partition
by partition, and then over an image with one byte changed, again and again: there sluicectl may read
less only by saying so, and may never read anything else. Exit code 0 when they agree.
"""

import contextlib
import glob
import io
import json
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

import make_store
import sluice_reader

PARTITIONS_MAX = 6  # of a stream, read one by one: the first and the last ones


class Done(NamedTuple):
    returncode: int
    stdout: bytes
    stderr: str


def reader(store, *arguments):
    out, err = io.BytesIO(), io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = sluice_reader.main([store, *arguments], out)
    return Done(code, out.getvalue(), err.getvalue().strip())


class Agreement:
    def __init__(self, sluicectl, folder):
        self.sluicectl, self.folder = sluicectl, folder
        self.problems = self.compared = 0

    def problem(self, text):
        self.problems += 1
        print(f"FAIL {text}")

    def ctl(self, store, stream, *arguments):
        done = subprocess.run([self.sluicectl, "read", stream, "--store", store, "--format", "json",
                               *arguments], capture_output=True, check=False)
        return Done(done.returncode, done.stdout, done.stderr.decode().strip())

    def reader(self, store, stream, *arguments):
        return reader(store, "--stream", stream, "--format", "json", *arguments)

    def compare(self, what, store, stream, *arguments):
        """Both whole, with the same events in the same order."""
        mine, theirs = self.reader(store, stream, *arguments), self.ctl(store, stream, *arguments)
        for name, done in (("the independent reader", mine), ("sluicectl", theirs)):
            if done.returncode:
                self.problem(f"{what}: {name} exits {done.returncode}: {done.stderr}")
                return
        left, right = events(mine), events(theirs)
        self.compared += len(left)
        for i, pair in enumerate(zip(left, right)):
            if pair[0] != pair[1]:
                self.problem(f"{what}: event {i}: {pair[0]} and by sluicectl {pair[1]}")
                return
        if len(left) != len(right):
            self.problem(f"{what}: {len(left)} events and by sluicectl {len(right)}")

    def image(self, name):
        store = os.path.join(self.folder, name)
        os.mkdir(store)
        make_store.IMAGES[name](store)
        summary = os.path.join(self.folder, "summary.json")
        reader(store, "--check", "--summary", summary)
        with open(summary, encoding="utf-8") as file:
            streams = json.load(file)["streams"]
        for stream in streams:
            count = stream["partition_count"]
            self.compare(f"{name}: {stream['name']}", store, stream["name"])
            for partition in range(count):
                if partition < PARTITIONS_MAX // 2 or partition >= count - PARTITIONS_MAX // 2:
                    self.compare(f"{name}: {stream['name']}/{partition}", store, stream["name"],
                                 "--partition", str(partition))

    def rot(self, name, stride):
        """One byte changed, everywhere in the segments of an image, `stride` apart."""
        store = os.path.join(self.folder, "rot")
        os.mkdir(store)
        make_store.IMAGES[name](store)
        whole = events(self.reader(store, "plays"))
        said = 0
        for path in sorted(glob.glob(os.path.join(store, "lane-*", "*.seg"))):
            segment = os.path.relpath(path, store)
            for position in range(0, os.path.getsize(path), stride):
                byte = change(path, position)
                if byte is not None:
                    said += self.check_rot(f"{name}: {segment}: byte {position}", store, whole)
                    restore(path, position, byte)
        shutil.rmtree(store)
        if not said:
            self.problem(f"{name}: no rot was found by either reader")
        return said

    def check_rot(self, what, store, whole):
        mine, theirs = self.reader(store, "plays"), self.ctl(store, "plays")
        found = events(theirs)
        stored = iter(whole)
        if not all(event in stored for event in found):  # all of them, in this order
            self.problem(f"{what}: sluicectl reads what was never stored")
        if mine.returncode == 0 and theirs.returncode == 0 and found != events(mine):
            self.problem(f"{what}: {len(events(mine))} events and by sluicectl {len(found)}")
        if theirs.returncode == 0 and found != whole and mine.returncode:
            self.problem(f"{what}: sluicectl leaves events out and does not say so: "
                         f"{mine.stderr}")
        return mine.returncode != 0 and theirs.returncode != 0


def events(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def change(path, position):
    """Changes a byte and returns what it was; None for zeros among zeros, which are in no batch."""
    with open(path, "r+b") as file:
        file.seek(position & ~15)
        around = file.read(16)
        if not any(around):
            return None
        old = around[position & 15]
        file.seek(position)
        file.write(bytes((old ^ 0x41,)))
        return old


def restore(path, position, byte):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(bytes((byte,)))


def main(sluicectl, folder):
    agreement = Agreement(sluicectl, folder)
    for name in make_store.IMAGES:
        agreement.image(name)
    said = sum(agreement.rot(name, stride) for name, stride in
               (("plain", 61), ("sealed", 211), ("restarts", 151), ("terms", 31)))
    print(f"{len(make_store.IMAGES)} images, {agreement.compared} events compared, {said} changed "
          f"bytes refused by both, {agreement.problems} problems")
    return 1 if agreement.problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
