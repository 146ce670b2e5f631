# SPDX-License-Identifier: BSD-3-Clause
"""One lane: its segments, the chain of its batches, its end."""

import fcntl
import os
import re
import struct
from collections import Counter
from typing import NamedTuple

import sluice_batch as fmt
from sluice_batch import BLOCK, NoBatch
from sluice_crc import crc32c
from sluice_index import check_index
from sluice_meta import Damage, read_lane_meta
from sluice_sessions import Checkpoint
from sluice_terms import LanePartitions

SEGMENT_NAME = re.compile(r"([0-9a-f]{16})\.seg")
READERS_LOCK_BYTE = (1 << 62) + 1
LOOK_AHEAD_BYTES = 4 << 20
MAGIC_FAMILY = fmt.BATCH_MAGIC[:3]  # what all versions share


class Segment:
    """One open segment file, locked against reuse while it is read."""

    def __init__(self, path, lane, number, salt_crc):
        self.path, self.lane, self.number, self.salt_crc = path, lane, number, salt_crc
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        lock = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, READERS_LOCK_BYTE, 1, 0)
        fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, lock)
        self.bytes = os.fstat(self.fd).st_size
        if self.bytes % BLOCK or self.bytes < 2 * BLOCK:
            raise Damage(path, 0, f"a segment of {self.bytes} bytes is not two or more whole "
                         "blocks")
        self.footer = fmt.parse_footer(path, self.read(self.bytes - BLOCK, BLOCK), self.bytes,
                                       salt_crc, lane, number)

    def close(self):
        os.close(self.fd)

    def read(self, position, length):
        return os.pread(self.fd, length, position)

    def header_at(self, position, block):
        return fmt.parse_header(self.path, block, position, self.salt_crc, self.lane, self.number)

    def has_foreign_head(self):
        """It opens with a batch, and not with one of its own."""
        block = self.read(0, BLOCK)
        try:
            self.header_at(0, block)
        except NoBatch:
            return block[:3] == MAGIC_FAMILY
        return False

    def batch_at(self, position):
        """The header and all blocks of the batch at `position`; NoBatch when it does not check."""
        block = self.read(position, BLOCK)
        header = self.header_at(position, block)
        if header.byte_length < fmt.RUNS_OFFSET or \
                position + header.block_bytes > self.bytes - BLOCK:
            raise Damage(self.path, position, f"batch {header.number}: its length "
                         f"{header.byte_length} does not fit the segment")
        fmt.check_header(self.path, header)
        if header.block_bytes > BLOCK:
            block += self.read(position + BLOCK, header.block_bytes - BLOCK)
        if crc32c(block[fmt.HEADER_BYTES:header.byte_length], self.salt_crc) != header.body_crc:
            raise NoBatch(f"batch {header.number}: the body's checksum is wrong")
        if fmt.BODY_PREFIX.unpack_from(block, fmt.HEADER_BYTES) != (header.epoch, header.number):
            raise Damage(self.path, position + fmt.HEADER_BYTES, f"batch {header.number}: its body "
                         "begins with another epoch or number")
        return header, block

    def look_ahead(self, position):
        """The valid headers at block boundaries from `position` on."""
        start = self._skip_hole(position)
        while start < self.bytes - BLOCK:
            chunk = self.read(start, min(LOOK_AHEAD_BYTES, self.bytes - BLOCK - start))
            at = chunk.find(MAGIC_FAMILY)
            while at >= 0:
                if at % BLOCK == 0:
                    try:
                        yield self.header_at(start + at, chunk[at:at + fmt.HEADER_BYTES])
                    except NoBatch:
                        pass
                at = chunk.find(MAGIC_FAMILY, at + 1)
            start = self._skip_hole(start + LOOK_AHEAD_BYTES)

    def _skip_hole(self, position):
        """What was never written holds no batch: the next block that may."""
        try:
            return os.lseek(self.fd, position, os.SEEK_DATA) // BLOCK * BLOCK
        except OSError:
            return self.bytes


class BatchPlace(NamedTuple):
    """Where a batch of events is, for the second walk."""
    segment: Segment
    header: fmt.Header
    table: bytes


class LaneLog:
    """The log of one lane as its batches state it; `batches` are those of events, in order."""

    def __init__(self, store_meta, lane, folder):
        self.lane, self.folder = lane, folder
        self.salt_crc = crc32c(store_meta.salt)
        self.meta = read_lane_meta(folder, lane)
        self.segments = []
        self.started = []  # those with a batch that counts
        self.batches = []
        self.fenced_epochs = []  # of each fence, and whether it begins its epoch
        self.checkpoints = []
        self.stated = None  # of the checkpoint under way
        self.totals = Counter()
        self.kinds = Counter()
        self.partitions = LanePartitions(store_meta, lane.number)
        self.last = self.end = None
        self.unread = None  # the first segment, when batches stand in it and none counts
        self.durable_mark = self.sealed_epoch = 0

    def close(self):
        for segment in self.segments:
            segment.close()

    def open_segments(self):
        for name in sorted(os.listdir(self.folder)):
            match = SEGMENT_NAME.fullmatch(name)
            if not match:
                continue
            path = os.path.join(self.folder, name)
            try:
                self.segments.append(Segment(path, self.lane.number, int(match[1], 16),
                                             self.salt_crc))
            except (FileNotFoundError, BlockingIOError):
                pass  # expired between listing and opening, or being removed

    def scan(self):
        """Check the whole chain; Damage when the lane does not hold what it must."""
        self.open_segments()
        for index, segment in enumerate(self.segments):
            self._scan_segment(segment, self._find_takeover(index))
        self._check_beginning()
        for segment in self.started[:-2]:
            if not segment.footer:
                raise Damage(segment.path, segment.bytes - BLOCK, "the segment is not sealed, but "
                             "two later ones exist")
        last_number = self.last.number if self.last else 0
        if last_number < self.durable_mark:
            path, position, why = self.end
            raise Damage(path, position, f"durable data are missing: the log of lane "
                         f"{self.lane.number} ends with batch {last_number} ({why}), but batches "
                         f"up to {self.durable_mark} were durable")
        self.partitions.finish()
        self.totals["segments"] = len(self.segments)
        self.totals["segments_sealed"] = sum(1 for segment in self.segments if segment.footer)

    def _check_beginning(self):
        """Older segments expire as whole files: one that is there, and of which nothing counts, was
        not followed by one that goes on."""
        if self.unread and self.started and self.started[0].number > self.unread[0].number:
            segment, why = self.unread
            raise Damage(segment.path, 0, f"nothing of it counts ({why}), but later segments go on")

    def _find_takeover(self, index):
        """The lowest first header of the later segments whose checkpoint is whole."""
        if self.segments[index].footer:
            return None
        heads = [head for head in map(read_head, self.segments[index + 1:]) if head]
        return min(heads, key=lambda head: head.number, default=None)

    def _is_taken_over(self, header, takeover):
        """Whether the batch was written again to a later segment."""
        if not takeover or header.number < takeover.number:
            return False
        last = self.last
        return not last or last.number + 1 != takeover.number or \
            (last.body_crc == takeover.prev_body_crc and last.epoch <= takeover.epoch)

    def _scan_segment(self, segment, takeover):
        limit = segment.footer.end_position if segment.footer else segment.bytes - BLOCK
        tally = SegmentTally(segment)
        position, why = 0, "the segment is full"
        while position < limit:
            try:
                header, data = segment.batch_at(position)
                if self._is_taken_over(header, takeover):
                    raise NoBatch(f"a later segment goes on at batch {takeover.number}")
                self._check_chain(segment, header)
            except NoBatch as reason:
                why = str(reason)
                self._check_head(segment, position, why)
                if position == 0 and not self.started and segment.has_foreign_head():
                    self.unread = self.unread or (segment, why)
                break
            self._accept(segment, header, data, position == 0)
            if position == 0:
                self.started.append(segment)
            tally.add(header, data[header.table_offset:header.byte_length]
                      if header.kind == fmt.EVENTS else b"")
            position += header.block_bytes
        if segment.footer:
            self._check_sealed(segment, position, why, tally)
            return
        self.end = self.end or (segment.path, position, why)
        for header in segment.look_ahead(position):
            self.durable_mark = max(self.durable_mark, header.durable_mark)

    def _check_head(self, segment, position, why):
        """A header is smaller than a sector and does not tear: one that is spoilt has rotted."""
        if position == 0 and why == fmt.HEADER_SPOILT:
            raise Damage(segment.path, position, f"{why}, where the segment begins")

    def _check_sealed(self, segment, position, why, tally):
        if position < segment.footer.end_position:
            if position == 0 and self.end:
                path, position, why_there = self.end
                raise Damage(path, position, f"the log breaks here ({why_there}), but the sealed "
                             f"segment {segment.number} lies behind it")
            raise Damage(segment.path, position, f"damage in a sealed segment: {why}")
        tally.check_footer(self.meta.epoch)
        self.totals[check_index(segment, tally)] += 1
        self.sealed_epoch = segment.footer.epoch

    def _check_chain(self, segment, header):
        """NoBatch when the batch does not follow the last one."""
        last = self.last
        if not last:
            if header.number == 1 and header.prev_body_crc:
                raise NoBatch("batch 1 states a batch before it")
            if header.number == 0 or segment.number == 1 and header.number != 1:
                raise NoBatch(f"the lane's first batch has number {header.number}")
        elif header.number != last.number + 1:
            raise NoBatch(f"batch {header.number} stands behind batch {last.number}")
        elif header.prev_body_crc != last.body_crc:
            raise NoBatch(f"batch {header.number} follows another batch {last.number}")
        elif header.epoch < last.epoch:
            raise NoBatch(f"batch {header.number}: the epoch falls from {last.epoch} to "
                          f"{header.epoch}")

    def _accept(self, segment, header, data, opens_segment):
        if header.epoch > self.meta.epoch:
            raise Damage(segment.path, header.position, f"batch {header.number} has epoch "
                         f"{header.epoch}, lane.meta only knows {self.meta.epoch}")
        rises = self.last is not None and header.epoch > self.last.epoch
        self.kinds[fmt.KINDS.get(header.kind, "unknown")] += 1
        if data[header.byte_length:].strip(b"\0"):
            self.totals["padding_not_zero"] += 1
        if header.kind in fmt.KINDS:
            pending = self.partitions.pending
            self.partitions.begin(segment.path, header, opens_segment, rises)
            if self.partitions.pending is not pending:
                self.stated = Checkpoint(segment.path, header, [], [])
        if header.kind == fmt.EVENTS:
            table = data[header.table_offset:header.byte_length]
            self.partitions.take_table(segment.path, header, table)
            self.batches.append(BatchPlace(segment, header, table))
        elif header.kind in fmt.KINDS:
            runs = fmt.Runs(segment.path, header, data)
            self.totals["unknown_run_types"] += runs.unknown_types
            if header.kind == fmt.FENCE:
                self.partitions.take_lost(segment.path, header, runs.lost)
                begins = self.last is None or self.last.epoch < header.epoch
                self.fenced_epochs.append((header.epoch, begins))
            elif header.kind != fmt.MARK:
                self.partitions.take_states(segment.path, header, runs.states)
                self._take_sessions(header, runs)
        if opens_segment and header.epoch < self.sealed_epoch:
            raise Damage(segment.path, header.position, f"batch {header.number}: epoch "
                         f"{header.epoch}, but the footer before it has {self.sealed_epoch}")
        self.last, self.end = header, None
        self.durable_mark = max(self.durable_mark, header.durable_mark)


    def _take_sessions(self, header, runs):
        self.stated.states.extend(runs.states)
        self.stated.sessions.extend(record for _, records in runs.sessions for record in records)
        if header.flags & fmt.FLAG_LAST:
            self.checkpoints.append(self.stated._replace(header=header))


def read_head(segment):
    """The first header of a segment whose checkpoint is whole, else None."""
    first, position = None, 0
    while position < segment.bytes - BLOCK:
        try:
            header, _ = segment.batch_at(position)
        except NoBatch:
            return None
        if header.kind != fmt.CHECKPOINT:
            return None
        first = first or header
        if header.flags & fmt.FLAG_LAST:
            return first
        position += header.block_bytes
    return None


class SegmentTally:
    """What a footer repeats about its segment."""

    def __init__(self, segment):
        self.segment = segment
        self.first = self.last = None
        self.event_count = 0
        self.batches = []  # (header, table of a batch of events)

    def add(self, header, table):
        self.batches.append((header, table))
        self.first = self.first or header
        self.last = header
        if header.kind == fmt.EVENTS:
            self.event_count += header.event_count

    def check_footer(self, lane_epoch):
        segment, footer, first, last = self.segment, self.segment.footer, self.first, self.last
        where = segment.bytes - BLOCK

        def expect(name, expected):
            value = getattr(footer, name)
            if value != expected:
                raise Damage(segment.path, where, f"the footer's {name} is {value}, the segment's "
                             f"is {expected}")

        if not first:
            raise Damage(segment.path, where, "a segment without a batch is sealed")
        end = last.position + last.block_bytes
        for name, expected in (("end_position", end), ("first_number", first.number),
                               ("last_number", last.number), ("last_body_crc", last.body_crc),
                               ("event_count", self.event_count),
                               ("time_first_ns", first.time_base_ns),
                               ("time_last_ns", last.time_last_ns)):
            expect(name, expected)
        if not last.epoch <= footer.epoch <= lane_epoch:
            raise Damage(segment.path, where, f"the footer's epoch {footer.epoch} lies outside "
                         f"{last.epoch} to {lane_epoch}")
