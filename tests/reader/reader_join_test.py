# SPDX-License-Identifier: BSD-3-Clause
"""The Python reader on lanes and meta files that contradict each other: each is named."""

import os
import struct

from make_store import make_overlap, make_overlap_halfborn, new_store, some_events
from reader_case import META_SLOT, DamageTest, read
from sluice_crc import crc32c
from store_writer import BLOCK, EPOCH_START, SALT, TIME_0, Batch, StoreWriter, with_crc


class OverlapTest(DamageTest):
    """Segments that overlap: what a failed write left, and what was written again."""

    def test_what_was_written_again_counts_once(self):
        make_overlap(self.folder)
        self.assertEqual(self.summary(self.folder)["totals"]["events"], 200)

    def test_a_segment_without_its_whole_checkpoint_takes_over_nothing(self):
        make_overlap_halfborn(self.folder)
        self.assertEqual(self.summary(self.folder)["totals"]["events"], 150)

    def test_one_that_follows_another_batch_takes_over_nothing(self):
        store, lane = new_store(self.folder)
        lane.open_segment().events(some_events(store, 50))
        place = lane.place_in_chain()
        lane.events(some_events(store, 50, 50), durable_mark=1)
        lane.go_back(place)
        lane.prev_crc ^= 1
        lane.open_segment()
        self.assertEqual(self.summary(self.folder)["totals"]["events"], 100)


class JoinTest(DamageTest):
    """Lanes that contradict each other or store.meta."""

    def two_lanes(self):
        store = StoreWriter(self.folder).storage_class("fast").stream("plays", 1)
        return store, store.lane().start(), store.lane().start()

    def term_1(self, store, lane, count):
        store.place(0, lane)
        lane.open_segment()
        for i in range(count):
            lane.events(Batch(TIME_0 + i).event(0, b"term 1, %d" % i))

    def test_one_term_in_two_lanes(self):
        store, first, second = self.two_lanes()
        for lane in (first, second):
            self.term_1(store, lane, 3)
        store.place(0, second, 2, 3).write_meta()
        self.damaged("partition 0: term 1 is in the lanes 0 and 1 and holds the same offsets twice",
                     "lane-00001/0000000000000001.seg", BLOCK)

    def test_a_term_in_a_lane_that_store_meta_does_not_say(self):
        store, first, second = self.two_lanes()
        self.term_1(store, first, 1)
        store.place(0, second).write_meta()
        self.damaged("partition 0 has term 1 in lane 0, store.meta has it in lane 1", position=0)

    def test_offsets_missing_between_terms(self):
        for with_events in (True, False):
            with self.subTest(with_events):
                self.folder = os.path.join(self.folder, "x")
                store, first, second = self.two_lanes()
                self.term_1(store, first, 3)
                store.place(0, second, 2, 5).write_meta()
                if with_events:
                    second.open_segment().events(Batch().event(0, b"term 2"))
                self.damaged("partition 0: offsets 3 to 4 are missing between term 1 in lane 0 and "
                             "term 2", position=BLOCK)

    def test_offsets_that_were_jumped_are_not_missing(self):
        store, first, second = self.two_lanes()
        self.term_1(store, first, 3)
        store.place(0, second, 1 << 16, 1 << 48).write_meta()
        second.open_segment().events(Batch().event(0, b"behind the jump"))
        self.assertEqual(read(self.folder, "--check")[0], 0)
        store.place(0, first, (1 << 16) + 1, (1 << 48) + 2).write_meta()
        self.damaged(f"partition 0: offsets {(1 << 48) + 1} to {(1 << 48) + 1} are missing between "
                     "term 65536", "lane-00001/0000000000000001.seg", BLOCK)

    def test_a_term_that_expired_between_two_others(self):
        store, first, second = self.two_lanes()
        self.term_1(store, first, 3)
        store.place(0, first, 3, 5)
        first.start().state_batches(EPOCH_START).events(Batch().event(0, b"term 3"))
        store.write_meta()
        self.assertEqual(read(self.folder, "--check")[0], 0)
        self.assertEqual(read(self.folder, "--stream", "plays")[1], b"term 3\n")
        # A lane that has all of its segments has lost no term.
        second.open_segment()
        self.damaged("partition 0: offsets 3 to 4 are missing between term 1 in lane 0 and term 3",
                     position=BLOCK)

    def test_terms_whose_starts_differ(self):
        store, first, second = self.two_lanes()
        self.term_1(store, first, 3)
        store.place(0, second, 2, 3)
        second.open_segment().events(Batch().event(0, b"term 2"))
        store.partitions[0] = (2, 2, 1)
        store.write_meta()
        self.damaged("partition 0: term 2 starts at 3 in lane 1, elsewhere at 2", "store.meta")

    def test_a_partition_of_no_stream(self):
        store, first, _ = self.two_lanes()
        store.partitions.append((0, 0, 0))
        store.place(1, first).write_meta()
        first.open_segment().events(Batch().event(1, b"whose?"))
        self.damaged("partition 1 belongs to no stream", position=BLOCK)


class MetaTest(DamageTest):
    """store.meta and lane.meta with right checksums and wrong content."""

    def wrong(self, meaning, change):
        self.folder = os.path.join(self.folder, "x")
        store, lane = self.store()
        change(store, lane)
        store.generation = 0
        store.write_meta()
        self.damaged(meaning, "store.meta")

    def test_records_must_fit_each_other(self):
        def stream(**fields):
            names = ("name", "count", "first", "class_index", "port", "key")
            old = dict(zip(names, ("plays", 2, 0, 0, 7001, bytes(16))))
            return tuple({**old, **fields}.values())

        self.wrong("stream plays names class 3", lambda store, _:
                   store.streams.__setitem__(0, stream(class_index=3)))
        self.wrong("stream plays has no partition", lambda store, _:
                   store.streams.__setitem__(0, stream(count=0)))
        self.wrong("stream plays owns partition 2, which does not exist", lambda store, _:
                   store.streams.__setitem__(0, stream(count=3)))
        self.wrong("streams plays and again both own partition 1", lambda store, _:
                   store.streams.append(stream(name="again", first=1, count=1)))
        self.wrong("two streams have the same name", lambda store, _:
                   store.stream("plays", 1))
        self.wrong("a name is empty", lambda store, _:
                   store.streams.__setitem__(0, stream(name="")))
        self.wrong("a name is empty or not zero-terminated", lambda store, _:
                   store.streams.__setitem__(0, stream(name="x" * 64)))
        self.wrong("a class has the unknown durability 7", lambda store, _:
                   store.classes.append(("odd", 7)))
        self.wrong("partition 0 lives in lane 5, which does not exist", lambda store, _:
                   store.partitions.__setitem__(0, (0, 1, 5)))
        self.wrong("lane 0 names class 4, which does not exist", lambda store, lane:
                   setattr(lane, "class_index", 4))
        self.wrong("lane 0 is listed twice", lambda store, lane: store.lanes.append(lane))

    def test_records_must_fill_the_slot(self):
        self.store()
        with open(self.path("store.meta"), "rb") as meta:
            meta.seek(META_SLOT)
            slot = bytearray(meta.read())
        for field, value, meaning in ((40, 3, "longer"), (40, 1, "shorter"), (28, 9, "longer")):
            changed = bytearray(slot)
            struct.pack_into("<I", changed, field, value)
            struct.pack_into("<I", changed, 12, 0)
            self.edit("store.meta", META_SLOT, with_crc(bytes(changed), 12, 0))
            self.damaged(f"the records are {meaning} than byte_length", "store.meta")

    def test_a_lane_meta_of_another_lane(self):
        _, lane = self.store()
        lane.number = 1
        lane.start()
        self.damaged("it belongs to lane 1 of class 0, not to lane 0", "lane-00000/lane.meta")

    def test_a_lane_meta_that_is_none(self):
        self.store()
        self.edit("lane-00000/lane.meta", 0, bytes(2 * BLOCK))
        self.damaged("no slot has the magic SLLANEM1", "lane-00000/lane.meta")

    def test_the_salt_is_part_of_every_checksum(self):
        self.store()
        with open(self.path("store.meta"), "rb") as meta:
            meta.seek(META_SLOT)
            slot = meta.read()
        other = with_crc(slot[:12] + bytes(4) + slot[16:48] + bytes(16) + slot[64:], 12, 0)
        self.edit("store.meta", META_SLOT, other)
        self.assertNotEqual(crc32c(SALT), crc32c(bytes(16)))
        self.damaged("the header's checksum is wrong, where the segment begins", position=0)
