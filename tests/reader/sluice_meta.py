# SPDX-License-Identifier: BSD-3-Clause
"""store.meta and lane.meta of a Sluice store, as docs/format.md describes them."""

import os
import struct
from typing import NamedTuple

from sluice_crc import crc32c

VERSION = 1
STORE_SLOT_BYTES = 4_194_304
LANE_SLOT_BYTES = 4096
NO_LANE = 0xFFFF

STORE_HEADER = struct.Struct("<8sIIQIIIIII16sQHH52x")
CLASS = struct.Struct("<64sB15x")
STREAM = struct.Struct("<64sIHHH6x16s")
LANE = struct.Struct("<HHHH8x")
PARTITION = struct.Struct("<QIHH")
PATH = struct.Struct("<1024s")
LANE_META = struct.Struct("<8sIIQQHH28x")

DURABILITIES = ("none", "written", "durable")


class Damage(Exception):
    """The store does not hold what the format says: where, and what it means."""

    def __init__(self, file, position, meaning):
        super().__init__(f"{file}: byte {position}: {meaning}")
        self.file, self.position, self.meaning = file, position, meaning


class NotReadable(Exception):
    """Not a store, or a store of a version that this reader does not know."""


class Class(NamedTuple):
    name: str
    durability: str


class Stream(NamedTuple):
    name: str
    partition_count: int
    first_partition: int
    class_index: int
    port: int
    key: bytes


class Lane(NamedTuple):
    number: int
    class_index: int
    worker: int
    path: int


class Partition(NamedTuple):
    term_start: int
    term: int
    lane: int


class StoreMeta(NamedTuple):
    file: str
    generation: int
    salt: bytes
    classes: tuple
    streams: tuple
    lanes: tuple
    partitions: tuple
    path_index: int
    paths: tuple    # where each was, as bytes; None: not recorded


class LaneMeta(NamedTuple):
    generation: int
    epoch: int
    lane: int
    class_index: int


def _zeroed(data, at):
    """`data` with the four bytes of its own CRC at `at` set to zero."""
    return data[:at] + bytes(4) + data[at + 4:]


def _best_slot(file, slots, magic):
    """The valid slot with the highest generation of `slots`, pairs (bytes under its CRC, bytes)."""
    best, best_generation, seen = None, -1, False
    for slot_bytes, slot in slots:
        if slot[:7] != magic[:7]:
            continue
        seen = True
        version, crc, generation = struct.unpack_from("<IIQ", slot, 8)
        covered = slot[:slot_bytes]
        if len(covered) < slot_bytes or crc32c(_zeroed(covered, 12)) != crc:
            continue
        if version != VERSION:
            raise NotReadable(f"{file}: version {version} is not known to this reader")
        if slot[:8] != magic:
            continue
        if generation > best_generation:
            best, best_generation = covered, generation
    if best is None and seen:
        raise Damage(file, 0, "no slot has a right checksum")
    return best


def _name(raw, file, position):
    name = raw.partition(b"\0")[0]
    if not name or len(raw) == len(name):
        raise Damage(file, position, "a name is empty or not zero-terminated")
    return name.decode("utf-8", "backslashreplace")


def read_store_meta(store):
    """The winning slot of STORE/store.meta, its records checked against each other."""
    file = os.path.join(store, "store.meta")
    try:
        with open(file, "rb") as meta:
            slots = []
            for position in (0, STORE_SLOT_BYTES):
                meta.seek(position)
                slot = meta.read(STORE_SLOT_BYTES)
                if len(slot) >= STORE_HEADER.size:
                    slots.append((struct.unpack_from("<I", slot, 24)[0], slot))
    except OSError as error:
        raise NotReadable(f"{file}: {error.strerror}: not a store") from error
    slot = _best_slot(file, [s for s in slots if s[0] >= STORE_HEADER.size], b"SLCESTM1")
    if slot is None:
        raise NotReadable(f"{file}: no slot has the magic SLCESTM1: not a store of this version")
    return _parse_store_meta(file, slot)


def find_store(given):
    """The newest copy of store.meta, and the folder of each path that is here: those given, and,
    if the first of them is where it says that it was, the others where they are said to be."""
    meta = first = read_store_meta(given[0])
    folders = {first.path_index: given[0]}
    for folder in given[1:]:
        copy = read_store_meta(folder)
        if copy.salt != first.salt:
            raise NotReadable(f"{folder}: belongs to another store than {given[0]}")
        if copy.path_index in folders:
            raise NotReadable(f"{folder}: is path {copy.path_index} of the store, as "
                              f"{folders[copy.path_index]} is")
        folders[copy.path_index] = folder
        meta = max(meta, copy, key=lambda known: known.generation)
    for index, folder in enumerate(_recorded(first, given[0])):
        if index in folders or not os.path.exists(os.path.join(folder, b"store.meta")):
            continue
        copy = read_store_meta(os.fsdecode(folder))
        if (copy.salt, copy.path_index) == (first.salt, index):
            folders[index] = os.fsdecode(folder)
            meta = max(meta, copy, key=lambda known: known.generation)
    return meta, folders


def _recorded(meta, folder):
    """Where the paths are said to be, if that is right of this one."""
    here = meta.paths[meta.path_index]
    if here and os.path.exists(here) and os.path.samefile(here, folder):
        return meta.paths
    return ()


def _parse_store_meta(file, slot):
    (_, _, _, generation, byte_length, class_count, stream_count, lane_count, partition_count, _,
     salt, _, path_index, path_count) = STORE_HEADER.unpack_from(slot)
    counts = (class_count, stream_count, lane_count, partition_count, path_count)
    tables, position = [], STORE_HEADER.size
    for record, count in zip((CLASS, STREAM, LANE, PARTITION, PATH), counts):
        end = position + record.size * count
        if end > byte_length:
            raise Damage(file, 24, "the records are longer than byte_length")
        tables.append((position, record.size, list(record.iter_unpack(slot[position:end]))))
        position = end
    if position != byte_length:
        raise Damage(file, 24, "the records are shorter than byte_length")
    classes, streams, lanes, partitions, paths = tables
    if path_index >= max(path_count, 1):
        raise Damage(file, 72, f"it is path {path_index} of {path_count}")

    def where(table, index):
        return table[0] + index * table[1]

    meta = StoreMeta(
        file, generation, salt,
        tuple(Class(_name(name, file, where(classes, i)),
                    _durability(file, where(classes, i), level))
              for i, (name, level) in enumerate(classes[2])),
        tuple(Stream(_name(name, file, where(streams, i)), *rest)
              for i, (name, *rest) in enumerate(streams[2])),
        tuple(Lane(*lane) for lane in lanes[2]),
        tuple(Partition(start, term, lane) for start, term, lane, _ in partitions[2]),
        path_index,
        tuple(path.partition(b"\0")[0] for path, in paths[2]) or (None,))
    _check_streams(meta, lambda i: where(streams, i))
    _check_lanes(meta, lambda i: where(lanes, i), lambda i: where(partitions, i))
    return meta


def _durability(file, position, level):
    if level >= len(DURABILITIES):
        raise Damage(file, position, f"a class has the unknown durability {level}")
    return DURABILITIES[level]


def _check_streams(meta, where):
    owner = {}
    for i, stream in enumerate(meta.streams):
        if stream.class_index >= len(meta.classes):
            raise Damage(meta.file, where(i), f"stream {stream.name} names class "
                         f"{stream.class_index}, which does not exist")
        if not stream.partition_count:
            raise Damage(meta.file, where(i), f"stream {stream.name} has no partition")
        for partition in range(stream.first_partition,
                               stream.first_partition + stream.partition_count):
            if partition >= len(meta.partitions):
                raise Damage(meta.file, where(i), f"stream {stream.name} owns partition "
                             f"{partition}, which does not exist")
            if partition in owner:
                raise Damage(meta.file, where(i), f"streams {owner[partition]} and {stream.name} "
                             f"both own partition {partition}")
            owner[partition] = stream.name
    if len({stream.name for stream in meta.streams}) != len(meta.streams):
        raise Damage(meta.file, 0, "two streams have the same name")


def _check_lanes(meta, where_lane, where_partition):
    numbers = {NO_LANE}
    for i, lane in enumerate(meta.lanes):
        if lane.number in numbers:
            raise Damage(meta.file, where_lane(i), f"lane {lane.number} is listed twice")
        if lane.class_index >= len(meta.classes):
            raise Damage(meta.file, where_lane(i), f"lane {lane.number} names class "
                         f"{lane.class_index}, which does not exist")
        numbers.add(lane.number)
    for i, partition in enumerate(meta.partitions):
        if partition.term and partition.lane not in numbers:
            raise Damage(meta.file, where_partition(i), f"partition {i} lives in lane "
                         f"{partition.lane}, which does not exist")


def read_lane_meta(folder, lane):
    """The winning slot of FOLDER/lane.meta, held against what store.meta says of the lane."""
    file = os.path.join(folder, "lane.meta")
    try:
        with open(file, "rb") as meta:
            data = meta.read(2 * LANE_SLOT_BYTES)
    except OSError as error:
        raise Damage(file, 0, f"the epoch of lane {lane.number} is lost: "
                     f"{error.strerror}") from error
    slots = [data[at:at + LANE_META.size] for at in (0, LANE_SLOT_BYTES)]
    slot = _best_slot(file, [(LANE_META.size, slot) for slot in slots], b"SLLANEM1")
    if slot is None:
        raise Damage(file, 0, "no slot has the magic SLLANEM1")
    _, _, _, generation, epoch, number, class_index = LANE_META.unpack(slot)
    if (number, class_index) != (lane.number, lane.class_index):
        raise Damage(file, 0, f"it belongs to lane {number} of class {class_index}, not to lane "
                     f"{lane.number} of class {lane.class_index}")
    return LaneMeta(generation, epoch, number, class_index)
