# SPDX-License-Identifier: BSD-3-Clause
"""From what a disk was asked to do (disk_log.h) to the images that a power cut may leave.

Everything flushed before the cut is there. Of the writes behind the last flush an arbitrary subset
is, each of them whole or torn into pieces of 512 or 4096 bytes; but the first block, where ext4 keeps its superblock and writes it
in place: torn it would be the file system that is lost, and no store.
"""
import mmap
import os
import struct
from typing import NamedTuple

WRITE, FLUSH = 1, 2
RECORD = struct.Struct("<8Q16Q")
TEARS = (None, 4096, 512)
FIRST_BLOCK_BYTES = 4096
COPY_BYTES = 4 << 20


class Record(NamedTuple):
    kind: int
    position: int
    bytes: int
    data_position: int
    epoch: int
    watermarks: tuple


class Cut(NamedTuple):
    """Power fails when the first `index` records are done."""
    index: int
    at_stake: int   # writes that no flush has covered
    epoch: int      # that had been seen
    watermarks: tuple  # that had been promised

    @property
    def acknowledged(self):
        return sum(self.watermarks)


class Recording:
    def __init__(self, base, log):
        self.base = base
        with open(log, "rb") as file:
            raw = file.read()
        self.records = [Record(fields[0], fields[1], fields[2], fields[3], fields[5], fields[8:])
                        for fields in RECORD.iter_unpack(raw[:len(raw) // RECORD.size * RECORD.size])]
        self.data_path = log + ".data"

    def pending(self, index):
        """The writes that no flush had covered when the first `index` records were done."""
        first = index
        while first and self.records[first - 1].kind == WRITE:
            first -= 1
        return self.records[first:index]

    def cuts(self):
        """Every cut that something is at stake in."""
        cuts, pending = [], 0
        for index, record in enumerate(self.records):
            if pending:
                # The last moment before this record: what had been promised then must hold.
                cuts.append(Cut(index, pending, record.epoch, record.watermarks))
            pending = pending + 1 if record.kind == WRITE else 0
        return cuts


def copy_sparse(source, target):
    """Only what is in the source takes time and room."""
    size = os.fstat(source).st_size
    os.ftruncate(target, 0)
    os.ftruncate(target, size)
    position = 0
    while position < size:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(source, position, os.SEEK_HOLE)
        while position < end:
            data = os.pread(source, min(COPY_BYTES, end - position), position)
            os.pwrite(target, data, position)
            position += len(data)


class Images:
    """Builds the images of cuts in the order of their index: the flushed part only grows."""

    def __init__(self, recording, folder):
        self.recording, self.path = recording, f"{folder}/cut.img"
        self.flushed = os.open(f"{folder}/flushed.img", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        base = os.open(recording.base, os.O_RDONLY)
        copy_sparse(base, self.flushed)
        os.close(base)
        self.data_file = open(recording.data_path, "rb")
        self.data = mmap.mmap(self.data_file.fileno(), 0, access=mmap.ACCESS_READ)
        self.next, self.pending = 0, []

    def close(self):
        os.close(self.flushed)
        self.data.close()
        self.data_file.close()

    def advance(self, index):
        """To a cut: `pending` are the writes that no flush had covered."""
        for record in self.recording.records[self.next:index]:
            if record.kind == WRITE:
                self.pending.append(record)
                continue
            for write in self.pending:
                os.pwrite(self.flushed, self.bytes_of(write), write.position)
            self.pending = []
        self.next = index

    def bytes_of(self, write):
        return self.data[write.data_position:write.data_position + write.bytes]

    def build(self, cut, random):
        """The image of a cut, under `path`: which of the writes at stake are in it, random decides."""
        assert cut.index >= self.next
        self.advance(cut.index)
        tear, share = random.choice(TEARS), random.choice((0.1, 0.5, 0.9))
        return self.write(lambda _: random.random() < share, tear)

    def write(self, is_kept, tear=None):
        """The image with those parts of the pending writes that is_kept(write) takes."""
        target = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        copy_sparse(self.flushed, target)
        for write in self.pending:
            data = self.bytes_of(write)
            step = tear or len(data)
            if tear and write.position == 0:
                step = max(tear, FIRST_BLOCK_BYTES)
            for start in range(0, len(data), step):
                if is_kept(write):
                    os.pwrite(target, data[start:start + step], write.position + start)
        os.close(target)
        return self.path
