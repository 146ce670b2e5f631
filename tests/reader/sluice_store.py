# SPDX-License-Identifier: BSD-3-Clause
"""A whole store: every lane scanned and joined, then its events walked lane by lane."""

import os
from collections import Counter

import sluice_batch as fmt
from sluice_lane import LaneLog
from sluice_ledger import Ledgers
from sluice_meta import Damage, find_store
from sluice_sessions import Sessions
from sluice_siphash import siphash13
from sluice_terms import Join


class KeyCheck:
    """Recomputes the steering of events by a byte range of their payload."""

    def __init__(self, stream, offset, length):
        self.key, self.count, self.base = stream.key, stream.partition_count, stream.first_partition
        self.start, self.end = offset, offset + length
        self.seen = {}

    def partition_of(self, payload):
        event_key = payload[self.start:self.end]
        partition = self.seen.get(event_key)
        if partition is None:
            high = siphash13(self.key, event_key) >> 32
            partition = self.base + (high * self.count >> 32)
            if len(self.seen) < 1 << 20:
                self.seen[event_key] = partition
        return partition


class Batch:
    """The live events of one batch: (partition, source, time_ns, payload, attributes), and their
    offsets."""

    def __init__(self, sources, events, offsets):
        self.sources, self.events, self.offsets = sources, events, offsets

    def numbered(self):
        """(offset, event) in order of arrival."""
        offsets = dict(self.offsets)
        for event in self.events:
            offset = offsets[event[0]]
            offsets[event[0]] = offset + 1
            yield offset, event


class Store:
    """Opening reads and checks everything but the runs of events; walk() checks those."""

    def __init__(self, *folders):
        self.meta, self.folders = find_store(folders)
        self.lanes = []
        self.totals = Counter()
        self.gaps = Counter()  # by reason
        self.port_gaps = Counter()  # frames, by the port that lost them
        self.kinds = Counter()
        self.ledgers = Ledgers()
        self.sessions = None  # of the lane that is being walked
        self.counts = {}   # partition -> [first, last, count] of live events
        try:
            self._open_lanes()
            self.join = Join(self.meta, self.lanes)
        except BaseException:
            self.close()
            raise
        self.stream_of = {partition: stream for stream in self.meta.streams for partition in
                          range(stream.first_partition,
                                stream.first_partition + stream.partition_count)}

    def _open_lanes(self):
        for lane in sorted(self.meta.lanes):
            if lane.path >= len(self.meta.paths):
                raise Damage(self.meta.file, 0, f"lane {lane.number} lies on path {lane.path} of "
                             f"{len(self.meta.paths)}")
            lane_folder = os.path.join(self.folders.get(lane.path, ""), f"lane-{lane.number:05d}")
            if lane.path not in self.folders:
                self.totals["lanes_on_other_paths"] += 1
                continue
            log = LaneLog(self.meta, lane, lane_folder)
            self.lanes.append(log)
            log.scan()
            self.totals.update(log.totals)
            self.kinds.update(log.kinds)

    def close(self):
        for lane in self.lanes:
            lane.close()

    def walk(self, key_checks=None):
        """Every batch of events in every lane: (term of each partition, Batch), checked."""
        for lane in self.lanes:
            self.sessions = Sessions(lane.checkpoints)
            for place in lane.batches:
                yield self._walk_batch(place, key_checks or {})
            self.sessions.finish()
        self.ledgers.finish()
        for lane in self.lanes:
            for epoch, begins in lane.fenced_epochs:
                self.ledgers.fence(lane.lane.number, epoch, begins)

    def _walk_batch(self, place, key_checks):
        path, header = place.segment.path, place.header
        data = place.segment.read(header.position, header.byte_length)
        runs = fmt.Runs(path, header, data)
        self.totals["unknown_run_types"] += runs.unknown_types
        self.totals["further_attributes"] += runs.further_attributes
        for gap in runs.gaps:
            self.totals["gap_runs"] += 1
            self.gaps[gap.reason] += gap.count
            if gap.port is not None:
                self.port_gaps[gap.port] += gap.count
        self.ledgers.take(header.lane, header.epoch, header.event_count, runs.gaps, runs.ledgers)
        events = runs.events
        table = {partition: (first, term, count) for first, term, partition, count
                 in fmt.TABLE_ENTRY.iter_unpack(place.table)}
        counted = Counter([event[0] for event in events])
        if len(table) != header.table_count or \
                counted != {partition: entry[2] for partition, entry in table.items()}:
            raise Damage(path, header.position + header.table_offset, f"batch {header.number}: the "
                         "partition table does not count the runs of the batch")
        for partition in table:
            if partition not in self.stream_of:
                raise Damage(path, header.position, f"batch {header.number}: partition {partition} "
                             "belongs to no stream")
        self.sessions.take(path, header, table, runs.sessions)
        self._check_keys(path, header, events, key_checks)
        offsets = {partition: entry[0] for partition, entry in table.items()}
        voids = self._count(table)
        if voids:
            events = _leave_out(events, voids)
        self.totals["events"] += len(events)
        self.totals["payload_bytes"] += sum([len(event[3]) for event in events])
        terms = {partition: entry[1] for partition, entry in table.items()}
        return terms, Batch(runs.sources, events, offsets)

    def _check_keys(self, path, header, events, key_checks):
        for check_stream, check in key_checks.items():
            for partition, _, _, payload, _ in events:
                if self.stream_of[partition].name == check_stream and \
                        check.partition_of(payload) != partition:
                    raise Damage(path, header.position, f"batch {header.number}: an event of "
                                 f"partition {partition} belongs to {check.partition_of(payload)} "
                                 "by its key")

    def _count(self, table):
        """Add the batch's live events to the counts; returns {partition: live events} where some
        are void, or all have expired with younger ones of another lane."""
        voids = {}
        for partition, (first, term, count) in table.items():
            limit = self.join.void_from(partition, term)
            live = count if limit is None else max(0, min(count, limit - first))
            if live < count:
                voids[partition] = live
                self.totals["void_events"] += count - live
            if live and first < self.join.floor(partition):
                live = voids[partition] = 0  # a floor lies between batches
            if live:
                seen = self.counts.setdefault(partition, [first, first, 0])
                seen[0] = min(seen[0], first)
                seen[1] = max(seen[1], first + live - 1)
                seen[2] += live
        return voids

    def summary(self):
        """Everything counted so far, as plain data for JSON."""
        streams = []
        for stream in self.meta.streams:
            partitions = []
            for index in range(stream.partition_count):
                seen = self.counts.get(stream.first_partition + index)
                if seen:
                    held = self.join.ranges.get(stream.first_partition + index, ())
                    partitions.append({"partition": index, "first": seen[0], "last": seen[1],
                                       "count": seen[2],
                                       "terms": sorted(term.term for term in held)})
            streams.append({"name": stream.name, "partition_count": stream.partition_count,
                            "first_partition": stream.first_partition,
                            "count": sum(entry["count"] for entry in partitions),
                            "partitions": partitions})
        names = ("events", "payload_bytes", "void_events", "segments", "segments_sealed",
                 "unknown_run_types", "further_attributes", "indexes_right",
                 "indexes_ignored", "padding_not_zero", "lanes_on_other_paths",
                 "gap_runs")
        kinds = {name: self.kinds[name] for name in (*fmt.KINDS.values(), "unknown")}
        return {"generation": self.meta.generation, "lanes": len(self.lanes), "streams": streams,
                "gaps": dict(sorted(self.gaps.items())), "ledgers": self.ledgers.summary(),
                "port_gaps": dict(sorted(self.port_gaps.items())),
                "totals": {**{name: self.totals[name] for name in names}, "batches": kinds}}


def _leave_out(events, voids):
    """The events without the void ones, which are the last of their partition in the batch."""
    left, live = dict(voids), []
    for event in events:
        room = left.get(event[0])
        if room is None:
            live.append(event)
        elif room:
            left[event[0]] = room - 1
            live.append(event)
    return live
