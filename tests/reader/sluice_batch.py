# SPDX-License-Identifier: BSD-3-Clause
"""One batch, one run table, one footer: the bytes of a segment, without the chain between them."""

import struct
from typing import NamedTuple

from sluice_crc import crc32c
from sluice_ledger import Ledger, WrongLedger
from sluice_meta import Damage, NotReadable, VERSION
from sluice_rich import RichRun, WrongRun

BLOCK = 4096
HEADER = struct.Struct("<4sHHIIIBBHQQQQQIIIII4xQQ24x")
FOOTER = struct.Struct("<4sHHIIH6xQQQQQQQQ40x")
BODY_PREFIX = struct.Struct("<QQ")
TABLE_ENTRY = struct.Struct("<QIHH")
RUN = struct.Struct("<IIHH")
SOURCE = struct.Struct("<BxH16s")
STATE = struct.Struct("<QQIH2x")
LOST = struct.Struct("<QQIH2x")
SESSION_STATE = struct.Struct("<QQQH6x")
GAP = struct.Struct("<QQQHBBBB2x16s24s")

HEADER_BYTES = 128
RUNS_OFFSET = HEADER_BYTES + BODY_PREFIX.size

KINDS = {1: "events", 2: "checkpoint", 3: "epoch_start", 4: "mark", 7: "fence"}
EVENTS, CHECKPOINT, EPOCH_START, MARK, FENCE = KINDS
FLAG_LAST = 1

BATCH_MAGIC, FOOTER_MAGIC = b"SLB1", b"SLF1"

HEADER_SPOILT = "the header's checksum is wrong"

RUN_EVENT, RUN_SOURCE, RUN_TIME, RUN_STATE, RUN_RICH, RUN_GAP, RUN_SESSIONS = 1, 2, 3, 4, 5, 6, 7
RUN_LEDGER, RUN_LOST, RUN_FILLER = 8, 9, 10
GAP_UNITS = ("events", "frames")
GAP_SOURCES = ("unknown", "one", "many")


class Gap(NamedTuple):
    """What is known to be missing; stream 0xffff is unknown, address None unless it is one, port (from
    0) None when it is unknown."""
    count: int
    first_ns: int
    last_ns: int
    stream: int
    unit: str
    sources: str
    address: bytes
    port: int
    reason: str


class NoBatch(Exception):
    """What is at this place is not a batch of this place; says why."""


class Header(NamedTuple):
    magic: bytes
    version: int
    header_bytes: int
    header_crc: int
    body_crc: int
    prev_body_crc: int
    kind: int
    flags: int
    lane: int
    segment: int
    position: int
    epoch: int
    number: int
    durable_mark: int
    byte_length: int
    table_offset: int
    table_count: int
    run_count: int
    event_count: int
    time_base_ns: int
    time_last_ns: int

    @property
    def block_bytes(self):
        """The room the batch takes in the file: whole blocks."""
        return -(-self.byte_length // BLOCK) * BLOCK


class Footer(NamedTuple):
    magic: bytes
    version: int
    footer_bytes: int
    crc: int
    last_body_crc: int
    lane: int
    segment: int
    epoch: int
    first_number: int
    last_number: int
    end_position: int
    event_count: int
    time_first_ns: int
    time_last_ns: int


def parse_header(file, data, position, salt_crc, lane, segment):
    """The header of the batch at `position`, whose CRC, version and place are right."""
    raw = data[:HEADER_BYTES]
    if raw[:3] != BATCH_MAGIC[:3] or len(raw) < HEADER_BYTES:
        raise NoBatch("there is no batch magic")
    header = Header(*HEADER.unpack(raw))
    if crc32c(raw[:8] + bytes(4) + raw[12:], salt_crc) != header.header_crc:
        raise NoBatch(HEADER_SPOILT)
    if header.version != VERSION:
        raise NotReadable(f"{file}: byte {position}: batch of version {header.version}, which is "
                          "not known to this reader")
    if header.magic != BATCH_MAGIC:
        raise NoBatch(f"a batch of version 1 with the magic {header.magic!r}")
    if (header.lane, header.segment, header.position) != (lane, segment, position):
        raise NoBatch(f"the batch belongs to lane {header.lane}, segment {header.segment}, "
                      f"position {header.position}")
    return header


def check_header(file, header):
    """The numbers of a header whose CRC is right must fit each other; else the writer is wrong."""
    def wrong(meaning):
        raise Damage(file, header.position, f"batch {header.number}: {meaning}")

    if header.header_bytes != HEADER_BYTES:
        wrong(f"header_bytes is {header.header_bytes}, not {HEADER_BYTES}")
    if header.durable_mark >= header.number:
        wrong(f"durable mark {header.durable_mark} is not below its own number")
    if header.kind not in KINDS:
        return
    if header.table_offset % 8 or header.table_offset < RUNS_OFFSET:
        wrong(f"partition table at {header.table_offset}, not 8-byte aligned behind the runs")
    if header.table_offset + TABLE_ENTRY.size * header.table_count != header.byte_length:
        wrong("the partition table does not end the batch")
    if header.kind != EVENTS and (header.table_count or header.event_count):
        wrong(f"a batch of kind {KINDS[header.kind]} has events or a partition table")


def parse_footer(file, data, file_bytes, salt_crc, lane, segment):
    """The footer in a segment's last block, or None when the segment is not sealed."""
    raw = data[:FOOTER.size]
    if raw[:3] != FOOTER_MAGIC[:3]:
        return None
    footer = Footer(*FOOTER.unpack(raw))
    if crc32c(raw[:8] + bytes(4) + raw[12:], salt_crc) != footer.crc:
        return None
    position = file_bytes - BLOCK
    if footer.version != VERSION:
        raise NotReadable(f"{file}: byte {position}: footer of version {footer.version}, which is "
                          "not known to this reader")
    if (footer.magic, footer.lane, footer.segment) != (FOOTER_MAGIC, lane, segment):
        return None
    if footer.footer_bytes != FOOTER.size or data[FOOTER.size:].strip(b"\0"):
        raise Damage(file, position, "the footer is not 128 bytes and zeros")
    return footer


class Runs:
    """The runs of one batch, walked once: events as (partition, source, time_ns, payload,
    attributes), the last None for an anonymous APPEND; `sessions` has the runs with a session as
    (partition, RichRun) and the session states as (None, records), in their order; `gaps` has the
    gaps, `ledgers` the bytes of the ledgers."""

    def __init__(self, file, header, data):
        self.file, self.header, self.data = file, header, data
        self.events = []
        self.sources = [None]
        self.states = []
        self.lost = []
        self.sessions = []
        self.gaps = []
        self.ledgers = []  # their bytes
        self.unknown_types = self.further_attributes = 0
        self._walk()

    def _wrong(self, position, meaning):
        raise Damage(self.file, self.header.position + position,
                     f"batch {self.header.number}: {meaning}")

    def _walk(self):
        header, data, unpack = self.header, self.data, RUN.unpack_from
        append, sources = self.events.append, 0
        position, base, delta = RUNS_OFFSET, header.time_base_ns, 0
        try:
            for _ in range(header.run_count):
                word, run_delta, partition, source = unpack(data, position)
                start = position + 12
                position = start + (word & 0xFFFFFF)
                if word >> 24 == 1:  # RUN_EVENT: by far the most, so it is looked at first
                    if source > sources:
                        self._wrong(start - 12, f"source {source} is not in the dictionary yet")
                    delta = run_delta
                    append((partition, source, base + delta, data[start:position], None))
                elif word >> 24 == RUN_RICH:
                    if source > sources:
                        self._wrong(start - 12, f"source {source} is not in the dictionary yet")
                    delta = run_delta
                    self._rich(partition, source, base + delta, start, position)
                elif word >> 24 == RUN_TIME:
                    base, delta = self._time(start, position), 0
                else:
                    self._other(word >> 24, start, position)
                    sources = len(self.sources) - 1
        except struct.error:
            self._wrong(position, "the runs go on behind the end of the batch")
        self._check_end(position)

    def _time(self, start, end):
        if end - start != 8:
            self._wrong(start, f"a time run of {end - start} bytes, not 8")
        return int.from_bytes(self.data[start:end], "little")

    def _other(self, kind, start, end):
        if kind == RUN_SOURCE:
            if end - start != SOURCE.size:
                self._wrong(start, f"a source run of {end - start} bytes, not {SOURCE.size}")
            entry = SOURCE.unpack_from(self.data, start)
            if entry[0] not in (4, 6):
                self._wrong(start, f"a source of the unknown family {entry[0]}")
            self.sources.append(entry)
        elif kind == RUN_SESSIONS:
            self._sessions(start, end)
        elif kind == RUN_LOST:
            if (end - start) % LOST.size or end > len(self.data):
                self._wrong(start, f"lost offsets of {end - start} bytes, not records of "
                            f"{LOST.size}")
            self.lost.extend(LOST.iter_unpack(self.data[start:end]))
        elif kind == RUN_FILLER:
            pass
        elif kind == RUN_GAP:
            self._gap(start, end)
        elif kind == RUN_LEDGER:
            self._ledger(start, end)
        elif kind == RUN_STATE:
            if self.header.kind == EVENTS:
                self._wrong(start, "a partition state in a batch of events")
            if (end - start) % STATE.size or end > len(self.data):
                self._wrong(start, f"a partition state of {end - start} bytes, not records of "
                            f"{STATE.size}")
            self.states.extend(STATE.iter_unpack(self.data[start:end]))
        else:
            self.unknown_types += 1

    def _gap(self, start, end):
        if end - start < GAP.size or end > len(self.data):
            self._wrong(start, f"a gap of {end - start} bytes, less than {GAP.size}")
        (count, first_ns, last_ns, stream, unit, sources, family, port, address,
         reason) = GAP.unpack_from(self.data, start)
        name, zero, _ = reason.partition(b"\0")
        if not (count and first_ns <= last_ns and unit < len(GAP_UNITS) and
                sources < len(GAP_SOURCES) and (family in (4, 6)) == (sources == 1) and
                (family == 0) == (sources != 1) and zero and
                name and not name.strip(b"abcdefghijklmnopqrstuvwxyz0123456789_")):
            self._wrong(start, "a gap whose fields contradict each other")
        size = {4: 4, 6: 16}.get(family)
        self.gaps.append(Gap(count, first_ns, last_ns, stream, GAP_UNITS[unit],
                             GAP_SOURCES[sources], size and address[:size],
                             port - 1 if port else None, name.decode()))

    def _ledger(self, start, end):
        if end > len(self.data):
            raise struct.error
        try:
            Ledger(self.data[start:end])
        except WrongLedger as wrong:
            self._wrong(start, f"a ledger: {wrong}")
        self.ledgers.append(self.data[start:end])

    def _rich(self, partition, source, time_ns, start, end):
        if end > len(self.data):
            raise struct.error
        try:
            rich = RichRun(self.data[start:end])
        except WrongRun as wrong:
            self._wrong(start - RUN.size, f"a run of events with attributes: {wrong}")
        self.further_attributes += rich.further_attributes
        if rich.session:
            self.sessions.append((partition, rich))
        self.events.extend([(partition, source, time_ns, value, attributes)
                            for value, attributes in rich.events])

    def _sessions(self, start, end):
        if (end - start) % SESSION_STATE.size or end > len(self.data):
            self._wrong(start, f"a session state of {end - start} bytes, not records of "
                        f"{SESSION_STATE.size}")
        records = list(SESSION_STATE.iter_unpack(self.data[start:end]))
        if not all(record[0] for record in records):
            self._wrong(start, "a session state of session 0")
        self.sessions.append((None, records))

    def _check_end(self, end):
        header = self.header
        if not end <= header.table_offset < end + 8:
            self._wrong(end, f"the runs end at {end}, the partition table is at "
                        f"{header.table_offset}")
        if self.data[end:header.table_offset].strip(b"\0"):
            self._wrong(end, "the bytes before the partition table are not zero")
        if len(self.events) != header.event_count:
            self._wrong(RUNS_OFFSET, f"{len(self.events)} events, the header says "
                        f"{header.event_count}")
        last = self.events[-1][2] if self.events else header.time_base_ns
        if last != header.time_last_ns:
            self._wrong(RUNS_OFFSET, f"the last event's time is {last}, the header says "
                        f"{header.time_last_ns}")
