#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ledgers: what adds up and what does not, and what the log says to them."""

import json
import os
import unittest

from reader_case import DamageTest, read
from store_writer import EPOCH_START, MARK, RUN_LEDGER, Batch, ledger_data, run


class LedgerTest(DamageTest):
    def ledgers(self):
        path = os.path.join(self.folder, "summary.json")
        code, _, err = read(self.folder, "--check", "--summary", path)
        self.assertEqual(code, 0, err)
        with open(path, encoding="utf-8") as file:
            return json.load(file)["ledgers"]

    def write(self, lane, **fields):
        batch = Batch()
        batch.runs.append(run(RUN_LEDGER, ledger_data(**fields)))
        lane.events(batch)

    def test_a_start_that_ended_in_order_is_exact(self):
        _, lane = self.store()
        self.write(lane, sequence=0)
        self.write(lane, sequence=1, stored=2, last=True)
        lane.write(MARK, 2)
        found = self.ledgers()
        self.assertEqual((found["count"], found["wrong"]), (2, []))
        self.assertEqual([(start["end"], start["events"], start["stored"], start["whole"])
                          for start in found["starts"]], [("clean", 2, 2, True)])

    def test_an_event_that_is_gone_is_found(self):
        _, lane = self.store()
        self.write(lane, sequence=0)
        self.write(lane, sequence=1, stored=3, last=True)
        self.assertEqual(self.ledgers()["wrong"], ["2 events in the log, 3 stored"])

    def test_what_a_crash_leaves_is_no_fault(self):
        _, lane = self.store()
        self.write(lane, sequence=0)
        self.write(lane, sequence=1, stored=1)
        lane.start().state_batches(EPOCH_START)
        self.write(lane, boot=8, sequence=0)
        found = self.ledgers()
        self.assertEqual(found["wrong"], [])
        self.assertEqual([start["end"] for start in found["starts"]],
                         ["without a last ledger"] * 2)

    def test_counters_that_do_not_add_up_are_named(self):
        for field in ("frames", "datagrams", "events", "enqueued", "enqueued_at_marker",
                      "dequeued_at_marker", "dequeued", "direct_given", "open"):
            with self.subTest(field):
                self.setUp()  # a folder of its own
                _, lane = self.store()
                self.write(lane, sequence=0)
                self.write(lane, sequence=1, stored=2, last=True, change={field: 1})
                self.assertNotEqual(self.ledgers()["wrong"], [])

    def test_counters_never_fall(self):
        _, lane = self.store()
        self.write(lane, sequence=0)
        self.write(lane, sequence=2, stored=2)
        self.write(lane, sequence=1, stored=1)
        self.assertIn("lane 0, ledger 1: the sequence does not rise", self.ledgers()["wrong"])
        self.assertIn("lane 0, ledger 1: stored falls", self.ledgers()["wrong"])

    def test_gaps_must_add_up_to_drops(self):
        for gaps, wrong in ((5, []), (4, ["ring_full: 4 in gaps, 0 in none, 5 dropped"])):
            with self.subTest(gaps):
                self.setUp()  # a folder of its own
                _, lane = self.store()
                self.write(lane, sequence=0)
                lane.events(Batch().gap(b"ring_full", gaps, 0))
                self.write(lane, sequence=1, stored=2, ring_full=5, last=True)
                self.assertEqual(self.ledgers()["wrong"], wrong)

    def test_lengths_that_lead_out_of_it_are_damage(self):
        for data, meaning in ((bytes(100), "100 bytes, less than 192"),
                              (ledger_data(sequence=0)[:-1], "lead out of the run"),
                              (ledger_data(sequence=0, boot=0), "no boot")):
            with self.subTest(meaning):
                self.setUp()  # a folder of its own
                _, lane = self.store()
                batch = Batch()
                batch.runs.append(run(RUN_LEDGER, data))
                lane.events(batch)
                self.damaged(meaning)


if __name__ == "__main__":
    unittest.main()
