# SPDX-License-Identifier: BSD-3-Clause
"""Offsets and terms: what each lane assigned to its partitions, and the join of the lanes."""

import os
from typing import NamedTuple

import sluice_batch as fmt
from sluice_meta import Damage


class Range(NamedTuple):
    """Offsets `first` to `end` - 1 of one term of a partition, in one lane."""
    term: int
    lane: int
    first: int
    end: int
    file: str          # where its first event is
    position: int


class State:
    """Where a partition stands in a lane while the lane is read."""
    __slots__ = ("term", "next", "first", "file", "position")

    def __init__(self, term, next_offset):
        self.term, self.next = term, next_offset
        self.first = None


class LanePartitions:
    """Follows tables and checkpoints of one lane, in order, and holds them against each other."""

    def __init__(self, store_meta, lane):
        self.store_meta, self.lane = store_meta, lane
        self.states = {}
        self.left = {}      # partition -> the highest term it had when it left the lane
        self.ranges = {}    # partition -> [Range]
        self.starts = {}    # (partition, term) -> first offset of the term
        self.head_next = {}  # (partition, term) -> next offset in the lane's first checkpoint
        self.pending = None
        self.any_whole = False
        self.from_birth = False

    def begin(self, file, header, opens_segment, epoch_rises):
        """Whether a batch of this kind may stand here."""
        def wrong(meaning):
            raise Damage(file, header.position, f"batch {header.number}: {meaning}")

        states = header.kind in (fmt.CHECKPOINT, fmt.EPOCH_START)
        if opens_segment and header.kind != fmt.CHECKPOINT:
            wrong("the segment does not open with a checkpoint")
        if epoch_rises and not states and header.kind != fmt.FENCE:
            wrong(f"epoch {header.epoch} begins without an epoch start")
        if header.number == 1:
            self.from_birth = True
        if self.pending is None:
            if states:
                self.pending = (header.kind, {})
        elif header.kind == self.pending[0] == fmt.EPOCH_START and epoch_rises:
            self.pending = (header.kind, {})  # the one under way was cut off by a crash
        elif header.kind != self.pending[0]:
            wrong("it stands inside a checkpoint that is not whole")

    def take_states(self, file, header, records):
        kind, pending = self.pending
        for next_offset, term_start, term, partition in records:
            def wrong(meaning, partition=partition):
                raise Damage(file, header.position, f"batch {header.number}: {fmt.KINDS[kind]}: "
                             f"partition {partition}: {meaning}")

            self._check_partition(file, header, partition, term)
            if partition in pending:
                wrong("it is stated twice")
            if next_offset < term_start:
                wrong(f"next offset {next_offset} lies below the start {term_start} of term {term}")
            pending[partition] = (term, next_offset, term_start, wrong)
        if header.flags & fmt.FLAG_LAST:
            self.pending = None
            self._apply(file, header, pending)

    def _apply(self, file, header, stated):
        for partition, (term, next_offset, term_start, wrong) in stated.items():
            state = self.states.get(partition)
            if state and term < state.term:
                wrong(f"term {term} is stated, but the lane has term {state.term}")
            if state and term == state.term:
                if next_offset != state.next:
                    wrong(f"next offset {next_offset} is stated, but the batches before assign "
                          f"offsets up to {state.next}")
            else:
                if term <= self.left.get(partition, -1):
                    wrong(f"it is back with term {term}, which it had when it left")
                if (self.any_whole or self.from_birth) and next_offset != term_start:
                    wrong(f"next offset {next_offset} is stated, but no batch of this lane holds "
                          f"events of term {term}, which starts at {term_start}")
                self._enter(partition, term, next_offset)
            if not self.any_whole and next_offset > term_start:
                self.head_next[partition, term] = next_offset
            known = self.starts.setdefault((partition, term), term_start)
            if known != term_start:
                wrong(f"term {term} starts at {term_start}, but before it was {known}")
        for partition in [p for p in self.states if p not in stated]:
            state = self.states[partition]
            now = self.store_meta.partitions[partition]
            if (now.lane, now.term) == (self.lane, state.term):
                raise Damage(file, header.position, f"batch {header.number}: the checkpoint leaves "
                             f"out partition {partition}, which lives in lane {self.lane}")
            self._leave(partition)
        self.any_whole = True

    def take_table(self, file, header, table):
        states, total = self.states, 0
        for first, term, partition, count in fmt.TABLE_ENTRY.iter_unpack(table):
            state = states.get(partition)
            if state is None or state.term != term or state.next != first or state.first is None:
                state = self._new_entry(file, header, partition, term, first)
            state.next = first + count
            total += count
            if not count:
                raise Damage(file, header.position, f"batch {header.number}: the table names "
                             f"partition {partition} without an event")
        if total != header.event_count:
            raise Damage(file, header.position, f"batch {header.number}: the table counts {total} "
                         f"events, the header {header.event_count}")

    def take_lost(self, file, header, records):
        """Offsets that a repair has fenced: as if their events stood here."""
        for first, count, term, partition in records:
            state = self.states.get(partition)
            if state is None or state.term != term or state.next != first or state.first is None:
                state = self._new_entry(file, header, partition, term, first)
            state.next = first + count

    def _new_entry(self, file, header, partition, term, first):
        """An entry that does not simply go on: a partition's first events here, or a new term."""
        def wrong(meaning):
            raise Damage(file, header.position, f"batch {header.number}: partition {partition}: "
                         f"{meaning}")

        self._check_partition(file, header, partition, term)
        if not term:
            wrong("events without a term")
        state = self.states.get(partition)
        if state and term < state.term:
            wrong(f"term {term} after term {state.term}")
        if state and term == state.term and first != state.next:
            wrong(f"its events begin at offset {first}, the ones before end at {state.next}")
        if not state or term > state.term:
            if term <= self.left.get(partition, -1):
                wrong(f"it is back with term {term}, which it had when it left")
            state = self._enter(partition, term, first)
            self.starts[partition, term] = first
        state.first, state.file, state.position = first, file, header.position
        return state

    def _check_partition(self, file, header, partition, term):
        if partition >= len(self.store_meta.partitions):
            raise Damage(file, header.position, f"batch {header.number}: partition {partition} "
                         "does not exist in store.meta")
        now = self.store_meta.partitions[partition]
        if term > now.term:
            raise Damage(file, header.position, f"batch {header.number}: partition {partition} has "
                         f"term {term}, store.meta only knows {now.term}")
        if term and term == now.term and now.lane != self.lane:
            raise Damage(file, header.position, f"batch {header.number}: partition {partition} has "
                         f"term {term} in lane {self.lane}, store.meta has it in lane {now.lane}")

    def _enter(self, partition, term, next_offset):
        self._leave(partition)
        state = self.states[partition] = State(term, next_offset)
        return state

    def _leave(self, partition):
        state = self.states.pop(partition, None)
        if not state:
            return
        self.left[partition] = state.term
        if state.first is not None:
            self.ranges.setdefault(partition, []).append(
                Range(state.term, self.lane, state.first, state.next, state.file, state.position))

    def finish(self):
        for partition in list(self.states):
            self._leave(partition)


class Join:
    """All lanes together: which offsets of which term are live, and whether they are dense."""

    def __init__(self, store_meta, lanes):
        self.starts = {}   # partition -> {term: first offset}
        self.ranges = {}   # partition -> [Range], ascending by term
        self.heads = set()  # (partition, term, next offset) where older segments have expired
        self.limits = {}   # (partition, term) -> the offset from which on it is void
        self.floors = {}   # partition -> the offset below which everything has expired
        self.lost = {lane.partitions.lane for lane in lanes if not lane.partitions.from_birth}
        for number, partition in enumerate(store_meta.partitions):
            if partition.term:
                self.starts[number] = {partition.term: partition.term_start}
        for lane in lanes:
            self._add(lane.partitions, store_meta.file)
        for partition, starts in self.starts.items():
            self._set_limits(partition, starts)
            self._check_dense(partition, starts)

    def _add(self, lane, meta_file):
        for (partition, term), start in lane.starts.items():
            known = self.starts.setdefault(partition, {}).setdefault(term, start)
            if term and known != start:
                raise Damage(meta_file, 0, f"partition {partition}: term {term} starts at {start} "
                             f"in lane {lane.lane}, elsewhere at {known}")
        for partition, ranges in lane.ranges.items():
            self.ranges.setdefault(partition, []).extend(ranges)
        if not lane.from_birth:
            self.heads.update((*key, offset) for key, offset in lane.head_next.items())
            for (partition, _), offset in lane.head_next.items():
                self._raise_floor(partition, offset)

    def _raise_floor(self, partition, offset):
        """What is older than something that has expired has expired, in whatever lane it lies."""
        self.floors[partition] = max(self.floors.get(partition, 0), offset)

    def _set_limits(self, partition, starts):
        limit = None
        for term in sorted(starts, reverse=True):
            if limit is not None:
                self.limits[partition, term] = limit
            limit = starts[term] if limit is None else min(limit, starts[term])

    def _check_dense(self, partition, starts):
        ranges = sorted(self.ranges.get(partition, ()))
        for lower, upper in zip(ranges, ranges[1:]):
            if lower.term == upper.term:
                twice = " and holds the same offsets twice" if upper.first < lower.end else ""
                raise Damage(upper.file, upper.position, f"partition {partition}: term "
                             f"{upper.term} is in the lanes {lower.lane} and {upper.lane}{twice}")
        by_term = {held.term: held for held in ranges}
        end, lower = None, None
        for term in sorted(set(starts) | set(by_term)):
            limit = self.limits.get((partition, term))
            start, held = starts.get(term), by_term.get(term)
            if not term or limit is not None and start is not None and start >= limit:
                continue
            begins = held.first if held else start
            if end is None or begins <= end or lower.term >> 16 != term >> 16:
                pass
            elif held and (partition, term, begins) in self.heads:
                pass  # the floor is there already
            elif begins == start and self._has_expired_between(lower.term, term, by_term):
                self._raise_floor(partition, begins)
            else:
                raise Damage(lower.file, lower.position, f"partition {partition}: offsets {end} to "
                             f"{begins - 1} are missing between term {lower.term} in lane "
                             f"{lower.lane} and term {term}")
            if held and (limit is None or held.first < limit):
                end, lower = held.end if limit is None else min(held.end, limit), held

    def _has_expired_between(self, lower, upper, by_term):
        """Whether a term between the two has gone with all its segments: lanes expire each for itself."""
        return bool(self.lost) and any(term not in by_term for term in range(lower + 1, upper))

    def floor(self, partition):
        """The offset below which everything of the partition has expired."""
        return self.floors.get(partition, 0)

    def void_from(self, partition, term):
        """The offset from which on this term of the partition is void, or None."""
        return self.limits.get((partition, term))
