# SPDX-License-Identifier: BSD-3-Clause
"""S8: files that rot. A store that real lives have left is spoilt in one place, everybody looks, and it
is made whole again."""
import itertools
import os
from typing import NamedTuple

import fields
import lived
from editor import Editor
from rig import Failed, run
from subject import BLOCK, EVENTS, Subject, key_of

STORE_SLOT, LANE_SLOT = 4 << 20, 4096  # bytes
HEADER = 128
RECOVERED_EACH = 5  # of the injections, by the data plane's code alone
STARTED_EACH = 60  # of them, by a whole appliance
HEALS = ("store.meta", "lane.meta", "index")  # what has a second copy


class Injection(NamedTuple):
    """One place that is spoilt."""
    what: str
    kind: str  # of header, or `body`, `batch`, `file`
    edit: object  # callable(editor)
    spoilt: frozenset = frozenset()  # batches whose own header says nothing any more
    is_said: bool = True  # store verify must find something


# ---- one bit of one field

def _slots(subject, name):
    if name == "store.meta":
        return [(f"{path}/{name}", slot * STORE_SLOT) for path in subject.paths for slot in (0, 1)]
    folders = sorted({os.path.dirname(segment.path) for segment in subject.segments})
    return [(f"{folder}/{name}", slot * LANE_SLOT) for folder in folders for slot in (0, 1)]


def _targets(subject, kind):
    """(path, position, batch or None) of every header of the kind."""
    if kind == "batch":
        return [(place.path, place.position, place) for place in subject.places]
    sealed = [segment for segment in subject.segments if segment.is_sealed]
    if kind == "footer":
        return [(segment.path, segment.bytes - BLOCK, None) for segment in sealed]
    if kind == "index":
        return [(segment.index, 0, None) for segment in sealed]
    return [(path, position, None) for path, position in _slots(subject, kind)]


def _flip(subject, kind, target, at, what, mask):
    path, position, place = target
    where = os.path.relpath(path, subject.folder)
    is_header = place is not None and at < HEADER
    return Injection(f"{kind} at {where}:{position}, {what}, bit mask {mask:#x}", kind,
                     lambda editor: editor.flip(path, position + at, mask),
                     frozenset((place.id,) if is_header else ()),
                     place is None or place.header.number <= subject.marks(
                         {place.id} if is_header else ()).get(place.header.lane, 0))


def flips_of_fields(subject, random):
    """One bit of every field of every kind of header, of headers by chance; batches of all kinds."""
    for kind, listed in fields.headers().items():
        targets = _targets(subject, kind)
        by_kind = itertools.cycle(sorted({place.header.kind for _, _, place in targets if place}) or [None])
        for field in listed:
            wanted = next(by_kind)
            target = random.choice([target for target in targets
                                    if wanted is None or target[2].header.kind == wanted])
            at = field.offset + random.randrange(field.bytes)
            yield _flip(subject, kind, target, at, f"{field.name} (byte {at})", 1 << random.randrange(8))


def flips_of_bodies(subject, random, count=8):
    """Bits of what stands behind the headers."""
    places = subject.places
    for number in range(count):
        mask = 1 << random.randrange(8)
        if number % 4 == 0:
            path, position = random.choice(_slots(subject, "store.meta"))
            kind, target = "store.meta", (path, position, None)
            at = random.randrange(HEADER, int.from_bytes(Editor().read(path, position + 24, 4), "little"))
        elif number % 4 == 1:
            path, position, _ = target = random.choice(_targets(subject, "index"))
            kind, at = "index", random.randrange(64, os.path.getsize(path))
        else:
            place = random.choice(places)
            kind, target = "body", (place.path, place.position, place)
            at = random.randrange(HEADER, place.header.byte_length)
        yield _flip(subject, kind, target, at, f"byte {at} behind the header", mask)


# ---- whole batches in wrong places

def _put(subject, what, path, position, data):
    """Batches by force: what they overwrite is spoilt."""
    gone = frozenset(place.id for place in subject.places if place.path == path and
                     position < place.position + place.header.block_bytes and
                     place.position < position + len(data))
    marks = subject.marks(gone)
    return Injection(f"{what}, to {os.path.relpath(path, subject.folder)}:{position}", "batch",
                     lambda editor: editor.put(path, position, data), gone,
                     any(number <= marks.get(lane, 0) for lane, number in gone))


def _bytes_of(place):
    return Editor().read(place.path, place.position, place.header.block_bytes)


def _swap(subject, segment, random):
    """Two neighbours; whatever their lengths, they fill the same room."""
    index = random.randrange(len(segment.places) - 1)
    first, second = segment.places[index:index + 2]
    return _put(subject, f"batches {first.id} and {second.id} swapped", first.path, first.position,
                _bytes_of(second) + _bytes_of(first))


def _shift(subject, segment, random, by):
    """Everything from a batch on, some bytes later. Not the last alone: a block later it would stand whole
    where it was."""
    place = random.choice(segment.places[:-1])
    data = Editor().read(segment.path, place.position, segment.end - place.position)
    before = Editor().read(segment.path, place.position, by)
    return _put(subject, f"from batch {place.id} on {by} bytes later", segment.path, place.position,
                before + data)


def _copy(subject, place, target, what):
    """A batch over another one, which it covers, or behind the end of a segment."""
    return _put(subject, f"batch {place.id} {what}", target.path,
                target.end if hasattr(target, "end") else target.position, _bytes_of(place))


def wrong_places(subject, other, random):
    """Batches swapped, shifted, doubled, and copied to where they do not belong. other: a subject of
    another store."""
    events = [place for place in subject.places if place.header.kind == EVENTS]
    segments = [segment for segment in subject.segments if len(segment.places) > 3]
    for segment in random.sample(segments, min(3, len(segments))):
        yield _swap(subject, segment, random)
    for by in (1, 512, BLOCK):
        yield _shift(subject, random.choice(segments), random, by)
    for what, fits in (
            ("over another of its segment", lambda one, two: one.path == two.path),
            ("over one of another segment", lambda one, two: one.path != two.path and one.id[0] == two.id[0]),
            ("over one of another lane", lambda one, two: one.id[0] != two.id[0])):
        pairs = [(one, two) for one in events for two in events if one.id != two.id and fits(one, two)]
        yield _copy(subject, *random.choice(pairs), what)
    for what, fits in (("behind its segment", lambda one, two: one.path == two.path),
                       ("behind another segment", lambda one, two: one.path != two.path)):
        pairs = [(one, two) for one in events for two in subject.segments if fits(one, two)]
        yield _copy(subject, *random.choice(pairs), what)
    yield from _from_another_store(subject, other, random)
    yield _exchanged(subject, random)


def _from_another_store(subject, other, random):
    """The same lane, segment, position and number; another salt."""
    pairs = [(theirs, ours) for theirs in other.places for ours in subject.places
             if theirs.id == ours.id and theirs.position == ours.position and
             theirs.header.segment == ours.header.segment]
    theirs, ours = random.choice(pairs)
    yield _copy(subject, theirs, ours, "of another store in the place of ours")
    theirs = random.choice(other.places)
    yield _copy(subject, theirs, random.choice(subject.segments), "of another store behind the end")


def _exchanged(subject, random):
    """Two whole files under each other's name."""
    one, two = random.sample(subject.segments, 2)
    gone = frozenset(place.id for place in one.places + two.places)
    return Injection(f"{os.path.relpath(one.path, subject.folder)} and "
                     f"{os.path.relpath(two.path, subject.folder)} exchanged", "file",
                     lambda editor: editor.exchange(one.path, two.path), gone)


# ---- what must hold

def check_reads(looks, subject, vouched, problems, when=""):
    for who, (code, events, error) in looks.reads.items():
        wrong = [event for event in events if event not in subject.known]
        keys = [key_of(event) for event in events if event in subject.known]
        if wrong:
            problems.append(f"{when}{who} reads what was never stored: {wrong[0][:150]!r}")
        if len(set(keys)) != len(keys):
            problems.append(f"{when}{who} reads something twice")
        missing = vouched.difference(events)
        if code == 0 and missing:
            problems.append(f"{when}{who} leaves {len(missing)} events out that a mark vouches for, and "
                            f"says nothing: {error[-200:]}")
        if looks.verify == 0 and missing:
            problems.append(f"{when}store verify calls a store sound that {who} lacks {len(missing)} events of")


def check_heals(injection, looks, subject, problems):
    """What has a second copy costs nothing; but an older epoch than the log's is what a checker must
    speak of."""
    for who, (code, events, error) in looks.reads.items():
        if injection.kind == "lane.meta" and who != "sluicectl":
            continue
        if code or set(events) != subject.known:
            problems.append(f"{who} reads {len(events)} of {len(subject.known)} events though there is a "
                            f"second {injection.kind}: {error[-200:]}")


def check_recovered(recovered, subject, vouched, problems):
    """Refused, or all is there, and no offset is given twice."""
    if recovered.code != 0:
        if "error" not in recovered.said:
            problems.append(f"recovery ended with {recovered.code} and no error: {recovered.said[-300:]}")
        return
    for partition, offset in map(key_of, vouched):
        if offset >= recovered.next_offsets[partition]:
            problems.append(f"recovery goes on with offset {recovered.next_offsets[partition]} of partition "
                            f"{partition}, which holds {offset}")
            return


def check_recovery(injection, subject, vouched, is_started, problems):
    """On a copy: by a whole appliance, or by its code alone."""
    copies = subject.copy()
    recovered = subject.start(copies) if is_started else subject.recover(copies)
    check_recovered(recovered, subject, vouched, problems)
    if injection.kind in HEALS:
        if recovered.code != 0:
            problems.append(f"recovery refuses though there is a second {injection.kind}: {recovered.said[-300:]}")
        elif injection.kind != "index" and "damaged" not in recovered.said:
            problems.append(f"recovery goes on from the other slot of {injection.kind} and does not say so")
    if recovered.code == 0:
        check_reads(subject.look(copies), subject, vouched, problems, "after recovery, ")
    return recovered.code == 0


def inject(subject, injection, number, outcome):
    editor, problems = Editor(), []
    vouched = subject.vouched(injection.spoilt)
    outcome.injected += 1
    outcome.at_stake += len(vouched)
    injection.edit(editor)
    try:
        looks = subject.look(subject.paths)
        check_reads(looks, subject, vouched, problems)
        if injection.is_said and not looks.findings:
            problems.append("store verify finds nothing")
        if injection.kind in HEALS:
            check_heals(injection, looks, subject, problems)
        is_started = number % STARTED_EACH == STARTED_EACH // 2
        if is_started or number % RECOVERED_EACH == 0:
            check_recovery(injection, subject, vouched, is_started, problems)
    finally:
        editor.undo()
    if problems:
        outcome.lose(f"{injection.what}: {'; '.join(problems)}")


def subject_of(rig, folder):
    """The lived store of that folder, with little to read."""
    for path in (f"{folder}/a", f"{folder}/b"):
        for segment in run("find", path, "-name", "*.seg").stdout.split():
            run("fallocate", "--dig-holes", segment)  # zeros are read faster
            if not os.stat(segment).st_blocks:
                os.unlink(segment)  # a spare, which says nothing
    return Subject(rig, folder, lived.SETTINGS)


def make_subject(rig, random, name, ends=lived.ENDS):
    folder = rig.folder(name)
    lived.store(rig, folder, random, ends)
    return subject_of(rig, folder)


def run_s8(rig, random, outcome, cycles):
    """All fields, some bodies, all wrong places, and all of it again."""
    other = make_subject(rig, random, "s8-other", ("kill",))
    subject = make_subject(rig, random, "s8")
    while outcome.injected < cycles:
        for injection in (*flips_of_fields(subject, random), *flips_of_bodies(subject, random),
                          *wrong_places(subject, other, random)):
            if outcome.injected < cycles:
                inject(subject, injection, outcome.injected, outcome)
    looks, problems = subject.look(subject.paths), []
    check_reads(looks, subject, subject.known, problems)
    if problems or looks.verify:
        raise Failed(f"the store was not made whole again: {problems}")
