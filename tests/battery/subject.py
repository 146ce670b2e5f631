# SPDX-License-Identifier: BSD-3-Clause
"""A sound store that is spoilt again and again: where everything in it stands, what it holds, and what
everybody says of it: sluicectl read, sluicectl store verify, the independent reader, recovery."""
import concurrent.futures
import json
import os
import re
import sys
from typing import NamedTuple

from rig import Appliance, Failed, run, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "reader"))
# pylint: disable=wrong-import-position
import agreement
import sluice_batch
import sluice_store
from sluice_batch import BLOCK, EVENTS

EVENT = re.compile(rb'\{"partition":(\d+),"offset":(\d+),')
PATH_NAMES = "ab"


class Place(NamedTuple):
    """Where a batch is."""
    path: str
    header: sluice_batch.Header
    events: tuple  # (partition, offset) of each

    @property
    def position(self):
        return self.header.position

    @property
    def id(self):
        return self.header.lane, self.header.number


class Looks(NamedTuple):
    """What everybody says: {who: (exit code, events, error)}, and what verify has found."""
    reads: dict
    verify: int
    findings: list


class Recovered(NamedTuple):
    code: int
    said: str
    next_offsets: list


def _events_of(header, data):
    table = data[header.table_offset:header.byte_length] if header.kind == EVENTS else b""
    return tuple((partition, first + index)
                 for first, _, partition, count in sluice_batch.TABLE_ENTRY.iter_unpack(table)
                 for index in range(count))


class Segment(NamedTuple):
    path: str
    lane: int
    bytes: int
    places: list
    is_sealed: bool

    @property
    def end(self):
        last = self.places[-1]
        return last.position + last.header.block_bytes

    @property
    def index(self):
        return self.path[:-len("seg")] + "idx"


class Subject:
    """folder/a and folder/b are the store's paths."""

    def __init__(self, rig, folder, settings):
        self.rig, self.folder, self.settings = rig, folder, settings
        self.paths = [f"{folder}/{name}" for name in PATH_NAMES]
        self.segments = []
        self._find_batches()
        looks = self.look(self.paths)
        self.events = looks.reads["sluicectl"][1]
        if any(code or events != self.events for code, events, _ in looks.reads.values()) or \
                looks.verify or looks.findings or not self.events:
            raise Failed(f"the store to be spoilt is not sound: {looks}")
        self.line_of = {key_of(line): line for line in self.events}
        self.known = set(self.events)

    def _find_batches(self):
        store = sluice_store.Store(self.paths[0])
        try:
            for lane in store.lanes:
                for segment in lane.segments:
                    places, position = [], 0
                    while position < segment.bytes - BLOCK:
                        try:
                            header, data = segment.batch_at(position)
                        except sluice_batch.NoBatch:
                            break
                        places.append(Place(segment.path, header, _events_of(header, data)))
                        position += header.block_bytes
                    if places:
                        self.segments.append(Segment(segment.path, lane.lane.number, segment.bytes,
                                                     places, bool(segment.footer)))
        finally:
            store.close()

    @property
    def places(self):
        return [place for segment in self.segments for place in segment.places]

    def marks(self, spoilt):
        """{lane: the durable mark that is still to be seen}."""
        marks = {}
        for place in self.places:
            if place.id not in spoilt:
                lane = place.header.lane
                marks[lane] = max(marks.get(lane, 0), place.header.durable_mark)
        return marks

    def vouched(self, spoilt):
        """The events whose loss must be said: those below the mark that is to be seen."""
        marks = self.marks(spoilt)
        return {self.line_of[event] for place in self.places for event in place.events
                if place.header.number <= marks.get(place.header.lane, 0)}

    def look(self, paths):
        sluicectl = agreement.Agreement(self.rig.sluicectl, self.folder)
        with concurrent.futures.ThreadPoolExecutor() as beside:
            read = beside.submit(sluicectl.ctl, paths[0], "plays", "--store", paths[1])
            judged = beside.submit(run, self.rig.sluicectl, "store", "verify", paths[0], "--all", "--json",
                                   check=False)
            reads = {"the independent reader": sluicectl.reader(paths[0], "plays", "--path", paths[1]),
                     "sluicectl": read.result()}
            verify = judged.result()
        try:
            findings = json.loads(verify.stdout)["findings"]
        except ValueError:
            findings = [verify.stdout]
        return Looks({who: (done.returncode, done.stdout.splitlines(), done.stderr)
                      for who, done in reads.items()}, verify.returncode, findings)

    def copy(self):
        """To where recovery may change it; returns its paths."""
        copies = [f"{self.folder}/copy-{name}" for name in PATH_NAMES]
        for path, copy in zip(self.paths, copies):
            run("rm", "-rf", copy)
            run("cp", "-r", "--sparse=always", path, copy)
        return copies

    def appliance(self, copies):
        return Appliance(self.rig, self.folder, copies[0], other_paths=copies[1:], **self.settings)

    def recover(self, copies):
        """A life without events, by the data plane's code alone."""
        appliance = self.appliance(copies)
        done = run(self.rig.program("tests/battery/recover"), appliance.config, check=False)
        found = re.search(r'^\{"next_offsets": .*$', done.stdout, re.M)
        return Recovered(done.returncode, done.stdout,
                         json.loads(found[0])["next_offsets"] if found else [])

    def start(self, copies):
        """The same by a whole appliance."""
        appliance = self.appliance(copies).launch()
        wait_until("it runs, or has given up", lambda: not appliance.is_alive()
                   or appliance.state() == "running")
        if not appliance.is_alive():
            return Recovered(appliance.process.returncode, appliance.said(), [])
        partitions = appliance.figures()["partitions"]["streams"][0]["partitions"]
        appliance.stop()
        return Recovered(0, appliance.said(), [entry["next_offset"] for entry in partitions])


def key_of(line):
    partition, offset = EVENT.match(line).groups()
    return int(partition), int(offset)
