# SPDX-License-Identifier: BSD-3-Clause
"""Batches that nobody has written: what a liar would put where the log of a store ends."""
import os
import struct
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "reader"))
# pylint: disable=wrong-import-position
import sluice_batch
from sluice_batch import BLOCK, EVENTS
from sluice_crc import crc32c
from sluice_store import Store
from store_writer import run, with_crc

OTHER_SALT = b"another store's "


def header_of(data):
    return sluice_batch.Header(*sluice_batch.HEADER.unpack(data[:sluice_batch.HEADER_BYTES]))


class End(NamedTuple):
    """Where the log of a store's first lane ends, and what a batch behind it would have to say."""
    path: str
    position: int
    last: sluice_batch.Header
    epoch: int  # of lane.meta
    salt: bytes
    partition: int
    term: int
    next_offset: int

    @property
    def successor(self):
        """The header fields of the batch that everybody would take."""
        return {"lane": self.last.lane, "segment": self.last.segment, "position": self.position,
                "epoch": self.last.epoch, "number": self.last.number + 1,
                "prev_body_crc": self.last.body_crc, "durable_mark": self.last.durable_mark}


def end_of(path):
    """Of a store whose segment at the end is not sealed."""
    store = Store(path)
    try:
        lane = store.lanes[0]
        states = {partition: (term, first + count) for place in lane.batches for first, term, partition, count
                  in sluice_batch.TABLE_ENTRY.iter_unpack(place.table)}
        partition, (term, next_offset) = max(states.items())
        segment = lane.started[-1]
        return End(segment.path, lane.last.position + lane.last.block_bytes, lane.last, lane.meta.epoch,
                   store.meta.salt, partition, term, next_offset)
    finally:
        store.close()


def batch(end, payload, salt=None, **wrong):
    """A batch with one event that goes on from `end`, right in everything but `salt` and the header
    fields that are named."""
    said = {**end.successor, **wrong}
    body = struct.pack("<QQ", said["epoch"], said["number"])
    body += run(1, payload, 0, end.partition)
    body += bytes(-len(body) % 8)
    table_offset = sluice_batch.HEADER_BYTES + len(body)
    body += struct.pack("<QIHH", end.next_offset, end.term, end.partition, 1)
    salt_crc = crc32c(end.salt if salt is None else salt)
    header = sluice_batch.HEADER.pack(
        b"SLB1", 1, sluice_batch.HEADER_BYTES, 0, crc32c(body, salt_crc), said["prev_body_crc"], EVENTS, 0,
        said["lane"], said["segment"], said["position"], said["epoch"], said["number"],
        said["durable_mark"], sluice_batch.HEADER_BYTES + len(body), table_offset, 1, 1, 1,
        end.last.time_last_ns, end.last.time_last_ns)
    return with_crc(header, 8, salt_crc) + body


def blocks_behind(end):
    """The headers under the store's salt that stand in the segment behind the end of its log: whoever's
    place they name."""
    salt_crc = crc32c(end.salt)
    with open(end.path, "rb") as file:
        file.seek(end.position)
        data = file.read()[:-BLOCK]
    for position in range(0, len(data), BLOCK):
        raw = data[position:position + sluice_batch.HEADER_BYTES]
        if raw[:4] == b"SLB1" and crc32c(raw[:8] + bytes(4) + raw[12:], salt_crc) == \
                int.from_bytes(raw[8:12], "little"):
            header = header_of(raw)
            yield end.position + position, header
