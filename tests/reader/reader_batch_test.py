# SPDX-License-Identifier: BSD-3-Clause
"""The Python reader on batches with right checksums and wrong content: each is named."""

import os
import os
import struct

from make_store import new_store
from reader_case import DamageTest
from store_writer import (BLOCK, CHECKPOINT, EPOCH_START, EVENTS, MARK, RUN_GAP, RUN_SOURCE,
                          RUN_STATE, RUN_TIME, Batch, StoreWriter, gap_data, run, state_run)


class HeaderTest(DamageTest):
    """Headers with a right checksum whose numbers do not fit each other or the body."""

    def wrong(self, meaning, batch=None, **fields):
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        lane.events(batch or Batch().event(0, b"third"), **fields)
        self.damaged(meaning)

    def test_the_lengths_must_fit(self):
        self.wrong("header_bytes is 256, not 128", header_bytes=256)
        self.wrong("length 143 does not fit the segment", byte_length=143)
        self.wrong("length 60000 does not fit the segment", byte_length=60000)
        self.wrong("partition table at 164, not 8-byte aligned", table_offset=164)
        self.wrong("partition table at 136, not 8-byte aligned behind", table_offset=136)
        self.wrong("the partition table does not end the batch", table_count=2)

    def test_the_body_must_repeat_epoch_and_number(self):
        self.wrong("its body begins with another epoch or number",
                   body_prefix=struct.pack("<QQ", 1, 2))

    def test_the_counts_must_be_those_of_the_runs(self):
        self.wrong("the runs end at 144, the partition table is at 168", run_count=0)
        self.wrong("the runs (go on behind the end of|end at .*, the partition table)", run_count=2)
        self.wrong("the runs (go on behind the end of|end at .*, the partition table)",
                   run_count=5000)
        self.wrong("the table counts 1 events, the header 2", event_count=2)
        self.wrong("1 events, the header says 2", event_count=2,
                   table=struct.pack("<QIHH", 1, 1, 0, 2))

    def test_the_bytes_before_the_table_must_be_zero(self):
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        lane.write(EVENTS, 0, [run(1, b"third"), b"\1" * 7], lane.table(Batch().event(0, b"")),
                   run_count=1, event_count=1)
        self.damaged("the bytes before the partition table are not zero")

    def test_the_time_of_the_last_event_must_be_right(self):
        self.wrong("the last event's time is 17900.*, the header says 5", time_last_ns=5)

    def test_other_kinds_have_no_events(self):
        _, lane = self.store()
        lane.write(MARK, 0, [], struct.pack("<QIHH", 1, 1, 0, 1))
        self.damaged("a batch of kind mark has events or a partition table")


class RunTest(DamageTest):
    """Runs that are not what their type says."""

    def wrong(self, meaning, *runs):
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        batch = Batch()
        batch.runs.extend(runs)
        lane.events(batch.event(0, b"third"))
        self.damaged(meaning)

    def test_sources(self):
        self.wrong("source 1 is not in the dictionary yet", run(1, b"x", source=1))
        self.wrong("a source run of 19 bytes, not 20", run(RUN_SOURCE, bytes(19)))
        self.wrong("a source of the unknown family 5", run(RUN_SOURCE, b"\5" + bytes(19)))

    def test_times(self):
        self.wrong("a time run of 7 bytes, not 8", run(RUN_TIME, bytes(7)))

    def test_gaps(self):
        wrong = "a gap whose fields contradict each other"
        self.wrong("a gap of 71 bytes, less than 72", run(RUN_GAP, gap_data(b"ring_full")[:71]))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"ring_full", 0)))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"ring_full", times=(2, 1))))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"ring_full", unit=2)))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"ring_full", sources=1)))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"ring_full", family=4)))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"Ring full")))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"")))
        self.wrong(wrong, run(RUN_GAP, gap_data(b"a" * 24)))

    def test_states(self):
        self.wrong("a partition state in a batch of events", state_run(0, 1, 0, 1))
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        lane.write(CHECKPOINT, 1, [run(RUN_STATE, bytes(25))])
        self.damaged("a partition state of 25 bytes, not records of 24")


class TableTest(DamageTest):
    """Partition tables that do not fit the runs, or the batches before."""

    def wrong(self, meaning, *entries, **fields):
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        table = b"".join(struct.pack("<QIHH", *entry) for entry in entries)
        lane.events(Batch().event(0, b"a").event(0, b"b").event(1, b"c"), table=table, **fields)
        self.damaged(meaning)

    def test_entries_must_count_the_runs(self):
        self.wrong("does not count the runs", (1, 1, 0, 1), (1, 1, 1, 2))
        self.wrong("does not count the runs", (1, 1, 0, 3))
        self.wrong("does not count the runs", (1, 1, 0, 1), (2, 1, 0, 1), (1, 1, 1, 1))
        self.wrong("names partition 1 without an event", (1, 1, 0, 3), (1, 1, 1, 0))

    def test_offsets_must_go_on(self):
        self.wrong("partition 0: its events begin at offset 2, the ones before end at 1",
                   (2, 1, 0, 2), (1, 1, 1, 1))
        self.wrong("partition 1: its events begin at offset 0, the ones before end at 1",
                   (1, 1, 0, 2), (0, 1, 1, 1))

    def test_terms_and_partitions_must_be_known(self):
        self.wrong("events without a term|term 0 after term 1", (1, 0, 0, 2), (1, 1, 1, 1))
        self.wrong("partition 0 has term 2, store.meta only knows 1", (1, 2, 0, 2), (1, 1, 1, 1))
        self.wrong("partition 2 does not exist in store.meta", (1, 1, 0, 2), (1, 1, 2, 1))


class CheckpointTest(DamageTest):
    """Checkpoints and epoch starts that state something else than the batches before them."""

    def wrong(self, meaning, *states, kind=EPOCH_START, restart=True):
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        if restart:
            lane.start()
        lane.write(kind, 1, [state_run(*state) for state in states])
        self.damaged(meaning, position=2 * BLOCK)

    def test_offsets_and_terms_must_be_those_assigned(self):
        self.wrong("next offset 2 is stated, but the batches before assign offsets up to 1",
                   (0, 1, 0, 2), (1, 1, 0, 1))
        self.wrong("next offset 0 is stated, but the batches before assign", (0, 1, 0, 0))
        self.wrong("term 1 starts at 1, but before it was 0", (0, 1, 1, 1), (1, 1, 0, 1))
        self.wrong("next offset 3 lies below the start 4 of term 1", (0, 1, 4, 3))
        self.wrong("partition 0: it is stated twice", (0, 1, 0, 1), (0, 1, 0, 1))
        self.wrong("leaves out partition 1, which lives in lane 0", (0, 1, 0, 1))
        self.wrong("checkpoint leaves out partition 0", kind=CHECKPOINT, restart=False)
        self.wrong("partition 9 does not exist", (9, 1, 0, 0))
        self.wrong("partition 0 has term 2, store.meta only knows 1", (0, 2, 1, 1))

    def test_a_first_checkpoint_can_only_state_starts(self):
        _, lane = new_store(self.folder, 1)
        lane.has(0, 1, 0, 5).open_segment()
        self.damaged("next offset 5 is stated, but no batch of this lane holds events of term 1",
                     position=0)

    def test_a_term_cannot_go_back(self):
        store, lane = new_store(self.folder, 1)
        store.place(0, lane, 2, 4).write_meta()
        lane.open_segment().events(Batch().event(0, b"term 2"))
        lane.has(0, 1, 0, 5).start().state_batches(EPOCH_START)
        self.damaged("term 1 is stated, but the lane has term 2", position=2 * BLOCK)

    def test_a_term_that_left_cannot_come_back(self):
        for by_table in (True, False):
            with self.subTest(by_table):
                self.folder = os.path.join(self.folder, "x")
                store = StoreWriter(self.folder).storage_class("fast").stream("plays", 1)
                lane, other = store.lane().start(), store.lane().start()
                store.place(0, lane)
                lane.open_segment().events(Batch().event(0, b"term 1"))
                state = lane.states.pop(0)
                lane.start().state_batches(EPOCH_START)
                lane.states[0] = state
                if by_table:
                    lane.events(Batch().event(0, b"back"))
                else:
                    lane.start().state_batches(EPOCH_START)
                store.place(0, other, 2, 1).write_meta()
                self.damaged("it is back with term 1, which it had when it left",
                             position=3 * BLOCK)

    def test_a_table_cannot_go_back_to_a_lower_term(self):
        store, lane = new_store(self.folder, 1)
        store.place(0, lane, 2, 4).write_meta()
        lane.open_segment().events(Batch().event(0, b"term 2"))
        lane.events(Batch().event(0, b"term 1"), table=struct.pack("<QIHH", 5, 1, 0, 1))
        self.damaged("partition 0: term 1 after term 2", position=2 * BLOCK)

    def test_a_new_term_in_a_table_begins_where_it_was_said_to(self):
        store = StoreWriter(self.folder).storage_class("fast").stream("plays", 1)
        lane, other = store.lane().start(), store.lane().start()
        store.place(0, lane)
        lane.open_segment().events(Batch().event(0, b"term 1"))
        del lane.states[0]
        lane.start().state_batches(EPOCH_START).has(0, 2, 1)
        lane.events(Batch().event(0, b"term 2"))
        store.place(0, lane, 2, 2).write_meta()
        other.open_segment()
        self.damaged("partition 0: term 2 starts at 1 in lane 0, elsewhere at 2", "store.meta")

    def test_a_segment_without_a_checkpoint(self):
        _, lane = new_store(self.folder)
        lane.open_file().events(Batch().event(0, b"x"))
        self.damaged("the segment does not open with a checkpoint", position=0)

    def test_a_checkpoint_that_is_never_whole(self):
        _, lane = new_store(self.folder)
        lane.open_file().state_batches(CHECKPOINT, 2, flag_last=False)
        lane.events(Batch().event(0, b"x"))
        self.damaged("it stands inside a checkpoint that is not whole", position=2 * BLOCK)

    def test_a_checkpoint_that_a_restart_follows(self):
        _, lane = new_store(self.folder)
        lane.open_file().state_batches(CHECKPOINT, flag_last=False)
        lane.start().state_batches(EPOCH_START)
        self.damaged("it stands inside a checkpoint that is not whole", position=BLOCK)
