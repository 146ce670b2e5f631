# SPDX-License-Identifier: BSD-3-Clause
"""The Python reader on rot, broken chains and wrong footers: each is found, placed and named."""

import os
import struct

from make_store import new_store, some_events
from reader_case import FOOTER_AT, META_SLOT, SEGMENT_1, DamageTest, read
from store_writer import BLOCK, EPOCH_START, MARK, SEGMENT_BYTES, Batch, with_crc


class RotTest(DamageTest):
    """Bytes that changed on disk."""

    def sealed_store(self):
        store, lane = new_store(self.folder)
        lane.open_segment()
        for i in range(3):
            lane.events(some_events(store, 60, 60 * i))
        lane.seal()
        return lane

    def test_every_byte_of_a_sealed_header_matters(self):
        self.sealed_store()
        for position in range(BLOCK, BLOCK + 128):
            with self.subTest(position):
                self.flip(SEGMENT_1, position)
                self.damaged("damage in a sealed segment: (the header's checksum|.*no batch magic)",
                             position=BLOCK)
                self.flip(SEGMENT_1, position)
        self.assertEqual(read(self.folder, "--check")[0], 0)

    def test_every_part_of_a_sealed_body_matters(self):
        lane = self.sealed_store()
        with open(self.path(), "rb") as file:
            length = struct.unpack_from("<I", file.read(), BLOCK + 64)[0]
        for position in (*range(128, length, 97), length - 1):
            with self.subTest(position):
                self.flip(SEGMENT_1, BLOCK + position)
                self.damaged("batch 2: the body's checksum is wrong", position=BLOCK)
                self.flip(SEGMENT_1, BLOCK + position)
        self.assertGreater(lane.position, BLOCK + length)

    def test_rot_below_the_durable_mark_of_an_open_segment_is_no_torn_tail(self):
        store, lane = new_store(self.folder)
        lane.open_segment()
        for i in range(3):
            lane.events(some_events(store, 60, 60 * i))
        self.flip(SEGMENT_1, BLOCK + 300)
        self.damaged(r"ends with batch 1 \(batch 2: the body's checksum is wrong\), but batches up "
                     "to 3 were durable", position=BLOCK)
        self.flip(SEGMENT_1, 130)
        self.damaged("ends with batch 0 .* up to 3 were durable", position=0)

    def test_rot_above_the_durable_mark_is_a_torn_tail(self):
        _, lane = self.store()
        lane.events(Batch().event(0, b"lost"))
        self.flip(SEGMENT_1, 2 * BLOCK + 150)
        code, out, _ = read(self.folder)
        self.assertEqual((code, out), (0, b"first\nsecond\n"))

    def test_a_spoilt_header_at_the_head_of_a_segment_is_no_torn_tail(self):
        _, lane = self.store()
        lane.open_segment()
        self.flip("lane-00000/0000000000000002.seg", 50)
        self.damaged("the header's checksum is wrong, where the segment begins",
                     "lane-00000/0000000000000002.seg", 0)

    def test_padding_that_is_not_zero_is_counted(self):
        self.sealed_store()
        self.flip(SEGMENT_1, BLOCK - 1)
        self.assertEqual(self.summary(self.folder)["totals"]["padding_not_zero"], 1)

    def test_misdirected_and_exchanged_batches(self):
        lane = self.sealed_store()
        with open(self.path(), "rb") as file:
            whole = file.read()
        self.assertEqual(lane.position % BLOCK, 0)
        self.edit(SEGMENT_1, BLOCK, whole[:BLOCK])
        self.damaged("the batch belongs to lane 0, segment 1, position 0", position=BLOCK)

    def test_a_footer_that_rotted_in_an_old_segment(self):
        folder = self.image("sealed")
        self.folder = folder
        self.flip(SEGMENT_1, FOOTER_AT + 70)
        self.damaged("not sealed, but two later ones exist", position=FOOTER_AT)

    def test_a_segment_that_is_missing(self):
        self.folder = self.image("sealed")
        os.unlink(self.path("lane-00000/0000000000000002.seg"))
        self.damaged(r"ends with batch 5 \(batch 11 stands behind batch 5\), but batches up to 15",
                     "lane-00000/0000000000000003.seg", 0)

    def test_store_meta_without_a_good_slot(self):
        self.store()
        self.flip("store.meta", META_SLOT + 50)
        self.damaged("no slot has a right checksum", "store.meta")

    def test_lane_meta_rotten_or_lost(self):
        self.store()
        self.flip("lane-00000/lane.meta", BLOCK + 30)
        self.damaged("no slot has a right checksum", "lane-00000/lane.meta")
        os.unlink(self.path("lane-00000/lane.meta"))
        self.damaged("the epoch of lane 0 is lost", "lane-00000/lane.meta")

    def test_a_segment_file_that_was_cut(self):
        self.store()
        os.truncate(self.path(), SEGMENT_BYTES - 1)
        self.damaged("is not two or more whole blocks", position=0)


class ChainTest(DamageTest):
    """Batches whose checksums are right, in an order that is not."""

    def break_chain(self, **fields):
        _, lane = self.store()
        lane.events(Batch().event(0, b"third"), **fields)
        lane.write(MARK)

    def test_a_number_that_is_left_out(self):
        self.break_chain(number=9, body_prefix=struct.pack("<QQ", 1, 9), durable_mark=2)
        self.damaged(r"ends with batch 2 \(batch 9 stands behind batch 2\).* 3 were durable",
                     position=2 * BLOCK)

    def test_a_batch_that_follows_another_one(self):
        self.break_chain(prev_body_crc=1)
        self.damaged("batch 3 follows another batch 2", position=2 * BLOCK)

    def test_an_epoch_that_falls(self):
        _, lane = self.store()
        lane.start().state_batches(EPOCH_START)
        lane.epoch = 1
        lane.write(MARK).write(MARK)
        self.damaged("batch 4: the epoch falls from 2 to 1", position=3 * BLOCK)

    def test_an_epoch_that_lane_meta_does_not_know(self):
        self.break_chain(epoch=2, body_prefix=struct.pack("<QQ", 2, 3))
        self.damaged("batch 3 has epoch 2, lane.meta only knows 1", position=2 * BLOCK)

    def test_an_epoch_without_its_start(self):
        _, lane = self.store()
        lane.start().events(Batch().event(0, b"too early"))
        self.damaged("epoch 2 begins without an epoch start", position=2 * BLOCK)

    def test_a_first_batch_that_is_not_the_first(self):
        _, lane = new_store(self.folder)
        lane.batch_number = 4
        lane.open_segment().write(MARK)
        self.damaged(r"ends with batch 0 \(the lane's first batch has number 5\)", position=0)

    def test_a_first_batch_with_one_before_it(self):
        _, lane = new_store(self.folder)
        lane.prev_crc = 77
        lane.open_segment().write(MARK)
        self.damaged(r"ends with batch 0 \(batch 1 states a batch before it\)", position=0)

    def test_a_sealed_segment_behind_a_break(self):
        store, lane = new_store(self.folder)
        lane.open_segment().events(some_events(store, 10)).open_segment().seal()
        self.flip(SEGMENT_1, BLOCK + 200)
        self.damaged(r"the log breaks here \(batch 2: the body's checksum is wrong\), but the "
                     "sealed segment 2 lies behind it", position=BLOCK)

    def test_a_durable_mark_that_is_not_below_its_batch(self):
        self.break_chain(durable_mark=3)
        self.damaged("durable mark 3 is not below its own number", position=2 * BLOCK)

    def test_versions_that_are_not_known(self):
        self.break_chain(version=0, magic=b"SLB0")
        self.unreadable("byte 8192: batch of version 0")
        self.folder = os.path.join(self.folder, "later")
        self.break_chain(version=99)
        self.unreadable("byte 8192: batch of version 99")
        self.folder = os.path.join(self.folder, "footer")
        self.store()[1].seal(version=2)
        self.unreadable("footer of version 2")
        with open(self.path("store.meta"), "rb") as meta:
            meta.seek(META_SLOT)
            slot = meta.read()
        slot = slot[:8] + struct.pack("<II", 99, 0) + slot[16:]
        self.edit("store.meta", META_SLOT, with_crc(slot, 12, 0))
        self.unreadable("store.meta: version 99")
        slot = b"SLCESTM0" + struct.pack("<II", 0, 0) + slot[16:]
        self.edit("store.meta", META_SLOT, with_crc(slot, 12, 0))
        self.unreadable("store.meta: version 0")


class FooterTest(DamageTest):
    """Footers with a right checksum that state something else than their segment holds."""

    def test_each_field_is_held_against_the_segment(self):
        for field, value in (("first_number", 2), ("last_number", 3), ("last_body_crc", 5),
                             ("event_count", 3), ("time_first_ns", 1), ("time_last_ns", 2)):
            with self.subTest(field):
                self.folder = os.path.join(self.folder, field)
                self.store()[1].seal(**{field: value})
                self.damaged(f"the footer's {field} is {value}, the segment's is ",
                             position=FOOTER_AT)

    def test_an_end_behind_or_inside_the_last_batch(self):
        self.store()[1].seal(end_position=3 * BLOCK)
        self.damaged("damage in a sealed segment: there is no batch magic", position=2 * BLOCK)
        self.folder = os.path.join(self.folder, "inside")
        self.store()[1].seal(end_position=BLOCK + 100)
        self.damaged("the footer's end_position is 4196, the segment's is 8192")

    def test_an_epoch_out_of_its_range(self):
        self.store()[1].seal(epoch=2)
        self.damaged("the footer's epoch 2 lies outside 1 to 1")

    def test_an_epoch_above_that_of_the_next_segment(self):
        _, lane = self.store()
        lane.start()
        lane.seal()
        lane.epoch = 1
        lane.open_segment()
        self.damaged("batch 3: epoch 1, but the footer before it has 2",
                     "lane-00000/0000000000000002.seg", 0)

    def test_a_stale_footer_does_not_count(self):
        self.store()[1].seal(segment=7, last_number=99)
        self.assertEqual(self.summary(self.folder)["totals"]["segments_sealed"], 0)

    def test_a_footer_of_the_wrong_size_or_over_nothing(self):
        self.store()[1].seal(footer_bytes=256)
        self.damaged("the footer is not 128 bytes and zeros")
        self.folder = os.path.join(self.folder, "nothing")
        _, lane = new_store(self.folder)
        lane.open_file().seal()
        self.damaged("a segment without a batch is sealed")
