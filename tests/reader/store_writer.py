# SPDX-License-Identifier: BSD-3-Clause
"""Writes stores byte by byte as docs/format.md describes them, right ones and wrong ones.

It shares nothing with the reader next to it but the checksum and the hash. Every field of a batch's
header can be overridden, so that a test can state something wrong under right checksums.
"""

import os
import struct

from sluice_crc import crc32c
from sluice_siphash import siphash13

BLOCK = 4096
SALT = bytes(range(0xA0, 0xB0))
SEGMENT_BYTES = 64 << 10
TIME_0 = 1_790_000_000_000_000_000

EVENTS, CHECKPOINT, EPOCH_START, MARK = 1, 2, 3, 4
RUN_EVENT, RUN_SOURCE, RUN_TIME, RUN_STATE, RUN_RICH, RUN_GAP, RUN_SESSIONS = 1, 2, 3, 4, 5, 6, 7
RUN_LEDGER = 8
APPEND, PUT, REMOVE = 0, 1, 2
LAST, CLEAN_STOP = 1, 2
NOBODY = 0xFFFF


def run(kind, data, delta=0, partition=0, source=0):
    return struct.pack("<IIHH", len(data) | kind << 24, delta, partition, source) + data


def state_run(partition, term, start, next_offset):
    return run(RUN_STATE, struct.pack("<QQIHH", next_offset, start, term, partition, 0))


def session_run(*records):
    """A session state run of (session, partition, next sequence, last use)."""
    return run(RUN_SESSIONS, b"".join([struct.pack("<QQQH6x", session, sequence, last, partition)
                                       for session, partition, sequence, last in records]))


def rich_event(value=b"", key=None, operation=APPEND, event_ns=None, weight=None, further=None,
               long=False, flags=0):
    """One event with attributes; `flags` are set besides those that the others ask for."""
    flags |= operation | (key is not None) << 2 | (event_ns is not None) << 3
    flags |= (weight is not None) << 4 | long << 5 | (further is not None) << 6
    data = struct.pack("<BI" if long else "<BH", flags, len(value))
    data += b"" if key is None else struct.pack("<H", len(key))
    data += b"" if event_ns is None else struct.pack("<q", event_ns)
    data += b"" if weight is None else struct.pack("<I", weight)
    data += b"" if further is None else struct.pack("<H", len(further))
    return data + (key or b"") + (further or b"") + value


def rich_data(events, session=None, flags=0):
    """The data of a run of rich_event()s; session is (session, first sequence)."""
    flags |= session is not None
    return (struct.pack("<HBx", len(events), flags) +
            (b"" if session is None else struct.pack("<QQ", *session)) + b"".join(events))


def gap_data(reason, count=1, stream=NOBODY, unit=0, sources=0, family=0, address=b"",
             times=(TIME_0, TIME_0 + 1), port=0):
    return struct.pack("<QQQHBBBB2x16s24s", count, *times, stream, unit, sources, family, port,
                       address, reason)


def ledger_data(sequence, boot=7, stored=0, ring_full=0, last=False, change=None):
    """A ledger of one exact port that adds up, but for what is changed: {field: by how much}."""
    events = stored + ring_full
    fields = {"frames": events, "datagrams": events, "events": events, "direct_given": 0,
              "enqueued": stored, "enqueued_at_marker": stored, "enqueued_after": stored,
              "dequeued_at_marker": stored, "dequeued": stored, "direct_taken": 0,
              "stored": stored, "open": 0, "in_flight": 0}
    for field, delta in (change or {}).items():
        fields[field] += delta
    drops = [(b"ring_full", 1, 0, ring_full, 0)] if ring_full else []
    return struct.pack("<QQQQHHHHBBHH2x13Q40x", boot, sequence, TIME_0, TIME_0 + sequence, int(last),
                       192, 192, 48, 1, 0, len(drops), 1, *fields.values()) + \
        struct.pack("<64sBB6x13Q16x", b"pcap:/f", 0, 0, events, events, events, *[0] * 10) + \
        b"".join([struct.pack("<24sBB6xQQ", *drop) for drop in drops])


class Batch:
    """The runs of one batch of events under construction."""

    def __init__(self, time_ns=TIME_0):
        self.time_base = self.base = self.last = time_ns
        self.runs, self.partitions = [], []

    def event(self, partition, payload, delta=0, source=0):
        self.runs.append(run(RUN_EVENT, payload, delta, partition, source))
        self.partitions.append(partition)
        self.last = self.base + delta
        return self

    def rich(self, partition, events, delta=0, source=0, session=None):
        self.runs.append(run(RUN_RICH, rich_data(events, session), delta, partition, source))
        self.partitions += [partition] * len(events)
        self.last = self.base + delta
        return self

    def sessions(self, *records):
        self.runs.append(session_run(*records))
        return self

    def source(self, family, address, port):
        self.runs.append(run(RUN_SOURCE, struct.pack("<BxH16s", family, port, address)))
        return self

    def time(self, time_ns):
        self.runs.append(run(RUN_TIME, struct.pack("<Q", time_ns)))
        self.base = time_ns
        return self

    def gap(self, *arguments, **fields):
        self.runs.append(run(RUN_GAP, gap_data(*arguments, **fields)))
        return self

    def unknown(self, kind, data):
        self.runs.append(run(kind, data, 7, 0xFFFF, 0xFFFF))
        return self


class LaneWriter:
    """One lane: appends batches to its open segment and keeps what a checkpoint states."""

    def __init__(self, store, number, class_index, worker, path_index=0):
        self.store, self.number, self.class_index, self.worker = store, number, class_index, worker
        self.path_index = path_index
        self.folder = os.path.join(store.folders[path_index], f"lane-{number:05d}")
        os.makedirs(self.folder)
        self.epoch = self.segment = self.batch_number = self.durable = 0
        self.prev_crc, self.states, self.meta_generation = 0, {}, 0
        self.sessions = {}  # (session, partition) -> (next sequence, last use)
        self.time = TIME_0

    def start(self):
        """A start of the lane: the epoch rises in lane.meta first."""
        self.epoch += 1
        self.meta_generation += 1
        slot = struct.pack("<8sIIQQHH28x", b"SLLANEM1", 1, 0, self.meta_generation, self.epoch,
                           self.number, self.class_index)
        path = os.path.join(self.folder, "lane.meta")
        with open(path, "r+b" if os.path.exists(path) else "w+b") as meta:
            meta.truncate(2 * BLOCK)
            meta.seek(BLOCK * (self.meta_generation % 2))
            meta.write(with_crc(slot, 12, 0))
        return self

    def has(self, partition, term=1, start=0, next_offset=None):
        """The partition lives here, with this term, from now on."""
        self.states[partition] = [term, start, start if next_offset is None else next_offset]
        return self

    def path(self):
        return os.path.join(self.folder, f"{self.segment:016x}.seg")

    def open_file(self):
        """The next segment, without a batch in it."""
        self.segment += 1
        with open(self.path(), "wb") as file:
            file.truncate(self.store.segment_bytes)
        self.position, self.first_number, self.event_count = 0, self.batch_number + 1, 0
        self.segment_time = self.time
        return self

    def open_segment(self, checkpoint_batches=1):
        return self.open_file().state_batches(CHECKPOINT, checkpoint_batches)

    def state_batches(self, kind, count=1, flag_last=True):
        """A checkpoint or epoch start of what the lane holds, spread over `count` batches."""
        records = [state_run(partition, term, start, next_offset)[12:]
                   for partition, (term, start, next_offset) in sorted(self.states.items())]
        share = -(-len(records) // count) if records else 0
        for i in range(count):
            part = records[i * share:(i + 1) * share]
            runs = [run(RUN_STATE, b"".join(part))] if part else []
            if i == count - 1 and self.sessions:
                runs.append(session_run(*[(*key, *state) for key, state in
                                          sorted(self.sessions.items())]))
            self.write(kind, LAST if i == count - 1 and flag_last else 0, runs)
        return self

    def place_in_chain(self):
        """Where the chain stands, for `go_back`."""
        return (self.batch_number, self.prev_crc, self.time, self.durable,
                {partition: list(state) for partition, state in self.states.items()})

    def go_back(self, place):
        """The next batch follows the one that was the last at `place`."""
        self.batch_number, self.prev_crc, self.time, self.durable, states = place
        self.states = {partition: list(state) for partition, state in states.items()}
        return self

    def table(self, batch):
        """The partition table of a batch of events; the partitions' offsets go on."""
        counts = {}
        for partition in batch.partitions:
            counts[partition] = counts.get(partition, 0) + 1
        table = b""
        for partition, count in sorted(counts.items()):
            state = self.states[partition]
            table += struct.pack("<QIHH", state[2], state[0], partition, count)
            state[2] += count
        return table

    def events(self, batch, **fields):
        table = fields.pop("table", None) or self.table(batch)
        self.event_count += len(batch.partitions)
        stated = {"event_count": len(batch.partitions), "time_base_ns": batch.time_base,
                  "time_last_ns": batch.last, **fields}
        return self.write(EVENTS, 0, batch.runs, table, **stated)

    def write(self, kind, flags=0, runs=(), table=b"", body_prefix=None, **fields):
        """One batch of any kind; `fields` override what its header would say."""
        self.batch_number += 1
        body = body_prefix or struct.pack("<QQ", self.epoch, self.batch_number)
        body += b"".join(runs)
        body += bytes(-len(body) % 8)
        time_base_ns = fields.get("time_base_ns", self.time)
        header = {
            "magic": b"SLB1", "version": 1, "header_bytes": 128, "header_crc": 0,
            "body_crc": crc32c(body + table, crc32c(SALT)), "prev_body_crc": self.prev_crc,
            "kind": kind, "flags": flags, "lane": self.number, "segment": self.segment,
            "position": self.position, "epoch": self.epoch, "number": self.batch_number,
            "durable_mark": self.durable, "byte_length": 128 + len(body) + len(table),
            "table_offset": 128 + len(body), "table_count": len(table) // 16,
            "run_count": len(runs), "event_count": 0, "reserved": 0,
            "time_base_ns": time_base_ns, "time_last_ns": time_base_ns}
        assert fields.keys() <= header.keys()
        header.update(fields)
        image = struct.pack("<4sHHIIIBBHQQQQQIIIIIIQQ24x", *header.values())
        image = with_crc(image, 8, crc32c(SALT)) + body + table
        image += bytes(-len(image) % BLOCK)
        with open(self.path(), "r+b") as file:
            file.seek(self.position)
            file.write(image)
        self.position += len(image)
        self.prev_crc, self.time = header["body_crc"], header["time_last_ns"]
        self.durable = self.batch_number
        return self

    def seal(self, **fields):
        """The footer of the open segment; `fields` override what it would say."""
        footer = {
            "magic": b"SLF1", "version": 1, "footer_bytes": 128, "crc": 0,
            "last_body_crc": self.prev_crc, "lane": self.number, "reserved": 0, "reserved1": 0,
            "segment": self.segment, "epoch": self.epoch, "first_number": self.first_number,
            "last_number": self.batch_number, "end_position": self.position,
            "event_count": self.event_count, "time_first_ns": self.segment_time,
            "time_last_ns": self.time}
        assert fields.keys() <= footer.keys()
        footer.update(fields)
        image = struct.pack("<4sHHIIHHIQQQQQQQQ40x", *footer.values())
        with open(self.path(), "r+b") as file:
            file.seek(self.store.segment_bytes - BLOCK)
            file.write(with_crc(image, 8, crc32c(SALT)))
        return self


def with_crc(data, at, crc_before):
    """`data`, whose CRC field at `at` is still zero, with its CRC."""
    return data[:at] + struct.pack("<I", crc32c(data, crc_before)) + data[at + 4:]


class StoreWriter:
    """store.meta, and the lanes it lists."""

    def __init__(self, *folders, segment_bytes=SEGMENT_BYTES):
        self.folders, self.segment_bytes = folders, segment_bytes
        self.recorded = folders  # as store.meta has them; empty: it says nothing of paths
        self.classes, self.streams, self.lanes, self.partitions = [], [], [], []
        self.generation = 0

    def storage_class(self, name, durability=2):
        self.classes.append((name, durability))
        return self

    def stream(self, name, partition_count, port=7001, class_index=0):
        key = bytes((7 * len(self.streams) + i) & 0xFF for i in range(16))
        self.streams.append((name, partition_count, len(self.partitions), class_index, port, key))
        self.partitions += [(0, 0, 0)] * partition_count
        return self

    def lane(self, class_index=0, worker=None, path_index=0):
        """The next lane; by default each has a worker of its own."""
        number = len(self.lanes)
        lane = LaneWriter(self, number, class_index, number if worker is None else worker,
                          path_index)
        self.lanes.append(lane)
        return lane

    def place(self, partition, lane, term=1, start=0):
        """store.meta's word on a partition; the lane is told too."""
        self.partitions[partition] = (start, term, lane.number)
        lane.has(partition, term, start)
        return self

    def partition_for(self, stream_index, key):
        _, count, first, _, _, steering_key = self.streams[stream_index]
        return first + ((siphash13(steering_key, key) >> 32) * count >> 32)

    def write_meta(self, only=None):
        """The next generation, on all paths or on one."""
        self.generation += 1
        for index, folder in enumerate(self.folders):
            if only in (None, index):
                self._write_copy(index, folder)
        return self

    def _write_copy(self, index, folder):
        records = b"".join(
            [struct.pack("<64sB15x", name.encode(), level) for name, level in self.classes] +
            [struct.pack("<64sIHHH6x16s", name.encode(), count, first, class_index, port, key)
             for name, count, first, class_index, port, key in self.streams] +
            [struct.pack("<HHHH8x", lane.number, lane.class_index, lane.worker, lane.path_index)
             for lane in self.lanes] +
            [struct.pack("<QIHH", start, term, lane, 0) for start, term, lane in self.partitions] +
            [struct.pack("<1024s", os.fsencode(path)) for path in self.recorded])
        slot = struct.pack("<8sIIQIIIIII16sQHH52x", b"SLCESTM1", 1, 0, self.generation,
                           128 + len(records), len(self.classes), len(self.streams),
                           len(self.lanes), len(self.partitions), 0, SALT,
                           self.segment_bytes, index, len(self.recorded)) + records
        path = os.path.join(folder, "store.meta")
        with open(path, "r+b" if os.path.exists(path) else "w+b") as meta:
            meta.seek((4 << 20) * (self.generation % 2))
            meta.write(with_crc(slot, 12, 0))
        open(os.path.join(folder, "store.lock"), "wb").close()
