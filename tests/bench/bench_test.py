# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the bench's own arithmetic; tests/e2e/bench_toy.sh runs the whole of it."""

import copy
import types
import unittest
import xml.etree.ElementTree

import report
import trial
from appliance import configure
from processes import Failed
from rows import GROUPS, MEASURES, make_row
from search import highest_passing

SENT = {"sent": 1000, "undelivered": 10}
REPORT = {
    "ledger": {"ok": True, "identities": [{"name": "rings", "ok": True}]},
    "drops": {"dropped_frames": 3, "dropped_events": 7, "reasons": []},
    "stats": {"totals": {"frames": 990, "stored": 980}},
}
VERIFIED = {"ok": True, "distinct": 980}


class ReconcileTest(unittest.TestCase):
    def assert_refused(self, change, words):
        papers = copy.deepcopy((SENT, REPORT, VERIFIED))
        change(*papers)
        with self.assertRaisesRegex(trial.NotClosed, words):
            trial.reconcile(*papers)

    def test_a_closed_ledger_is_accepted(self):
        trial.reconcile(SENT, REPORT, VERIFIED)

    def test_an_event_that_is_in_no_counter_is_found(self):
        self.assert_refused(lambda sent, _report, _verified: sent.update(sent=1001), "1001 sent, 990 received")

    def test_an_event_that_was_counted_as_stored_and_is_not_there_is_found(self):
        self.assert_refused(lambda _sent, _report, verified: verified.update(distinct=979),
                            "979 read back, 980 counted as stored")

    def test_a_drop_that_was_not_counted_is_found(self):
        self.assert_refused(lambda _sent, doc, _verified: doc["drops"].update(dropped_events=6), "9 dropped")

    def test_the_appliances_own_verdict_counts(self):
        def spoil(_sent, doc, _verified):
            doc["ledger"]["ok"] = doc["ledger"]["identities"][0]["ok"] = False
        self.assert_refused(spoil, "own ledger: rings")

    def test_the_verifiers_verdict_counts(self):
        self.assert_refused(lambda _sent, _report, verified: verified.update(ok=False), "verify found a fault")


class DisturbanceTest(unittest.TestCase):
    def why(self, **figures):
        quiet = {"steal_seconds": 0.0, "others_seconds": 0.1, "turn_ns_max": 400_000}
        return trial.disturbance(types.SimpleNamespace(**{**quiet, **figures}), 2, 10.0)

    def test_a_quiet_trial_is_not_disturbed(self):
        self.assertEqual(self.why(), "")

    def test_steal_other_programs_and_a_gap_of_the_polling_lcore_are_named(self):
        self.assertIn("2.5 % of the CPUs was stolen", self.why(steal_seconds=0.5))
        self.assertIn("other programs", self.why(others_seconds=1.2))
        self.assertIn("away for 5.0 ms", self.why(turn_ns_max=5_000_000))


class FlushTest(unittest.TestCase):
    DRIVE = types.SimpleNamespace(name="vda", must_flush=lambda: True)

    def test_too_few_flushes_make_durable_a_lie(self):
        with self.assertRaisesRegex(trial.NotClosed, "801 batches .* 100 flushes of vda"):
            trial.check_flushes(types.SimpleNamespace(batches=801, flushes=100), self.DRIVE, 8)
        trial.check_flushes(types.SimpleNamespace(batches=800, flushes=100), self.DRIVE, 8)

    def test_a_drive_with_fua_needs_none(self):
        drive = types.SimpleNamespace(name="nvme0n1", must_flush=lambda: False)
        trial.check_flushes(types.SimpleNamespace(batches=800, flushes=0), drive, 8)


class SearchTest(unittest.TestCase):
    def test_the_highest_passing_rate_is_found_within_the_steps(self):
        tried = []
        found = highest_passing(0, 1024, lambda rate: tried.append(rate) or rate <= 700, 6)
        self.assertTrue(700 - 1024 / 2 ** 6 < found <= 700)
        self.assertEqual(len(tried), 7)

    def test_nothing_above_what_passes_at_once_is_tried(self):
        self.assertEqual(highest_passing(0, 1024, lambda _rate: True, 6), 1024)

    def test_the_lower_end_is_the_answer_when_nothing_passes(self):
        self.assertEqual(highest_passing(5, 1024, lambda _rate: False, 3), 5)


class ConfigureTest(unittest.TestCase):
    def test_a_value_is_replaced_also_in_a_list(self):
        text = configure("ports:\n  - device: a # port\n    queues: 1\n", (("device", "b"), ("queues", 2)))
        self.assertEqual(text, "ports:\n  - device: b\n    queues: 2\n")

    def test_a_key_that_is_absent_or_there_twice_is_refused(self):
        for text in ("x: 1\n", "queues: 1\nqueues: 2\n"):
            with self.assertRaises(Failed):
                configure(text, (("queues", 3),))


class ReportTest(unittest.TestCase):
    ROWS = [make_row("capacity_64", [10e6, 11e6, 9e6], "events/s", "testpmd", [20e6], "a <note>"),
            make_row("memory_64", [200e6], "bytes")]

    def document(self):
        machine = {"cpu": "A CPU", "cpus": 2, "memory_bytes": 1 << 34, "kernel": "6.1", "drive": "vda",
                   "drive_write_cache": "write back", "drive_fua": False, "file_system": "ext4",
                   "time": "2000-01-01T00:00:00Z"}
        return {"machine": machine, "rows": self.ROWS, "trial_count": 3, "repeated": 1}

    def test_a_row_has_the_median_the_spread_and_the_ratio(self):
        row = self.ROWS[0]
        self.assertEqual((row["value"], row["spread"], row["reference_value"], row["ratio"]), (10e6, 0.2, 20e6, 0.5))

    def test_a_row_without_a_reference_has_no_ratio(self):
        self.assertIsNone(self.ROWS[1]["ratio"])
        self.assertIsNone(self.ROWS[1]["reference_value"])

    def test_the_table_says_values_with_units(self):
        lines = report.table(self.ROWS).splitlines()
        self.assertIn("10 M events/s", lines[1])
        self.assertIn("testpmd: 20 M events/s", lines[1])
        self.assertIn("200 Mbytes", lines[2])

    def test_the_picture_is_xml_with_a_bar_and_a_mark_a_rate(self):
        tree = xml.etree.ElementTree.fromstring(report.picture(self.ROWS))
        names = [element.tag.rpartition("}")[2] for element in tree]
        self.assertEqual((names.count("rect"), names.count("line")), (2, 1))

    def test_a_page_keeps_what_was_written_by_hand(self):
        page = f"# Title\n{report.BEGIN}\nold\n{report.END}\nExperiments\n"
        new = report.replace_part(page, report.page_part(self.document(), "performance.svg"))
        self.assertTrue(new.startswith("# Title\n") and new.endswith(f"{report.END}\nExperiments\n"))
        self.assertNotIn("\nold\n", new)
        self.assertIn("`capacity_64`: a <note>", new)
        self.assertIn("only flushes make writes durable", new)

    def test_a_page_without_the_marks_is_refused(self):
        with self.assertRaises(ValueError):
            report.replace_part("# Title\n", "part")


class NamesTest(unittest.TestCase):
    def test_groups_name_rows_that_exist(self):
        for names in GROUPS.values():
            self.assertLessEqual(set(names), set(MEASURES))


if __name__ == "__main__":
    unittest.main()
