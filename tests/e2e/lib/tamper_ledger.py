#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tamper_ledger.py STORE LANE SEQUENCE FIELD DELTA: changes a counter of one ledger, under right checksums.

The ledger with this sequence that is the last one in the lane. The batch's sums are made right again, and so is the
chain behind it: what the batch after it says of it, and its footer's.
"""

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "reader"))
# pylint: disable=wrong-import-position
import sluice_batch as fmt
from sluice_crc import crc32c
from sluice_ledger import Header
from sluice_store import Store

FIRST_COUNTER, FIRST_FIELD = 48, Header._fields.index("frames")


def find(store, lane, sequence):
    """(file, its batches behind it included, of the ledger's batch; offset of the ledger in it)."""
    for place in reversed(next(log for log in store.lanes if log.lane.number == lane).batches):
        data = place.segment.read(place.header.position, place.header.byte_length)
        runs = fmt.Runs(place.segment.path, place.header, data)
        for ledger in runs.ledgers:
            if struct.unpack_from("<Q", ledger, 8)[0] == sequence:
                return place, data, data.index(ledger)
    raise SystemExit(f"no ledger {sequence} in lane {lane}")


def patch(file, position, data, salt_crc):
    """Writes a header with its sum."""
    image = bytearray(data)
    image[8:12] = bytes(4)
    image[8:12] = struct.pack("<I", crc32c(bytes(image[:128]), salt_crc))
    file.seek(position)
    file.write(image)


def main(folder, lane, sequence, field, delta):
    store = Store(folder)
    place, data, at = find(store, int(lane), int(sequence))
    salt_crc = crc32c(store.meta.salt)
    store.close()
    data = bytearray(data)
    offset = at + FIRST_COUNTER + 8 * (Header._fields.index(field) - FIRST_FIELD)
    old_crc = data[12:16]
    struct.pack_into("<Q", data, offset, struct.unpack_from("<Q", data, offset)[0] + int(delta))
    data[12:16] = struct.pack("<I", crc32c(bytes(data[128:]), salt_crc))
    with open(place.segment.path, "r+b") as file:
        patch(file, place.header.position, data, salt_crc)
        behind = place.header.position + place.header.block_bytes
        file.seek(behind)
        after = bytearray(file.read(128))
        if after[:4] == fmt.BATCH_MAGIC and after[16:20] == old_crc:
            after[16:20] = data[12:16]
            patch(file, behind, after, salt_crc)


if __name__ == "__main__":
    main(*sys.argv[1:])
