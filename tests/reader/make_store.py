#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Small valid stores, one for each thing that docs/format.md allows: input for all readers.

`make_store.py IMAGE FOLDER` writes one image, `make_store.py --list` names them. The images are
the same bytes each time.
"""

import os
import sys

from store_writer import (BLOCK, CHECKPOINT, CLEAN_STOP, EPOCH_START, MARK, NOBODY, PUT, REMOVE,
                          TIME_0, Batch, StoreWriter, rich_event, run, state_run)


def make_paths(folder):
    """A lane on each of two paths; the second copy of store.meta is the newer one."""
    other = os.path.join(folder, "path-1")
    os.mkdir(other)
    store = StoreWriter(folder, other).storage_class("fast").stream("plays", 2)
    for index in range(2):
        lane = store.lane(path_index=index).start()
        store.place(index, lane)
        lane.open_segment()
        batch = Batch(TIME_0)
        for i in range(20):
            batch.event(index, b"path %d event %d" % (index, i))
        lane.events(batch)
    store.write_meta()
    store.write_meta(only=1)


def new_store(folder, partitions=4, durability=2):
    """One class, one stream, one lane which holds all partitions."""
    store = StoreWriter(folder).storage_class("fast", durability).stream("plays", partitions)
    lane = store.lane().start()
    for partition in range(partitions):
        store.place(partition, lane)
    store.write_meta()
    return store, lane


def some_events(store, count, first=0, stream=0):
    """A batch of `count` events, each with its own payload, steered by its first four bytes."""
    batch = Batch(TIME_0 + 1_000_000 * first)
    for i in range(first, first + count):
        payload = b"u%03d plays track %d" % (i * 37 % 1000, i)
        batch.event(store.partition_for(stream, payload[:4]), payload, (i - first) * 1000)
    return batch


def make_empty(folder):
    """A store made and never written to."""
    store = StoreWriter(folder).storage_class("fast").stream("plays", 4)
    store.lane().start()
    store.write_meta()


def make_plain(folder):
    """One lane, one unsealed segment, three batches."""
    store, lane = new_store(folder)
    lane.open_segment()
    for i in range(3):
        lane.events(some_events(store, 50, 50 * i))


def make_sealed(folder):
    """Three segments, two of them sealed, stopped cleanly."""
    store, lane = new_store(folder)
    for i in range(3):
        lane.open_segment()
        for j in range(4):
            lane.events(some_events(store, 100, 400 * i + 100 * j))
        if i < 2:
            lane.seal()
    lane.write(MARK, CLEAN_STOP)


def make_large(folder):
    """Batches of many blocks, payloads from none to 6 KB."""
    store = StoreWriter(folder, segment_bytes=4 << 20).storage_class("fast").stream("plays", 3)
    lane = store.lane().start()
    for partition in range(3):
        store.place(partition, lane)
    store.write_meta()
    lane.open_segment()
    for i in range(4):
        batch = Batch()
        for j in range(150):
            length = i * 1500 + 10 * j
            batch.event(j % 3, bytes((j + k) & 0xFF for k in range(length)), j)
        lane.events(batch)


def make_streams(folder):
    """Two classes, three streams of different sizes, three lanes, one of them without an owner."""
    store = StoreWriter(folder).storage_class("fast").storage_class("cheap", 0)
    store.stream("plays", 5, 7001).stream("skips", 1, 7002).stream("logs", 300, 7003, 1)
    lanes = [store.lane().start(), store.lane().start(), store.lane(1, NOBODY).start()]
    for partition in range(6):
        store.place(partition, lanes[partition % 2])
    for partition in range(6, 306):
        store.place(partition, lanes[2])
    store.write_meta()
    for lane in lanes:
        lane.open_segment(3)
    for i in range(6):
        for lane in lanes[:2]:
            batch = Batch(TIME_0 + i)
            for partition in [p for p in range(lane.number, 6, 2) if (p + i) % 3]:
                batch.event(partition, b"%d of %d" % (i, partition))
            lane.events(batch)
    for i in range(2):
        batch = Batch()
        for partition in range(6, 306):
            batch.event(partition, b"log %d %d" % (partition, i), partition)
        lanes[2].events(batch)
    lanes[2].seal()


def make_sources(folder):
    """Sources of both families, no source, and dictionaries that begin anew in each batch."""
    _, lane = new_store(folder, 2)
    lane.open_segment()
    v4, v6 = bytes((192, 0, 2, 33)) + bytes(12), bytes.fromhex("20010db8000000000000000000000007")
    lane.events(Batch().source(4, v4, 40001).event(0, b"from v4", 1, 1).event(1, b"from nobody", 2)
                .source(6, v6, 65535).event(0, b"from v6", 3, 2).event(0, b"v4 again", 4, 1))
    lane.events(Batch().source(6, v6, 1).event(1, b"first of this batch", 1, 1))


def make_times(folder):
    """Time runs: a batch open for long, and a step of the clock backwards."""
    _, lane = new_store(folder, 1)
    lane.open_segment()
    lane.events(Batch().event(0, b"base", 0).event(0, b"last delta", 0xFFFFFFFF)
                .time(TIME_0 + 5_000_000_000).event(0, b"new base", 17)
                .time(TIME_0 - 3_600_000_000_000).event(0, b"stepped back", 1))
    lane.events(Batch().time(TIME_0 + 1).time(TIME_0 + 2).event(0, b"two bases", 3)
                .time(TIME_0 + 9))


def make_unknown(folder):
    """Run types and batch kinds that version 1 does not know, between those that it does."""
    _, lane = new_store(folder, 2)
    lane.open_segment()
    lane.write(5, 0, [run(9, b"a ledger of later days")])
    lane.events(Batch().unknown(77, b"what").event(0, b"known").unknown(255, b"")
                .event(1, b"known too").unknown(99, bytes(1000)))
    lane.write(200, 255, [b"not even runs"])
    lane.events(Batch().event(1, b"and on"))
    lane.write(MARK)


def make_gaps(folder):
    """Gaps among events and in a batch without events: they take no offset."""
    _, lane = new_store(folder, 2)
    lane.open_segment()
    lane.events(Batch().event(0, b"before").gap(b"ring_full", 3, 0, sources=1, family=4,
                                                address=bytes([198, 18, 0, 1]))
                .event(0, b"behind").gap(b"lane_full", 40, 0, sources=2))
    lane.events(Batch().gap(b"port_missed", 500, unit=1, port=2)
                .gap(b"ring_full", 2, 0, sources=1, family=6, address=bytes(15) + b"\1"))
    lane.events(Batch().event(1, b"and on"))
    lane.write(MARK)


def make_checkpoints(folder):
    """Checkpoints over several batches, idle partitions carried along."""
    store = StoreWriter(folder).storage_class("fast").stream("plays", 1000)
    lane = store.lane().start()
    for partition in range(1000):
        store.place(partition, lane)
    store.write_meta()
    for i in range(4):
        lane.open_segment(i + 1)
        lane.events(some_events(store, 200, 200 * i))
        if i < 3:
            lane.seal()


def make_restarts(folder):
    """Four epochs: restarts within a segment, one of them cut off by a crash in its epoch start."""
    store, lane = new_store(folder)
    lane.open_segment().events(some_events(store, 30))
    lane.start().state_batches(EPOCH_START, 2).events(some_events(store, 30, 30))
    lane.seal()
    lane.open_segment().events(some_events(store, 30, 60))
    lane.start().write(EPOCH_START, 0, [state_run(0, 1, 0, lane.states[0][2])])
    lane.start().state_batches(EPOCH_START, 2).events(some_events(store, 30, 90))


def make_halfborn(folder):
    """A segment whose checkpoint was cut off by a crash, with a batch behind that landed early."""
    store, lane = new_store(folder)
    lane.open_segment().events(some_events(store, 30)).open_file()
    lane.write(CHECKPOINT, 0, [state_run(0, 1, 0, lane.states[0][2])])
    durable = lane.durable
    lane.position += BLOCK
    lane.batch_number += 1
    lane.events(some_events(store, 30, 30), durable_mark=durable)


def make_torn(folder):
    """A torn tail: half a batch, behind it a whole one that landed early, and stale blocks."""
    store, lane = new_store(folder)
    lane.open_segment().events(some_events(store, 200)).events(some_events(store, 200, 200))
    durable, torn_at = lane.durable, lane.position
    lane.events(some_events(store, 200, 400))
    lane.events(some_events(store, 20, 600), durable_mark=durable)
    with open(lane.path(), "r+b") as file:
        file.seek(torn_at + BLOCK)
        file.write(bytes(BLOCK))
        file.seek(0)
        stale = file.read(2 * BLOCK)
        file.seek(lane.position)
        file.write(stale)


def make_expired(folder):
    """Only the later segments are there; one partition has nothing left but its place."""
    store, lane = new_store(folder)
    for i in range(5):
        lane.open_segment(2)
        batch = some_events(store, 300, 300 * i)
        if i > 1:
            batch = Batch(TIME_0 + i)
            for j in range(100):
                batch.event(1 + j % 3, b"late %d %d" % (i, j))
        lane.events(batch)
        if i < 4:
            lane.seal()
    for segment in (1, 2):
        os.unlink(os.path.join(lane.folder, f"{segment:016x}.seg"))


def make_terms(folder):
    """Partitions that moved: lane 0 to 1 and back, with offsets written twice and void."""
    store = StoreWriter(folder).storage_class("fast").stream("plays", 3)
    first, second = store.lane().start(), store.lane().start()
    for partition in range(3):
        store.place(partition, first)
    first.open_segment()
    second.open_segment()
    for i in range(3):
        batch = Batch(TIME_0 + i)
        for j in range(30):
            batch.event(j % 3, b"term 1, %d" % (10 * i + j // 3))
        first.events(batch)
    # Partitions 0 and 1 move; the last 5 offsets of partition 0 and the last 13 of 1 become void.
    store.place(0, second, 2, 25).place(1, second, 2, 17)
    del first.states[0], first.states[1]
    first.start().state_batches(EPOCH_START)
    second.start().state_batches(EPOCH_START)
    batch = Batch(TIME_0 + 10)
    for j in range(40):
        batch.event(j % 2, b"term 2, %d" % j)
    second.events(batch)
    first.events(Batch().event(2, b"stays in lane 0"))
    # Partition 1 comes back below the start of term 2: all that term 2 holds of it is void.
    store.place(1, first, 3, 15)
    del second.states[1]
    first.start().state_batches(EPOCH_START)
    second.start().state_batches(EPOCH_START)
    first.events(Batch().event(1, b"term 3, 15").event(1, b"term 3, 16").event(2, b"still here"))
    second.events(Batch().event(0, b"term 2, last"))
    store.write_meta()


def make_rehomed(folder):
    """A partition moves while both lanes run: the first entry of the new term begins it."""
    store = StoreWriter(folder).storage_class("fast").stream("plays", 2)
    first, second = store.lane().start(), store.lane().start()
    store.place(0, first).place(1, second)
    first.open_segment().events(Batch().event(0, b"here").event(0, b"and here"))
    second.open_segment().events(Batch().event(1, b"there"))
    store.place(0, second, 2, 1)
    del first.states[0]
    second.events(Batch(TIME_0 + 1).event(1, b"there too").event(0, b"moved"))
    second.open_segment().events(Batch(TIME_0 + 2).event(0, b"stays"))
    store.write_meta()


def make_outlived(folder):
    """A lane whose early segments expired although what a partition had before is still there."""
    store = StoreWriter(folder).storage_class("fast").stream("plays", 1)
    first, second = store.lane().start(), store.lane().start()
    store.place(0, first)
    first.open_segment().events(Batch().event(0, b"term 1, 0").event(0, b"term 1, 1")).seal()
    store.place(0, second, 2, 2)
    for i in range(3):
        second.open_segment().events(Batch(TIME_0 + i).event(0, b"term 2, %d" % (2 + i))).seal()
    os.unlink(os.path.join(second.folder, "0000000000000001.seg"))
    store.write_meta()


def make_rich(folder):
    """Events with attributes, each alone and all together, between runs of one anonymous event."""
    _, lane = new_store(folder, 2)
    lane.open_segment()
    every = rich_event(b"value", b"key", PUT, -1, 7, b"of later days", True)
    batch = Batch().event(0, b"anonymous")
    for i, event in enumerate((rich_event(b"value"), rich_event(b""), rich_event(b"", b""),
                               rich_event(b"v", b"key"), rich_event(b"v", b"key", PUT),
                               rich_event(b"", b"key", REMOVE), rich_event(b"v", event_ns=TIME_0),
                               rich_event(b"v", weight=1), rich_event(b"v", weight=0xFFFFFFFF),
                               rich_event(b"v", further=b""), rich_event(b"v", long=True), every)):
        batch.rich(i % 2, [event], i)
    batch.rich(1, [every, rich_event(b"\xff", b"\xfe"), every], 20).event(1, b"anonymous", 21)
    v4 = bytes((192, 0, 2, 33)) + bytes(12)
    batch.source(4, v4, 40001).rich(0, [rich_event(b"from v4"), rich_event(b"", b"k", REMOVE)], 22, 1)
    lane.events(batch)
    lane.events(Batch(TIME_0 + 30).rich(0, [rich_event(b"%d" % i) for i in range(3000)]))


def make_sessions(folder):
    """Sessions in two partitions over sealed segments; one is forgotten, one gave up sequences."""
    _, lane = new_store(folder, 2)
    first, second, most = 0x0123456789ABCDEF, 1, (1 << 64) - 1
    lane.open_segment()
    lane.events(Batch().rich(0, [rich_event(b"0"), rich_event(b"1")], 0, session=(first, 0))
                .rich(1, [rich_event(b"0")], 1, session=(first, 0)).event(1, b"nobody's", 2)
                .rich(1, [rich_event(b"k", b"v", PUT)], 3, session=(second, 41)))
    lane.sessions = {(first, 0): (2, TIME_0), (first, 1): (1, TIME_0 + 1),
                     (second, 1): (42, TIME_0 + 3)}
    lane.seal()
    lane.open_segment(2)
    lane.events(Batch(TIME_0 + 9).rich(0, [rich_event(b"2")], 0, session=(first, 2))
                .rich(1, [rich_event(b"9")], 1, session=(first, 9)))
    lane.sessions = {(first, 0): (3, TIME_0 + 9), (first, 1): (10, TIME_0 + 10)}
    lane.seal()
    lane.open_segment()
    lane.events(Batch(TIME_0 + 20).rich(1, [rich_event(b"5")], 0, session=(second, 5))
                .rich(0, [rich_event(b"last of all")], 1, session=(most, most - 2)))


def make_session_terms(folder):
    """A partition moves with its sessions: at a start, and in the first batch of a term."""
    store = StoreWriter(folder).storage_class("fast").stream("plays", 2)
    first, second = store.lane().start(), store.lane().start()
    store.place(0, first).place(1, second)
    first.open_segment().events(Batch().rich(0, [rich_event(b"a"), rich_event(b"b")], 0,
                                             session=(7, 1)))
    second.open_segment().events(Batch().rich(1, [rich_event(b"x")], 0, session=(7, 1)))
    # The second event is void: the sequence goes on from the higher term, with what is sent again.
    store.place(0, second, 2, 1)
    del first.states[0]
    second.events(Batch(TIME_0 + 1).rich(1, [rich_event(b"y")], 0, session=(7, 2))
                  .sessions((7, 0, 2, TIME_0)).rich(0, [rich_event(b"b again")], 1, session=(7, 2)))
    store.place(0, first, 3, 2)
    del second.states[0]
    first.sessions = {(7, 0): (3, TIME_0 + 2)}
    second.sessions = {(7, 1): (3, TIME_0 + 1)}
    first.start().state_batches(EPOCH_START)
    second.start().state_batches(EPOCH_START)
    first.events(Batch(TIME_0 + 5).rich(0, [rich_event(b"c")], 0, session=(7, 3)))
    store.write_meta()


def written_again(folder, checkpoint_batches, flag_last):
    """After a write that failed: its batch and the next stand in the old segment all the same."""
    store, lane = new_store(folder)
    lane.open_segment().events(some_events(store, 50))
    place = lane.place_in_chain()
    for i in (1, 2):
        lane.events(some_events(store, 50, 50 * i), durable_mark=1)
    lane.go_back(place).open_file().state_batches(CHECKPOINT, checkpoint_batches, flag_last)
    return store, lane


def make_overlap(folder):
    """A segment without a footer whose end was written again to the next one, which goes on."""
    store, lane = written_again(folder, 2, True)
    for i in (1, 2, 3):
        lane.events(some_events(store, 50, 50 * i))


def make_overlap_halfborn(folder):
    """The same, but the next segment never got its whole checkpoint: it takes over nothing."""
    written_again(folder, 2, False)


IMAGES = {name[5:]: make for name, make in sorted(globals().items()) if name.startswith("make_")}


def main(arguments):
    if arguments == ["--list"]:
        for name, make in IMAGES.items():
            print(f"{name}\t{make.__doc__}")
        return 0
    if len(arguments) != 2 or arguments[0] not in IMAGES:
        print("usage: make_store.py --list | IMAGE FOLDER", file=sys.stderr)
        return 2
    name, folder = arguments
    os.makedirs(folder, exist_ok=True)
    IMAGES[name](folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
