# SPDX-License-Identifier: BSD-3-Clause
"""The oracle finds what it is there for."""
import unittest

import oracle


def contents(*payloads, first=0, partition=0):
    made = oracle.Contents()
    made.add(partition, first, payloads)
    return made


class Judge(unittest.TestCase):
    def setUp(self):
        self.sent = oracle.Sent()
        self.sent.add(b"flow", [b"a", b"b", b"c"])

    def judge(self, made, watermark=0, known=None):
        oracle.judge(made, self.sent, {0: watermark}, known)

    def wrong(self, part, *arguments):
        with self.assertRaises(oracle.Wrong) as raised:
            self.judge(*arguments)
        self.assertIn(part, str(raised.exception))

    def test_what_was_sent_and_acknowledged_is_fine(self):
        self.judge(contents(b"a", b"b"), 2, {0: {0: b"a"}})

    def test_events_that_were_not_stored_are_no_loss_without_a_promise(self):
        self.judge(contents(b"a", b"c"), 1)

    def test_a_lost_event_is_found(self):
        self.wrong("1 acknowledged events are lost", contents(b"a", b"b"), 3)

    def test_an_empty_partition_with_a_promise_is_found(self):
        self.wrong("3 acknowledged events are lost", oracle.Contents(), 3)

    def test_a_doubled_event_is_found(self):
        self.wrong("stored twice", contents(b"a", b"a"), 0)

    def test_a_foreign_event_is_found(self):
        self.wrong("never sent", contents(b"x"), 0)

    def test_a_changed_order_is_found(self):
        self.wrong("out of order", contents(b"b", b"a"), 0)

    def test_a_flow_in_two_partitions_is_found(self):
        made = contents(b"a")
        made.add(1, 0, [b"b"])
        self.wrong("is in partitions 0 and 1", made, 0)

    def test_another_event_at_an_acknowledged_offset_is_found(self):
        self.wrong("acknowledged as", contents(b"a", b"c"), 2, {0: {1: b"b"}})

    def test_another_event_behind_the_promise_is_not(self):
        self.judge(contents(b"a", b"c"), 1, {0: {1: b"b"}})


class Reader(unittest.TestCase):
    def test_damage_is_a_verdict(self):
        with self.assertRaises(oracle.Wrong):
            oracle._reader_says(1, b"damage: batch 7\n")

    def test_a_reader_that_breaks_down_is_none(self):
        for status, error in ((1, b"Traceback (most recent call last):"), (2, b"usage"), (-11, b"")):
            with self.assertRaises(oracle.Unusable):
                oracle._reader_says(status, error)

    def test_a_place_without_a_store_is_none(self):
        self.assertFalse(oracle._reader_says(3, b"error: no store"))
        self.assertTrue(oracle._reader_says(0, b""))
