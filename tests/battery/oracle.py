# SPDX-License-Identifier: BSD-3-Clause
"""The judge of every row: acknowledged is in the store, what is in the store was sent, once, in the
order of its producer, with dense offsets. It knows the store through the independent reader and
sluicectl, which must agree; what was sent, from the producers; what was acknowledged, from the
watermarks that the appliance had published at a known time."""
import json
import re
import subprocess
import sys

from rig import PARTITIONS, Failed, run

PLAY = re.compile(rb"(u\d{7}) .* run=(\d+) seq=(\d+) ")


class Wrong(Failed):
    """The appliance has broken its promise."""


class Unusable(Exception):
    """A reader broke down: no verdict on the appliance, whatever the row hoped for."""


def _reader_says(status, error):
    """Raises when the independent reader finds damage, or nothing that counts as a finding. False when
    it meets no store."""
    text = error.decode(errors="replace")
    if status == 1 and text.startswith("damage:"):
        raise Wrong(f"the independent reader: {text[-500:]}")
    if status not in (0, 3):
        raise Unusable(f"the independent reader ended with {status}: {text[-2000:]}")
    return status == 0


class Sent:
    """Every payload that has left a producer: {payload: (flow, number within the flow)}."""

    def __init__(self):
        self.order = {}

    def add_record(self, path):
        """A --record of sluice-blast: lines of plays. Each run has ports, and so flows, of its own."""
        with open(path, "rb") as file:
            for payload in file.read().splitlines():
                play = PLAY.match(payload)
                if play is None:
                    raise Failed(f"{path}: no play: {payload[:80]!r}")
                self.order[payload] = (play.group(1) + play.group(2), len(self.order))

    def add(self, flow, payloads):
        for payload in payloads:
            self.order[payload] = (flow, len(self.order))


class Contents:
    """What a store holds: {partition: {offset: payload}}, offsets dense."""

    def __init__(self):
        self.partitions = {}

    def add(self, partition, first, payloads):
        self.partitions[partition] = {first + index: payload for index, payload in enumerate(payloads)}

    def payloads(self):
        return (payload for events in self.partitions.values() for payload in events.values())

    def end(self, partition):
        """One more than the last offset."""
        return max(self.partitions.get(partition, (-1,))) + 1


def _start(*command):
    return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _options(name, paths):
    return [word for path in paths for word in (name, path)]


def read(rig, store, scratch, other_paths=()):
    """What sluicectl reads, with the offsets that the independent reader finds, which checks the whole
    store (other_paths: its further ones): chain, checksums, offsets without a hole, none twice."""
    summary = f"{scratch}/summary.json"
    own = _start(sys.executable, rig.reader, store, *_options("--path", other_paths), "--check",
                 "--summary", summary)
    theirs = [_start(rig.sluicectl, "read", "plays", *_options("--store", (store, *other_paths)),
                     "--partition", partition, "--format", "lines") for partition in range(PARTITIONS)]
    payloads = []
    for reader in theirs:
        output, error = reader.communicate()
        payloads.append((output.splitlines(), reader.returncode, error))
    error = own.communicate()[1]
    if not _reader_says(own.returncode, error):
        raise Wrong(f"there is no store: {error.decode()[-500:]}")
    with open(summary, encoding="utf-8") as file:
        streams = json.load(file)["streams"]
    held = {entry["partition"]: entry for entry in streams[0]["partitions"]}
    contents = Contents()
    for partition, (lines, status, error) in enumerate(payloads):
        count = held[partition]["count"] if partition in held else 0
        if status != 0 or len(lines) != count:
            raise Wrong(f"partition {partition}: sluicectl read ends with {status} and {len(lines)} "
                        f"events, the independent reader finds {count}: {error.decode()[-500:]}")
        if count:
            contents.add(partition, held[partition]["first"], lines)
    return contents


def check_ledgers(rig, store, other_paths=()):
    """What the lives have counted against what the log holds, from the log alone."""
    done = run(rig.sluicectl, "drops", "--check", *_options("--offline", (store, *other_paths)), check=False)
    if done.returncode != 0 and "holds no ledger" not in done.stdout:  # the only life may have been too short
        raise Wrong(f"sluicectl drops --check --offline ends with {done.returncode}: {done.stdout[-500:]}")


def check_image(rig, store, other_paths=()):
    """A store that nothing has repaired must be readable as it is. False when there is none yet."""
    reader = _start(sys.executable, rig.reader, store, *_options("--path", other_paths), "--check")
    error = reader.communicate()[1]
    try:
        return _reader_says(reader.returncode, error)
    except Wrong as wrong:
        raise Wrong(f"before recovery, {wrong}") from None


def check_sent(contents, sent):
    """Stored is a subset of sent, each once, each flow in one partition and in order."""
    home, seen = {}, set()
    for partition, events in contents.partitions.items():
        last = {}
        for offset in sorted(events):
            payload = events[offset]
            if payload not in sent.order:
                raise Wrong(f"partition {partition}, offset {offset}: never sent: {payload[:100]!r}")
            flow, number = sent.order[payload]
            if payload in seen:
                raise Wrong(f"partition {partition}, offset {offset}: stored twice: {payload[:100]!r}")
            seen.add(payload)
            if home.setdefault(flow, partition) != partition:
                raise Wrong(f"flow {flow} is in partitions {home[flow]} and {partition}")
            if number <= last.get(flow, -1):
                raise Wrong(f"partition {partition}, offset {offset}: flow {flow} is out of order")
            last[flow] = number


def check_acknowledged(contents, watermarks):
    """{partition: offset below which all was acknowledged}: it is there."""
    for partition, watermark in watermarks.items():
        if contents.end(partition) < watermark:
            raise Wrong(f"partition {partition} ends at {contents.end(partition)}: "
                        f"{watermark - contents.end(partition)} acknowledged events are lost")


def check_same(contents, known, watermarks):
    """What was acknowledged is what it was: known is {partition: {offset: payload}}, and grows."""
    for partition, events in contents.partitions.items():
        before = known.setdefault(partition, {})
        for offset, payload in events.items():
            if offset < watermarks.get(partition, 0) and before.setdefault(offset, payload) != payload:
                raise Wrong(f"partition {partition}, offset {offset}: acknowledged as "
                            f"{before[offset][:60]!r}, is {payload[:60]!r}")


def judge(contents, sent, watermarks, known=None):
    check_acknowledged(contents, watermarks)
    check_sent(contents, sent)
    if known is not None:
        check_same(contents, known, watermarks)
