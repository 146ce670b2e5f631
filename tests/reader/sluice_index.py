# SPDX-License-Identifier: BSD-3-Clause
"""Indexes of sealed segments: one that counts must say what the segment says."""

import struct

import sluice_batch as fmt
from sluice_crc import crc32c
from sluice_meta import Damage

HEADER = struct.Struct("<8sIIQQQIH2xII8x")
BATCH = struct.Struct("<QQQIB3x")
PARTITION = struct.Struct("<QQIIIHBx")
LIST, BITMAP = 0, 1
RIGHT, IGNORED, MISSING = "indexes_right", "indexes_ignored", "indexes_missing"


def check_index(segment, tally):
    """Holds the index of a segment that was read whole against it; says which of the three it is."""
    path = segment.path[:-len(".seg")] + ".idx"
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return MISSING
    if not counts(segment, data):
        return IGNORED
    batch_count, partition_count = HEADER.unpack_from(data)[8:10]
    position = HEADER.size
    batches = [BATCH.unpack_from(data, position + BATCH.size * i) for i in range(batch_count)]
    stated = [(h.position, h.time_base_ns, h.time_last_ns, h.body_crc, h.kind)
              for h, _ in tally.batches]
    if batches != stated:
        raise Damage(path, position, "its batches are not those of the segment")
    position += BATCH.size * batch_count
    found = {}
    for i in range(partition_count):
        first, after, term, count, at, partition, form = PARTITION.unpack_from(
            data, position + PARTITION.size * i)
        places = read_places(path, data, at, form, count, batch_count)
        if list(found) and (partition, term) <= list(found)[-1]:
            raise Damage(path, position, "its partitions do not ascend")
        found[partition, term] = (first, after, places)
    if found != held_of(tally):
        raise Damage(path, position, "its partitions are not those of the segment")
    return RIGHT


def counts(segment, data):
    """Whether the index checks and belongs to this life of the segment."""
    if len(data) < HEADER.size:
        return False
    magic, version, crc, length, number, end, last_crc, lane, batch_count, _ = \
        HEADER.unpack_from(data)
    footer = segment.footer
    if magic != b"SLINDEX1" or version != 1 or length != len(data) or \
            crc32c(data[:12] + bytes(4) + data[16:], segment.salt_crc) != crc:
        return False
    return (number, end, last_crc, lane, batch_count) == (
        segment.number, footer.end_position, footer.last_body_crc, segment.lane,
        footer.last_number - footer.first_number + 1)


def read_places(path, data, at, form, count, batch_count):
    if at % 4:
        raise Damage(path, at, "a list that is not aligned")
    bitmap_bytes = (batch_count + 31) // 32 * 4
    if form == LIST:
        places = list(struct.unpack_from(f"<{count}I", data, at))
    elif form == BITMAP:
        bits = int.from_bytes(data[at:at + bitmap_bytes], "little")
        places = [i for i in range(bitmap_bytes * 8) if bits >> i & 1]
    else:
        raise Damage(path, at, f"the unknown form {form}")
    if len(places) != count or (4 * count <= bitmap_bytes) != (form == LIST):
        raise Damage(path, at, f"{len(places)} batches in form {form} where {count} are stated")
    return places


def held_of(tally):
    """{(partition, term): (first offset, next offset, [places of batches])} of a segment."""
    held = {}
    for place, (_, table) in enumerate(tally.batches):
        for first, term, partition, count in fmt.TABLE_ENTRY.iter_unpack(table):
            start, _, places = held.setdefault((partition, term), (first, first, []))
            places.append(place)
            held[partition, term] = (start, first + count, places)
    return held
