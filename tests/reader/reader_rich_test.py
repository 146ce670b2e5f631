# SPDX-License-Identifier: BSD-3-Clause
"""The Python reader on events with attributes and on sessions: what it prints, what it refuses."""

import os

from make_store import TIME_0, new_store
from reader_case import DamageTest, Folder
from store_writer import (CHECKPOINT, EPOCH_START, PUT, REMOVE, RUN_RICH, RUN_SESSIONS, Batch,
                          StoreWriter, rich_data, rich_event, run, session_run, state_run)


class RichTest(Folder):
    def test_what_an_event_has_is_printed_and_nothing_else(self):
        events = self.json(self.image("rich"), "--stream", "plays", "--partition", "1")
        shown = [{k: v for k, v in e.items() if k not in ("partition", "offset", "receive_ns")}
                 for e in events]
        every = {"op": "put", "event_ns": -1, "weight": 7, "key": "key", "value": "value"}
        self.assertEqual(shown, [
            {"value": ""}, {"key": "key", "value": "v"}, {"op": "remove", "key": "key", "value": ""},
            {"weight": 1, "value": "v"}, {"value": "v"}, every, every,
            {"key_base64": "/g==", "value_base64": "/w=="}, every, {"value": "anonymous"}])
        self.assertEqual([e["offset"] for e in events], list(range(10)))
        self.assertEqual([e["receive_ns"] - TIME_0 for e in events][4:],
                         [9, 11, 20, 20, 20, 21])

    def test_attributes_of_later_programs_are_counted(self):
        totals = self.summary(self.image("rich"))["totals"]
        self.assertEqual((totals["further_attributes"], totals["unknown_run_types"]), (3, 0))

    def test_sessions_and_sequences_are_printed(self):
        events = self.json(self.image("sessions"), "--stream", "plays", "--partition", "1")
        self.assertEqual([(e.get("session"), e.get("sequence")) for e in events],
                         [("0123456789abcdef", 0), (None, None), ("0000000000000001", 41),
                          ("0123456789abcdef", 9), ("0000000000000001", 5)])

    def test_a_session_goes_on_where_the_higher_term_says(self):
        events = self.json(self.image("session_terms"), "--stream", "plays", "--partition", "0")
        self.assertEqual([(e["sequence"], e["value"]) for e in events],
                         [(1, "a"), (2, "b again"), (3, "c")])


class WrongRichTest(DamageTest):
    """Runs of events with attributes that are not what the page says."""

    def wrong(self, meaning, data):
        self.folder = os.path.join(self.folder, "x")
        _, lane = self.store()
        batch = Batch()
        batch.runs.append(run(RUN_RICH, data))
        lane.events(batch.event(0, b"third"))
        self.damaged(meaning)

    def test_runs(self):
        self.wrong("it holds no event", rich_data([]))
        self.wrong("unknown flags 0x2", rich_data([rich_event()], flags=2))
        self.wrong("session 0", rich_data([rich_event()], (0, 1)))
        self.wrong("its sequences pass 2.64", rich_data([rich_event()], (1, (1 << 64) - 1)))
        self.wrong("1 bytes behind its last event", rich_data([rich_event(b"v")]) + b"x")
        for cut in range(1, 30):
            self.wrong("goes on behind its end|session 0|holds no event|without a key",
                       rich_data([rich_event(b"v", b"k", PUT, 5, 6)], (1, 1))[:-cut])

    def test_events(self):
        self.wrong("flags 0x80", rich_data([rich_event(flags=0x80)]))
        self.wrong("flags 0x3", rich_data([rich_event(flags=3)]))
        self.wrong("a put without a key", rich_data([rich_event(b"v", operation=PUT)]))
        self.wrong("a remove without a key", rich_data([rich_event(operation=REMOVE)]))
        self.wrong("a remove with a value", rich_data([rich_event(b"v", b"k", REMOVE)]))
        self.wrong("of weight 0", rich_data([rich_event(weight=0)]))

    def test_a_source_must_be_in_the_dictionary(self):
        _, lane = self.store()
        lane.events(Batch().rich(0, [rich_event()], source=1))
        self.damaged("source 1 is not in the dictionary yet")


class WrongSessionTest(DamageTest):
    """Sequences that go back, and states that say something else than the runs."""

    def lane(self):
        self.folder = os.path.join(self.folder, "x")
        _, lane = new_store(self.folder, 2)
        return lane.open_segment().events(Batch().rich(0, [rich_event(), rich_event()],
                                                       session=(7, 1)))

    def checkpoint(self, *sessions, states=((0, 1, 0, 2), (1, 1, 0, 0))):
        lane = self.lane().start()
        lane.write(EPOCH_START, 1, [*(state_run(*s) for s in states), session_run(*sessions)])
        return lane

    def test_a_sequence_that_goes_back(self):
        self.lane().events(Batch().rich(0, [rich_event()], session=(7, 2)))
        self.damaged("session 0000000000000007 in partition 0 goes back to sequence 2, 3 is due")
        self.checkpoint((7, 0, 3, 5)).events(Batch().rich(0, [rich_event()], session=(7, 2)))
        self.damaged("goes back to sequence 2, 3 is due")

    def test_states_that_are_wrong(self):
        self.checkpoint((7, 0, 4, 5))
        self.damaged("is stated to go on with sequence 4, 3 is due")
        self.checkpoint((7, 0, 3, 5), (7, 0, 3, 5))
        self.damaged("is stated twice")
        self.checkpoint((0, 0, 3, 5))
        self.damaged("a session state of session 0")
        self.checkpoint((7, 1, 3, 5), states=((0, 1, 0, 2),))
        self.damaged("leaves out partition 1|is stated without its partition")
        self.lane().write(CHECKPOINT, 1, [run(RUN_SESSIONS, bytes(31))])
        self.damaged("a session state of 31 bytes, not records of 32")

    def test_a_session_that_was_forgotten_may_begin_anew(self):
        self.checkpoint().events(Batch().rich(0, [rich_event()], session=(7, 1)))
        self.assertEqual(self.summary(self.folder)["whole"], True)

    def test_states_among_events_belong_to_a_new_term(self):
        self.lane().events(Batch().sessions((7, 0, 3, 5)).event(0, b"x"))
        self.damaged("is stated where no term begins")

    def test_a_lower_term_says_nothing_of_sequences(self):
        store = StoreWriter(self.folder).storage_class("fast").stream("plays", 1)
        lane = store.lane().start()
        store.place(0, lane)
        lane.open_segment().events(Batch().rich(0, [rich_event()], session=(7, 5)))
        store.place(0, lane, 2, 1)
        lane.start().state_batches(EPOCH_START)
        lane.events(Batch().rich(0, [rich_event()], session=(7, 2)))
        store.write_meta()
        self.assertEqual(self.summary(self.folder)["whole"], True)
