# SPDX-License-Identifier: BSD-3-Clause
"""S15: sluicectl store repair, on a store of two paths: killed at its calls and run again, and on a drive
that cannot read."""
import json
import os
import re
import subprocess
from typing import NamedTuple

import lived
import oracle
from editor import Editor
from fail_call import FailCall
from rig import Disk, Failed, run
from row_rot import subject_of
from subject import BLOCK, EVENTS, key_of

DISK_BYTES = 512 << 20
ALWAYS = 1 << 30
KILLED = -9
CHANGES = ("fallocate", "rename", "fsync", "unlink", "link", "ftruncate")
KILLS = 8  # of each damage, at these
AGAIN = "but could be a moment ago"


class Mended(NamedTuple):
    """A repair that went through: what it announced and what it left."""
    announced: list  # ranges of lost offsets: (partition, first, last, at_most)
    left: frozenset
    said: list  # by the reader, of what is lost
    next_offsets: list


def command(rig, words, environment=None):
    return subprocess.run([rig.sluicectl, "store", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, env={**os.environ, **(environment or {})})


def _expect(what, found, expected):
    if found != expected:
        raise oracle.Wrong(f"{what}: {found}, not {expected}")


class Patient:
    """A store that is damaged, repaired, and put back as it was."""

    def __init__(self, rig, disk, random, folder):
        self.rig, self.disk, self.random = rig, disk, random
        lived.store(rig, disk.path, random)
        self.subject = subject_of(rig, disk.path)
        self.sound, self.damaged = f"{folder}/sound", f"{folder}/damaged"
        self._save(self.sound)
        self.call = FailCall(rig, f"{folder}/fail_call")
        self.started_count = 0  # starts on half a repair that went through

    @property
    def store(self):
        return self.subject.paths[0]

    def _save(self, place):
        run("rm", "-rf", place)
        os.makedirs(place)
        run("cp", "-a", "--sparse=always", *self.subject.paths, place)

    def put_back(self, place):
        for path in self.subject.paths:
            run("rm", "-rf", path)
            run("cp", "-a", "--sparse=always", f"{place}/{os.path.basename(path)}", path)

    def save_damaged(self):
        self._save(self.damaged)

    def files(self):
        """What a repair must not touch: (inode, length, when written) of every file of the log."""
        found = {}
        for path in self.subject.paths:
            for folder, _, names in os.walk(path):
                for name in names:
                    if name != "store.lock":
                        status = os.stat(f"{folder}/{name}")
                        found[f"{folder}/{name}"] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return found

    def repair(self, *words, environment=None):
        return command(self.rig, ["repair", self.store, "--json", *words], environment)

    def mended(self, done, announced=None):
        """The store is sound, readers agree, and nothing but what was announced (by an earlier one,
        if that is given) is missing."""
        _expect(f"a repair ends with ({done.stderr[-300:]})", done.returncode, 0)
        announced = announced or [(lost["stream_partition"], lost["first_offset"], lost["last_offset"], lost["at_most"])
                                  for finding in json.loads(done.stdout)["findings"]
                                  for lost in finding.get("lost", ())]
        looks = self.subject.look(self.subject.paths)
        _expect(f"store verify behind a repair ({looks.findings})", looks.verify, 0)
        codes = {who: code for who, (code, _, _) in looks.reads.items() if code}
        _expect("readers that fail behind a repair", codes, {})
        left, theirs = (frozenset(events) for _, events, _ in looks.reads.values())
        _expect("events that one reader alone finds", len(left ^ theirs), 0)
        if not left <= self.subject.known:
            raise oracle.Wrong("behind a repair events are read that were never stored")
        self._check_announced(announced, {key_of(line) for line in self.subject.known - left})
        self.disk.control("fail read 0")  # the originals are copied too
        recovered = self.subject.recover(self.subject.copy())
        _expect(f"recovery behind a repair ({recovered.said[-300:]})", recovered.code, 0)
        for partition, offset in map(key_of, self.subject.known):
            if offset >= recovered.next_offsets[partition]:
                raise oracle.Wrong(f"behind a repair offset {offset} of partition {partition} is given again")
        return Mended(announced, left, sorted(looks.reads["sluicectl"][2].splitlines()), recovered.next_offsets)

    @staticmethod
    def _check_announced(announced, missing):
        certain = {(partition, offset) for partition, first, last, at_most in announced if not at_most
                   for offset in range(first, last + 1)}
        _expect("events announced as lost, and there", len(certain - missing), 0)
        silent = [key for key in missing - certain if not any(
            at_most and partition == key[0] and first <= key[1] <= last for partition, first, last, at_most in announced)]
        _expect(f"events lost without a word, as {silent[:3]}", len(silent), 0)


# ---- killed and run again

def damage(patient, editor):
    """A batch of each lane and some more, all below a mark; now and then a whole segment."""
    subject, random = patient.subject, patient.random
    marks = subject.marks(())
    below = [place for place in subject.places if place.header.number <= marks[place.header.lane]]
    lanes = sorted({place.header.lane for place in below})
    chosen = [random.choice([place for place in below if place.header.lane == lane]) for lane in lanes]
    for place in chosen + random.sample(below, random.randrange(3)):
        editor.flip(place.path, place.position + random.randrange(place.header.byte_length), 1 << random.randrange(8))
    middle = [segment for segment in subject.segments if segment.is_sealed and
              any(other.lane == segment.lane and other.path < segment.path for other in subject.segments)]
    if middle and random.random() < 0.5:
        os.unlink(random.choice(middle).path)


def _check_start(patient, left):
    """Half a repair is no worse for a start than the damage: refused, or no offset is given twice."""
    recovered = patient.subject.recover(patient.subject.copy())
    if recovered.code != 0 and "error" not in recovered.said:
        raise oracle.Wrong(f"a start on half a repair ends with {recovered.code}: {recovered.said[-300:]}")
    for partition, offset in map(key_of, left if recovered.code == 0 else ()):
        if offset >= recovered.next_offsets[partition]:
            raise oracle.Wrong(f"a start on half a repair gives offset {offset} of partition {partition} again")
    return recovered.code == 0


def _plan(patient, counts):
    """Calls that change something, and a file that is opened."""
    calls = [(kind, number) for kind in CHANGES for number in range(1, counts[kind] + 1)]
    return [("open", patient.random.randrange(1, counts["open"] + 1)),
            *patient.random.sample(calls, min(KILLS, len(calls)))]


def _kill_at(patient, kind, number, words):
    """True when it has died there."""
    patient.call.reset()
    patient.call.arm(kind, number, kills=True)
    done = patient.repair(*words, environment=patient.call.environment)
    return done.returncode == KILLED


def break_repair(patient, outcome):
    """Whatever call it dies at, the next repair ends as an undisturbed one, and one more does nothing."""
    words = ["--accept-loss"]
    damage(patient, Editor())
    patient.save_damaged()
    patient.call.reset()
    undisturbed = patient.mended(patient.repair(*words, environment=patient.call.environment))
    for kind, number in _plan(patient, patient.call.counts()):
        patient.put_back(patient.damaged)
        if not _kill_at(patient, kind, number, words):
            continue
        outcome.injected += 1
        outcome.at_stake += len(undisturbed.left)
        try:
            patient.started_count += _check_start(patient, undisturbed.left)
            again = patient.mended(patient.repair(*words), undisturbed.announced)
            for what in ("left", "said", "next_offsets"):
                if getattr(again, what) != getattr(undisturbed, what):
                    raise oracle.Wrong(f"{what}: {getattr(again, what)!r:.300}, undisturbed "
                                       f"{getattr(undisturbed, what)!r:.300}")
            before = patient.files()
            _expect("a third repair ends with", patient.repair(*words).returncode, 0)
            _expect("files that a third repair touches", patient.files().items() ^ before.items(), set())
        except Failed as failed:
            outcome.lose(f"killed at {kind} {number}: {failed}")


# ---- the drive cannot read

def on_disk(path, position):
    """Where a block of a file is on its disk."""
    for line in re.finditer(r"^ *\d+: +(\d+)\.\. +(\d+): +(\d+)\.\.", run("filefrag", "-v", path).stdout, re.M):
        first, last, physical = (int(word) for word in line.groups())
        if first <= position // BLOCK <= last:
            return (physical + position // BLOCK - first) * BLOCK
    raise Failed(f"{path} has no block at {position}")


def _fail_reads(patient, path, position, blocks, skipped=0):
    """From now on, though what was read before the machine started again is not known any more."""
    patient.disk.remount()
    first = on_disk(path, position)
    patient.disk.control(f"fail read {ALWAYS} {first} {first + blocks * BLOCK} {skipped}")


def _failed_count(patient):
    return patient.disk.counts()["read"]["failed"]


def _events_of(patient, is_sealed):
    """A batch of events below a mark, in such a segment that holds two of them at least."""
    marks = patient.subject.marks(())
    found = []
    for segment in patient.subject.segments:
        batches = [place for place in segment.places if place.header.kind == EVENTS and
                   place.header.number < marks[segment.lane]]
        if segment.is_sealed == is_sealed and len(batches) > 1:
            found.append(batches)
    return patient.random.choice(found)


def for_ever(patient, outcome):
    """A batch cannot be read any more: refused, then fenced; the mended segment lies elsewhere."""
    place = patient.random.choice(_events_of(patient, patient.random.random() < 0.5))
    _fail_reads(patient, place.path, place.position, 1)
    before = patient.files()
    _expect("a repair without --accept-loss ends with", patient.repair().returncode, 1)
    _expect("files that it touches", patient.files().items() ^ before.items(), set())
    mended = patient.mended(patient.repair("--accept-loss"))
    _expect("events lost", {key_of(line) for line in patient.subject.known - mended.left}, set(place.events))
    outcome.at_stake += len(place.events)


def for_a_while(patient, outcome):
    """What could be read when everything was judged cannot be read when the segment is copied."""
    spoilt, unreadable = sorted(patient.random.sample(_events_of(patient, True), 2))
    Editor().flip(spoilt.path, spoilt.position + spoilt.header.byte_length - 1, 1)
    _fail_reads(patient, unreadable.path, unreadable.position, 1, skipped=1)
    before = patient.files()
    done = patient.repair("--accept-loss")
    if done.returncode in (0, 1) or AGAIN not in done.stderr:
        raise oracle.Wrong(f"a repair that cannot read what it could ends with {done.returncode}: {done.stderr[-300:]}")
    _expect("files that it touches", patient.files().items() ^ before.items(), set())
    outcome.at_stake += len(unreadable.events)
    outcome.injected += _failed_count(patient) - patient.failed_before
    patient.failed_before = _failed_count(patient)
    patient.disk.control("fail read 0")
    mended = patient.mended(patient.repair("--accept-loss"))
    _expect("events lost", {key_of(line) for line in patient.subject.known - mended.left}, set(spoilt.events))


def behind_the_end(patient, outcome):
    """A block behind the last batch cannot be read: no start gets past it, a repair costs nothing."""
    segment = patient.random.choice([segment for segment in patient.subject.segments if not segment.is_sealed])
    Editor().put(segment.path, segment.end, b"x" * BLOCK)
    _fail_reads(patient, segment.path, segment.end, 1)
    _expect("store verify ends with", command(patient.rig, ["verify", patient.store]).returncode, 1)
    mended = patient.mended(patient.repair())
    _expect("events lost", len(patient.subject.known - mended.left), 0)
    outcome.at_stake += len(mended.left)


def cannot_read(patient, outcome):
    for case in (for_ever, for_a_while, behind_the_end):
        patient.put_back(patient.sound)
        patient.failed_before = _failed_count(patient)
        try:
            case(patient, outcome)
            if _failed_count(patient) == 0:
                raise Failed("nothing has failed")
        except Failed as failed:
            outcome.lose(f"{case.__name__}: {failed}")
        finally:
            outcome.injected += _failed_count(patient) - patient.failed_before
            patient.disk.control("fail read 0")


def run_s15(rig, random, outcome, cycles):
    """Each cycle on another damage of one store."""
    folder = rig.folder("s15")
    with Disk(rig, folder, DISK_BYTES) as disk:
        patient = Patient(rig, disk, random, folder)
        for _ in range(cycles):
            patient.put_back(patient.sound)
            break_repair(patient, outcome)
            cannot_read(patient, outcome)
            if outcome.lost:
                return
    outcome.say(f"{patient.started_count} starts went through on half a repair, the others were refused")
