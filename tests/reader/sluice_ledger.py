# SPDX-License-Identifier: BSD-3-Clause
"""Ledgers: what the appliance had counted, whether it adds up, and what the log says to it."""

import struct
from collections import Counter
from typing import NamedTuple

HEADER = struct.Struct("<QQQQHHHHBBHH2xQQQQQQQQQQQQQ40x")
PORT = struct.Struct("<64sBB6xQQQQQQQQQQQQQ16x")
DROP = struct.Struct("<24sBB6xQQ")
LAST = 1
EXACT, _, BLIND = range(3)
REDIRECTS = 1
PARSE, STEER, APPEND = range(3)
RISING = ("frames", "datagrams", "events", "direct_given", "enqueued", "dequeued", "direct_taken",
          "stored")
NAME = b"abcdefghijklmnopqrstuvwxyz0123456789_"


class WrongLedger(Exception):
    """Not a ledger; says why."""


class Header(NamedTuple):
    boot: int
    sequence: int
    start_ns: int
    time_ns: int
    flags: int
    header_bytes: int
    port_bytes: int
    drop_bytes: int
    port_count: int
    failed_lanes: int
    drop_count: int
    lane_count: int
    frames: int
    datagrams: int
    events: int
    direct_given: int
    enqueued: int
    enqueued_at_marker: int
    enqueued_after: int
    dequeued_at_marker: int
    dequeued: int
    direct_taken: int
    stored: int
    open: int
    in_flight: int


class Port(NamedTuple):
    device: bytes
    ledger: int
    flags: int
    frames: int
    received_before: int
    received_after: int
    redirected_before: int
    redirected_after: int
    lost_before: int
    in_ring: int
    missed: int
    no_mbuf: int
    xsk_ring_full: int
    xsk_fill_empty: int
    xsk_rx_dropped: int
    not_in_gaps: int

    @property
    def socket_losses(self):
        return self.xsk_ring_full + self.xsk_fill_empty + self.xsk_rx_dropped


class Drop(NamedTuple):
    reason: str
    stage: int
    unit: int
    count: int
    not_in_gaps: int


class Ledger:
    """One record."""

    def __init__(self, data):
        self.data = data
        if len(data) < HEADER.size:
            raise WrongLedger(f"{len(data)} bytes, less than {HEADER.size}")
        self.header = header = Header(*HEADER.unpack_from(data))
        if header.header_bytes < HEADER.size or header.port_bytes < PORT.size or \
                header.drop_bytes < DROP.size or not header.boot:
            raise WrongLedger("parts that are too short, or no boot")
        drops_at = header.header_bytes + header.port_count * header.port_bytes
        if drops_at + header.drop_count * header.drop_bytes > len(data):
            raise WrongLedger("its parts lead out of the run")
        self.ports = [Port(*PORT.unpack_from(data, header.header_bytes + i * header.port_bytes))
                      for i in range(header.port_count)]
        self.drops = [self._drop(drops_at + i * header.drop_bytes)
                      for i in range(header.drop_count)]

    def _drop(self, at):
        reason, stage, unit, count, not_in_gaps = DROP.unpack_from(self.data, at)
        name, zero, _ = reason.partition(b"\0")
        if not (zero and name and not name.strip(NAME) and stage <= APPEND and unit <= 1 and count):
            raise WrongLedger("a drop whose fields contradict each other")
        return Drop(name.decode(), stage, unit, count, not_in_gaps)

    @property
    def is_last(self):
        return bool(self.header.flags & LAST)

    def dropped(self, stage):
        return sum(drop.count for drop in self.drops if drop.stage == stage)

    def wrong(self):
        """The identities that do not hold, each as a text."""
        return [text for holds, text in self._identities() if not holds] + \
            [text for index, port in enumerate(self.ports)
             for holds, text in _port_identities(index, port, self.is_last) if not holds]

    def _identities(self):
        head = self.header
        waiting = head.open + head.in_flight
        yield head.frames == sum(port.frames for port in self.ports), "frames by port"
        yield head.frames == head.datagrams + self.dropped(PARSE), "frames against datagrams"
        yield head.datagrams == head.events, "datagrams against events"
        yield head.events == head.enqueued + head.direct_given + self.dropped(STEER), \
            "events against rings"
        yield head.enqueued_at_marker <= head.enqueued <= head.enqueued_after, "to rings"
        yield head.enqueued_at_marker == head.dequeued_at_marker, "rings"
        yield head.dequeued <= head.enqueued_after, "from rings"
        yield head.direct_given == head.direct_taken, "direct"
        yield head.dequeued + head.direct_taken == head.stored + waiting + self.dropped(APPEND), \
            "workers"
        if self.is_last:
            yield head.dequeued == head.enqueued, "from rings at rest"
            yield waiting == 0, "at rest"


def _port_identities(index, port, is_last):
    received = port.received_after + port.socket_losses + port.in_ring
    if port.ledger != BLIND:
        low = port.received_after if is_last else port.received_before
        yield (low if port.ledger == EXACT else 0) <= port.frames <= port.received_after, \
            f"port {index} driver"
    if port.ledger == EXACT and port.flags & REDIRECTS:
        yield received == port.redirected_after if is_last else \
            port.redirected_before <= received and \
            port.received_before + port.lost_before <= port.redirected_after, \
            f"port {index} redirect"


class Start:
    """One start of the appliance, as its ledgers and its lanes tell."""

    def __init__(self, ledger):
        self.boot, self.start_ns = ledger.header.boot, ledger.header.start_ns
        self.newest, self.count, self.lanes, self.firsts = ledger, 0, 0, 0
        self.events, self.gaps, self.has_fence = 0, Counter(), False

    def is_whole(self):
        return self.firsts >= self.newest.header.lane_count and not self.has_fence

    def wrong(self):
        """What the log says against the newest ledger."""
        head, whole = self.newest.header, self.is_whole()
        exact = self.newest.is_last and not head.failed_lanes
        if whole and exact and self.events != head.stored:
            yield f"{self.events} events in the log, {head.stored} stored"
        if whole and not exact and self.events < head.stored:
            yield f"{self.events} events in the log, at least {head.stored} stored"
        if not whole and exact and self.events > head.stored:
            yield f"{self.events} events left in the log, {head.stored} stored"
        if self.newest.is_last:
            yield from self._wrong_gaps(whole and not head.failed_lanes)

    def _wrong_gaps(self, exact):
        drops = {drop.reason: (drop.count, drop.not_in_gaps) for drop in self.newest.drops
                 if drop.unit == 0}
        in_gaps = {name: count for (unit, name), count in self.gaps.items() if unit == "events"}
        for name in drops.keys() | in_gaps.keys():
            count, missing = drops.get(name, (0, 0))
            gaps = in_gaps.get(name, 0)
            if gaps + missing != count if exact else gaps > count:
                yield f"{name}: {gaps} in gaps, {missing} in none, {count} dropped"
        lost = sum(port.missed + port.no_mbuf + port.socket_losses for port in self.newest.ports)
        missing = sum(port.not_in_gaps for port in self.newest.ports)
        gaps = sum(count for (unit, _), count in self.gaps.items() if unit == "frames")
        if gaps + missing != lost if exact else gaps > lost:
            yield f"frames: {gaps} in gaps, {missing} in none, {lost} lost by ports"

    def summary(self):
        head = self.newest.header
        return {"boot": f"{self.boot:016x}", "start_ns": self.start_ns, "ledgers": self.count,
                "lanes": self.lanes, "sequence": head.sequence, "ledger_ns": head.time_ns,
                "end": "clean" if self.newest.is_last else "without a last ledger",
                "whole": self.is_whole(), "events": self.events, "stored": head.stored,
                "frames": head.frames, "waiting_events": head.open + head.in_flight,
                "dropped_events": sum(drop.count for drop in self.newest.drops if drop.unit == 0),
                "failed_lanes": head.failed_lanes}


class Ledgers:
    """All ledgers of a store: take() each batch, in order, lane by lane."""

    def __init__(self):
        self.starts, self.wrong = {}, []
        self.count = 0
        self._place = self._start = self._before = None
        self._events, self._gaps, self._has_first = 0, Counter(), False
        self._boots = {}  # (lane, epoch) -> boot; None: no ledger

    def take(self, lane, epoch, event_count, gaps, records):
        """What a batch of events holds."""
        self._enter(lane, epoch)
        self._events += event_count
        for gap in gaps:
            self._gaps[gap.unit, gap.reason] += gap.count
        for data in records:
            self._record(Ledger(data))

    def fence(self, lane, epoch, begins):
        """Once all is taken: something is gone here, of this epoch or, where it begins, of the one
        before."""
        epochs = sorted(known for at, known in self._boots if at == lane and known <= epoch)
        for known in epochs[-2:] if begins else epochs[-1:]:
            if self._boots[lane, known]:
                self.starts[self._boots[lane, known]].has_fence = True

    def _enter(self, lane, epoch):
        if self._place != (lane, epoch):
            self.finish()
            self._place = (lane, epoch)

    def finish(self):
        """The epoch at hand is over."""
        if self._place:
            self._boots[self._place] = self._start and self._start.boot
        if self._start:
            self._start.lanes += 1
            self._start.firsts += self._has_first
            self._start.events += self._events
            self._start.gaps.update(self._gaps)
        self._place = self._start = self._before = None
        self._events, self._gaps, self._has_first = 0, Counter(), False

    def _record(self, ledger):
        head = ledger.header
        self._start = start = self.starts.setdefault(head.boot, Start(ledger))
        self._has_first |= head.sequence == 0
        self.count += 1
        start.count += 1
        wrong = ledger.wrong()
        if self._before:
            before = self._before.header
            wrong += [f"{name} falls" for name in RISING
                      if getattr(head, name) < getattr(before, name)]
            if head.sequence <= before.sequence:
                wrong.append("the sequence does not rise")
        newest = start.newest
        if newest.header.sequence == head.sequence and newest.data != ledger.data:
            wrong.append("its copies differ")
        if newest.header.sequence < head.sequence:
            start.newest = ledger
        self._before = ledger
        self.wrong += [f"lane {self._place[0]}, ledger {head.sequence}: {text}" for text in wrong]

    def summary(self):
        starts = sorted(self.starts.values(), key=lambda start: start.start_ns)
        wrong = self.wrong + [text for start in starts for text in
                              start.newest.wrong() + list(start.wrong())]
        return {"count": self.count, "wrong": wrong, "starts": [start.summary() for start in starts]}
