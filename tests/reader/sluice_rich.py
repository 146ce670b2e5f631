# SPDX-License-Identifier: BSD-3-Clause
"""Runs of events with attributes (type 5), taken apart without trusting a length in them."""

import struct
from typing import NamedTuple, Optional

HEADER = struct.Struct("<HBx")
SESSION = struct.Struct("<QQ")

OPERATIONS = ("append", "put", "remove")
HAS_SESSION = 0x01
KEY, TIME, WEIGHT, LONG, FURTHER, UNKNOWN = 0x04, 0x08, 0x10, 0x20, 0x40, 0x80


class WrongRun(Exception):
    """The run is not what the page says; how."""


class Attributes(NamedTuple):
    operation: str
    key: Optional[bytes]
    event_ns: Optional[int]
    weight: Optional[int]
    session: Optional[int]
    sequence: Optional[int]


class RichRun:
    """events: [(value, Attributes)]; session 0 and no sequences without a session."""

    def __init__(self, data):
        self.data, self.position = data, 0
        self.events = []
        self.session = self.first_sequence = self.further_attributes = 0
        count, flags = self._take("<HBx")
        if not count:
            raise WrongRun("it holds no event")
        if flags & ~HAS_SESSION:
            raise WrongRun(f"unknown flags {flags:#x}")
        if flags & HAS_SESSION:
            self._take_session(count)
        for i in range(count):
            self._take_event(i)
        if self.position != len(data):
            raise WrongRun(f"{len(data) - self.position} bytes behind its last event")

    def _take(self, form):
        record = struct.Struct(form)
        if self.position + record.size > len(self.data):
            raise WrongRun("an event goes on behind its end")
        values = record.unpack_from(self.data, self.position)
        self.position += record.size
        return values

    def _take_bytes(self, count):
        if self.position + count > len(self.data):
            raise WrongRun("an event goes on behind its end")
        self.position += count
        return self.data[self.position - count:self.position]

    def _take_session(self, count):
        self.session, self.first_sequence = self._take("<QQ")
        if not self.session:
            raise WrongRun("session 0")
        if self.first_sequence + count >= 1 << 64:
            raise WrongRun("its sequences pass 2^64")

    def _take_event(self, index):
        flags, = self._take("<B")
        if flags & UNKNOWN or flags & 3 == 3:
            raise WrongRun(f"an event with the flags {flags:#x}")
        operation = OPERATIONS[flags & 3]
        value_bytes, = self._take("<I" if flags & LONG else "<H")
        key_bytes = self._take("<H")[0] if flags & KEY else 0
        event_ns = self._take("<q")[0] if flags & TIME else None
        weight = self._take("<I")[0] if flags & WEIGHT else None
        further_bytes = self._take("<H")[0] if flags & FURTHER else 0
        if flags & 3 and not flags & KEY:
            raise WrongRun(f"a {operation} without a key")
        if operation == "remove" and value_bytes:
            raise WrongRun("a remove with a value")
        if weight == 0:
            raise WrongRun("an event of weight 0")
        key = self._take_bytes(key_bytes)
        self._take_bytes(further_bytes)
        self.further_attributes += further_bytes > 0
        value = self._take_bytes(value_bytes)
        self.events.append((value, Attributes(
            operation, key if flags & KEY else None, event_ns, weight,
            self.session or None, self.first_sequence + index if self.session else None)))
