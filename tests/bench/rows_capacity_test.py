# SPDX-License-Identifier: BSD-3-Clause
"""Rows of how much: the search for the rate without loss, and stores that alternate."""
import os
import tempfile
import types
import unittest

import rows_capacity
import trial
from appliance import GIB, Setup
from load import Load


class ParkedStoreTest(unittest.TestCase):
    """Stores of trials that alternate are filled once each."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.filled = []
        self.bench = types.SimpleNamespace(
            store_key=None, parked={}, path=lambda name: os.path.join(self.folder.name, name), say=lambda _text: None,
            note_disk=lambda: None, note_written=lambda _rate: None)
        kept = trial._fill
        self.addCleanup(lambda: setattr(trial, "_fill", kept))
        trial._fill = self.fill

    def fill(self, _bench, setup, _seconds):
        self.filled.append(setup.partitions)
        os.makedirs(self.bench.path("store"), exist_ok=True)
        with open(self.bench.path("store/partitions"), "w", encoding="ascii") as file:
            file.write(str(setup.partitions))
        return {"stats": {"lanes": [{"segments_recycled": 1, "segments_expired": 0}], "totals": {"written_bytes": 1}}}

    def expect_store(self, partitions):
        with open(self.bench.path("store/partitions"), encoding="ascii") as file:
            self.assertEqual(file.read(), str(partitions))

    def test_each_is_filled_once_and_nothing_stays_aside(self):
        few, many = Setup(16, GIB), Setup(1024, GIB)
        for _ in range(3):
            for setup, other in ((many, few), (few, many)):
                trial.prepare_store(self.bench, setup, beside=other)
                self.expect_store(setup.partitions)
        self.assertEqual(self.filled, [1024, 16])
        trial.drop_parked(self.bench)
        self.assertEqual(os.listdir(self.folder.name), ["store"])
        self.expect_store(16)

    def test_a_store_of_another_row_is_not_kept(self):
        trial.prepare_store(self.bench, Setup(7, GIB))
        trial.prepare_store(self.bench, Setup(1024, GIB), beside=Setup(16, GIB))
        self.assertEqual(os.listdir(self.folder.name), ["store"])
        self.assertEqual(self.bench.parked, {})


class NonDropTest(unittest.TestCase):
    """A machine that stores what is offered up to a limit, and loses the rest."""

    def rows(self, limit, lost_beyond=0.005, waits=False, disturbed=0, flat_out=lambda _count: 1000):
        """disturbed: so many tries, the first ones, lose what is lost beyond the limit. flat_out: what the
        machine takes, by how often it was asked. Returns the rows and the rates tried."""
        scale = types.SimpleNamespace(ndr_tries=3, ndr_steps=6, loss_steps=4, repeats=2, reference_seconds=5)
        machine = types.SimpleNamespace(scale=scale, say=lambda _text: None, note_trial=lambda *_: None, repeated=0)
        tried, asked = [], []

        def attempt(_bench, _setup, load, lost_share_max=None):
            if load.rate == 0:
                asked.append(load.seconds)
                return types.SimpleNamespace(rate=flat_out(len(asked)))
            tried.append(load.rate)
            why = "stolen" if len(tried) <= disturbed else ""
            lost = lost_beyond * load.rate if load.rate > limit or why else 0
            if lost > lost_share_max * load.rate:
                return trial.TooLossy(load.rate, lost, why)
            # a generator that must wait for room is slower than it should be
            rate = 980 if waits and load.rate > 980 else load.rate
            return types.SimpleNamespace(lost=lost, sent=load.rate, rate=rate, disturbed=why)
        kept = rows_capacity.attempt, rows_capacity.make_setup, rows_capacity.make_load
        rows_capacity.attempt = attempt
        rows_capacity.make_setup = lambda *_: None
        rows_capacity.make_load = lambda _bench, _setup, _size, **more: Load(**more)
        try:
            return rows_capacity.non_drop_rate(machine, "64", 64), tried
        finally:
            rows_capacity.attempt, rows_capacity.make_setup, rows_capacity.make_load = kept

    def test_the_highest_rate_without_loss_is_found(self):
        (ndr, _loss), _ = self.rows(700)
        self.assertEqual((ndr["name"], ndr["reference_value"]), ("ndr_64", 1000.0))
        self.assertTrue(684 <= ndr["value"] <= 700)

    def test_the_rate_at_one_in_a_thousand_is_above_it(self):
        (ndr, loss), _ = self.rows(700, lost_beyond=0.0009)
        self.assertEqual(loss["name"], "loss_0.1_percent_64")
        self.assertEqual(loss["value"], 1000)
        self.assertLessEqual(ndr["value"], 700)

    def test_a_search_that_found_nothing_says_so(self):
        (ndr, _loss), _ = self.rows(0)
        self.assertEqual((ndr["value"], ndr["note"]), (0, "no rate that was tried was stored whole"))

    def test_a_generator_that_had_to_wait_is_no_proof(self):
        (ndr, _loss), _ = self.rows(2000, waits=True)
        self.assertLessEqual(ndr["value"], 980)

    def test_a_rate_is_held_against_what_the_machine_took_around_it(self):
        (ndr, _loss), tried = self.rows(2000, flat_out=lambda count: 1000 if count == 1 else 600)
        self.assertEqual(tried[0], 1000)
        self.assertEqual((ndr["value"], ndr["reference_value"], ndr["ratio"]), (1000, 800, 1.25))

    def test_where_nothing_was_lost_no_rate_that_loses_is_looked_for(self):
        (ndr, loss), tried = self.rows(2000, waits=True)
        self.assertEqual(loss["value"], ndr["value"])
        self.assertEqual(tried.count(1000), 3)

    def test_only_a_try_that_loses_little_is_repeated(self):
        self.assertEqual(self.rows(700, lost_beyond=0.5)[1].count(1000), 2)  # once for each of both searches
        self.assertEqual(self.rows(700, lost_beyond=0.005)[1].count(1000), 6)

    def test_a_try_that_was_disturbed_is_repeated_beside_the_others(self):
        for lost in (0.005, 0.5):
            (ndr, _loss), tried = self.rows(1000, lost_beyond=lost, disturbed=4)
            self.assertEqual((ndr["value"], tried[:5]), (1000, [1000] * 5))
        (ndr, _loss), tried = self.rows(1000, disturbed=5)  # as often as a step may
        self.assertLess(ndr["value"], 1000)
        self.assertEqual(tried[:6], [1000] * 5 + [500])


if __name__ == "__main__":
    unittest.main()
