# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the bench's own arithmetic; tests/e2e/bench_toy.sh runs the whole of it."""

import contextlib
import copy
import io
import os
import tempfile
import types
import unittest
import xml.etree.ElementTree

import bench
import kernel_path
import machine
import reading
import report
import rows_recovery
import rows_store
import trial
from appliance import configure
from processes import Failed
from row import Skipped, make_row
from rows import GROUPS, MEASURES, Measure
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


class ReplayTest(unittest.TestCase):
    SENT = {"sent": 990}
    VERIFIED = {"ok": False, "stored": 980, "distinct": 40, "doubled": 940, "reordered": 7, "corrupt": 0}

    def test_frames_that_come_again_are_no_fault(self):
        trial.reconcile(self.SENT, REPORT, self.VERIFIED, replayed=True)

    def test_other_faults_and_wrong_counts_are(self):
        for change, words in (({"corrupt": 1}, "fault: corrupt"), ({"stored": 979}, "979 read back")):
            with self.assertRaisesRegex(trial.NotClosed, words):
                trial.reconcile(self.SENT, REPORT, {**self.VERIFIED, **change}, replayed=True)


class DisturbanceTest(unittest.TestCase):
    def why(self, turn_ns_max=400_000, **figures):
        quiet = {"steal_seconds": 0.0, "busy_seconds": 0.1, "seconds": 10.0}
        return trial.disturbance(types.SimpleNamespace(**{**quiet, **figures}), 2, turn_ns_max)

    def test_a_quiet_trial_is_not_disturbed(self):
        self.assertEqual(self.why(), "")

    def test_steal_other_programs_and_a_gap_of_the_polling_lcore_are_named(self):
        self.assertIn("2.5 % of the CPUs was stolen", self.why(steal_seconds=0.5))
        self.assertIn("other programs", self.why(busy_seconds=1.2))
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


class SinkCountsTest(unittest.TestCase):
    COUNTS = {"received": 90, "written": 90, "dropped": 10, "truncated": 0, "gro": False}

    def test_what_was_dropped_by_the_socket_closes_the_sum(self):
        kernel_path.check_sink(100, self.COUNTS)
        kernel_path.check_sink(100, {**self.COUNTS, "dropped": 2, "gro": True})  # trains

    def test_what_is_in_no_count_is_found(self):
        for change in ({"received": 89}, {"written": 89}, {"truncated": 1}, {"dropped": 9}, {"dropped": 11},
                       {"dropped": 0, "gro": True}):
            with self.assertRaises(Failed):
                kernel_path.check_sink(100, {**self.COUNTS, **change})


class OrderTest(unittest.TestCase):
    """What becomes of rows that are not measured."""

    def run_measures(self, budget, **functions):
        measures = {name: Measure(name, 60, function) for name, function in functions.items()}
        run = types.SimpleNamespace(scale=types.SimpleNamespace(repeats=3), rows=[], parked={}, measured=[], failures=[],
                                    not_run=[], say=lambda _text: None)
        run.document = lambda: copy.deepcopy({key: value for key, value in vars(run).items() if isinstance(value, list)})
        saved = []
        kept, bench.MEASURES = bench.MEASURES, measures
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                bench.measure_all(run, types.SimpleNamespace(names=list(measures), budget=budget), saved.append)
        except bench.Stopped:
            pass
        finally:
            bench.MEASURES = kept
        return saved

    @staticmethod
    def skip(_bench):
        raise Skipped("not installed")

    @staticmethod
    def stop(_bench):
        raise bench.Stopped(2)

    @staticmethod
    def work(_bench):
        return [make_row("a", [1.0], "events/s")]

    def test_figures_are_saved_after_every_row(self):
        saved = self.run_measures(None, a=self.work, b=self.work)
        self.assertEqual([len(document["rows"]) for document in saved], [1, 2])

    def test_a_skipped_row_is_not_run_and_no_failure(self):
        last = self.run_measures(None, a=self.skip)[-1]
        self.assertEqual((last["not_run"], last["failures"]), ([{"row": "a", "why": "not installed"}], []))

    def test_a_row_that_fails_in_whatever_way_does_not_cost_the_others(self):
        last = self.run_measures(None, a=lambda _bench: {}["stages"], b=self.work)[-1]
        self.assertEqual((last["failures"], len(last["rows"])), ([{"row": "a", "why": "KeyError: 'stages'"}], 1))

    def test_what_does_not_fit_into_the_budget_is_named(self):
        last = self.run_measures(0.5, a=self.work)[-1]
        self.assertEqual(last["rows"], [])
        self.assertIn("over budget", last["not_run"][0]["why"])

    def test_what_a_row_will_take_is_learnt_from_those_before(self):
        # the first one takes no time of the minute that was expected
        last = self.run_measures(1.1, a=self.work, b=self.work, c=self.work)[-1]
        self.assertEqual((len(last["rows"]), last["not_run"]), (3, []))

    def test_a_run_that_is_ended_keeps_its_rows_and_names_the_others(self):
        last = self.run_measures(None, a=self.work, b=self.stop, c=self.work)[-1]
        self.assertEqual(len(last["rows"]), 1)
        self.assertEqual([line["row"] for line in last["not_run"]], ["b", "c"])


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
        return {"machine": machine, "rows": self.ROWS, "trial_count": 3, "repeated": 1,
                "toy": False, "disk_bytes_max": 35e9, "failures": [],
                "not_run": [{"row": "ndr_512", "why": "over budget"}]}

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
        self.assertIn("200 MB", lines[2])

    def test_each_row_stands_in_its_section_and_capacities_come_first(self):
        rows = [make_row(name, [1.0], "us") for name in
                ("latency_half_p99_us", "capacity_64_p1024_zipf", "capacity_64", "recovery_ms_20g_p16", "store_write_512k", "cpu_seconds_per_million_baseline_rsyslog_178")]
        part = report.page_part({**self.document(), "rows": rows}, "performance.svg")
        titles = [line for line in part.splitlines() if line.startswith(("### ", "| capa", "| lat", "| rec", "| store", "| cpu"))]
        self.assertEqual([line.split(":")[0].split(" |")[0] for line in titles],
                         ["### Capacity", "| capacity_64", "### Partitions", "| capacity_64_p1024_zipf",
                          "### From receive to durable, 64-byte frames, at parts of the non-drop rate",
                          "| latency_half_p99_us", "### The store", "| recovery_ms_20g_p16", "| store_write_512k", "### What users have today",
                          "| cpu_seconds_per_million_baseline_rsyslog_178"])

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
        self.assertIn("`ndr_512`: over budget", new)
        self.assertIn("At most 35 GB of disk", new)
        self.assertIn("only flushes make writes durable", new)

    def test_a_page_without_the_marks_is_refused(self):
        with self.assertRaises(ValueError):
            report.replace_part("# Title\n", "part")


class RecoveryTest(unittest.TestCase):
    """Of 1000 events of 1400-byte frames, which take 1366 bytes each."""
    SAID = {"recovered_events": 1000}

    def check(self, said=None, **lane):
        rows_recovery.check_recovered(said or self.SAID, {"segment": 7, "position": 1_400_000, **lane}, 1400, 7)

    def test_what_the_segment_holds_was_recovered(self):
        self.check()

    def test_an_appliance_that_went_on_is_not_measured(self):
        with self.assertRaisesRegex(rows_recovery.WentOn, "went on in segment 8"):
            self.check(segment=8)

    def test_more_or_less_than_the_segment_holds_is_found(self):
        for count in (700, 1100):
            with self.assertRaisesRegex(Failed, "ends at 1400000"):
                self.check({"recovered_events": count})


class StoreSizeTest(unittest.TestCase):
    """Recoveries that take as many milliseconds as they are told to."""

    def rows(self, partitions, values, known=None):
        kept = rows_recovery._recoveries, rows_recovery.drop_store
        bench_run = types.SimpleNamespace(
            scale=types.SimpleNamespace(segment_bytes=0, store_sizes=tuple(values)), store_key="of another row",
            value_of=lambda name: (known or {}).get(name))
        rows_recovery._recoveries = lambda _bench, _setup, _size, _name, segments: [
            rows_recovery.Recovery(value, 0.0, 1.0, "") for value in values[segments]]
        rows_recovery.drop_store = lambda _bench: None
        try:
            rows = rows_recovery.by_store_size(bench_run, partitions)
        finally:
            rows_recovery._recoveries, rows_recovery.drop_store = kept
        self.assertIsNone(bench_run.store_key)
        return [(row["name"], row["reference"], row["ratio"]) for row in rows]

    VALUES = {1: [400.0, 500.0, 600.0], 20: [450.0, 550.0, 700.0]}

    def test_larger_stores_are_held_against_the_smallest(self):
        self.assertEqual(self.rows(16, self.VALUES), [("recovery_ms_1g_p16", "", None),
                                                      ("recovery_ms_20g_p16", "recovery_ms_1g_p16", 1.1)])

    def test_more_partitions_are_held_against_fewer(self):
        known = {"recovery_ms_1g_p16": 400.0, "recovery_ms_20g_p16": 440.0}
        self.assertEqual(self.rows(1024, self.VALUES, known), [
            ("recovery_ms_1g_p1024", "recovery_ms_1g_p16", 1.25), ("recovery_ms_20g_p1024", "recovery_ms_20g_p16", 1.25)])

    def test_without_the_others_they_are_held_against_the_smallest_too(self):
        self.assertEqual(self.rows(1024, self.VALUES)[1], ("recovery_ms_20g_p1024", "recovery_ms_1g_p1024", 1.1))


class AddedTest(unittest.TestCase):
    def test_what_durability_adds_is_the_difference_trial_by_trial(self):
        latencies = {"durable": [300.0, 350.0, 400.0], "written": [200.0, 210.0, 220.0]}
        left = {name: list(values) for name, values in latencies.items()}

        def measure(_bench, setup, _load, _what):
            value = left[setup.durability].pop(0)
            return types.SimpleNamespace(disturbed="", report={"stats": {"latency": {"p50_us": value, "p99_us": 2 * value}}})
        kept, rows_store.measure = rows_store.measure, measure
        scale = types.SimpleNamespace(seconds=1, rate=0, trials=3, retention_bytes=0)
        try:
            rows = {row["name"]: row for row in rows_store.durable_added(types.SimpleNamespace(scale=scale))}
        finally:
            rows_store.measure = kept
        added = rows["store_durable_added_p50_us"]
        self.assertEqual((added["value"], added["reference_value"], added["ratio"]), (140.0, 210.0, 0.6667))
        self.assertEqual(rows["store_durable_added_p99_us"]["value"], 280.0)


class WriteNoteTest(unittest.TestCase):
    @staticmethod
    def note(**figures):
        one = {"lost": 5, "sent": 10, "unwritten_segments": 0, "disturbed": ""}
        return rows_store.write_note([types.SimpleNamespace(**{**one, **figures})])

    def test_what_was_the_limit_is_said(self):
        self.assertIn("50 % of the events were refused: the source was not the limit", self.note())
        self.assertIn("nothing was refused: the source was the limit", self.note(lost=0))

    def test_blocks_that_were_not_written_before_are_named(self):
        self.assertIn("3 segments", self.note(unwritten_segments=3))


class SegmentsTest(unittest.TestCase):
    """Files of a store that is read back."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.bench = types.SimpleNamespace(path=lambda name: os.path.join(directory.name, name))
        os.makedirs(self.bench.path("store/lane-0000"))

    def make(self, name, data=b"", length=8192):
        path = self.bench.path(f"store/lane-0000/{name}")
        with open(path, "wb") as file:
            file.write(data)
            file.truncate(length)
        return path

    def test_segments_with_holes_are_not_read_by_dd(self):
        whole = self.make("0000000000000001.seg", bytes([1]) * 8192)
        self.make("0000000000000002.seg", b"", 1 << 20)
        self.make("0000000000000001.idx", bytes([1]) * 8192)
        self.assertEqual(reading.whole_segments(self.bench), [whole])

    def test_a_store_without_any_is_a_failure(self):
        with self.assertRaisesRegex(Failed, "no segment"):
            reading.whole_segments(self.bench)

    def test_a_segment_is_found_by_its_number(self):
        self.make("0000000000000007.seg")
        path = self.make("000000000000001d.seg")
        self.assertEqual(reading.segment_path(self.bench, 29), path)

    def test_what_was_never_written_behind_the_data_is_not_counted(self):
        self.assertEqual(reading.data_bytes(self.make("0000000000000001.seg", bytes([1]) * 8192, 1 << 20)), 8192)
        self.assertEqual(reading.data_bytes(self.make("0000000000000002.seg", bytes([1]) * 8192)), 8192)
        self.assertEqual(reading.data_bytes(self.make("0000000000000003.seg")), 0)


class CpuTest(unittest.TestCase):
    INTERRUPTS = """            CPU0       CPU1
  35:          0          1 PCI-MSIX-0000:00:02.0   0-edge      virtio1-config
  36:          7     429852 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
  41:   90000000          0 PCI-MSIX-0000:00:04.0   1-edge      virtio3-rx
 LOC:          5          6   Local timer interrupts
"""

    def test_interrupts_of_one_drive_are_summed(self):
        self.assertEqual(machine.count_interrupts(self.INTERRUPTS, {"35", "36"}), {0: 7, 1: 429853})

    def test_the_drive_does_not_interrupt_the_appliance(self):
        self.assertEqual(machine.deal_cpus([0, 1], {0: 7, 1: 429853}), (1, 0))
        self.assertEqual(machine.deal_cpus([0, 1], {0: 9, 1: 7}), (0, 1))

    def test_without_interrupts_the_appliance_has_the_last_cpu(self):
        self.assertEqual(machine.deal_cpus([0, 1, 2], {}), (0, 2))
        self.assertEqual(machine.deal_cpus([3], {}), (3, 3))


class NamesTest(unittest.TestCase):
    def test_groups_name_rows_that_exist(self):
        for names in GROUPS.values():
            self.assertLessEqual(set(names), set(MEASURES))


if __name__ == "__main__":
    unittest.main()
