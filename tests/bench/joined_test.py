#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of joined.py and of what a page says of several runs."""
import unittest

import report
from joined import join
from processes import Failed
from row import make_row

MACHINE = {"cpu": "A CPU", "cpus": 2, "memory_bytes": 1 << 34, "kernel": "6.1", "drive": "vda",
           "drive_write_cache": "write back", "drive_fua": False, "file_system": "ext4"}


def document(time, rows, not_run=(), failures=(), **machine):
    return {"machine": {**MACHINE, "time": time, **machine}, "toy": False, "trial_count": 3, "repeated": 1,
            "disk_bytes_max": len(rows), "rows": [make_row(name, [value], "us") for name, value in rows],
            "measured": [{"name": name, "seconds": 1} for name, _ in rows],
            "failures": [{"row": name, "why": "broke"} for name in failures],
            "not_run": [{"row": name, "why": "later"} for name in not_run],
            "trials": [{"row": name} for name, _ in rows], "references": [], "runs": []}


class JoinTest(unittest.TestCase):
    def test_one_run_stays_as_it_is(self):
        alone = document("monday", [("a", 1)])
        self.assertIs(join([alone]), alone)

    def test_a_later_row_takes_the_place_of_an_earlier_one(self):
        found = join([document("monday", [("a", 1), ("b", 2)]), document("tuesday", [("c", 4), ("a", 3)])])
        self.assertEqual([(row["name"], row["value"], row["run"]) for row in found["rows"]],
                         [("a", 3, "tuesday"), ("b", 2, "monday"), ("c", 4, "tuesday")])
        self.assertEqual((found["trial_count"], found["repeated"], found["disk_bytes_max"], len(found["trials"])), (6, 2, 2, 4))

    def test_what_one_of_them_has_measured_is_not_missing(self):
        found = join([document("monday", [("a", 1)], not_run=["b", "c"], failures=["d"]),
                      document("tuesday", [("b", 2), ("d", 3)], not_run=["c"])])
        self.assertEqual([line["row"] for line in found["not_run"]], ["c"])
        self.assertEqual(found["failures"], [])

    def test_figures_of_two_machines_are_refused(self):
        with self.assertRaisesRegex(Failed, "cpu is 'A CPU' in the run of monday, 'B' in that of tuesday"):
            join([document("monday", []), document("tuesday", [], cpu="B")])


class PageTest(unittest.TestCase):
    def test_a_page_of_several_runs_says_which_row_is_of_which(self):
        found = join([document("monday", [("a", 1), ("b", 2)]), document("tuesday", [("c", 3), ("b", 4)])])
        part = report.page_part(found, "x.svg")
        self.assertIn("- of monday: `a`\n- of tuesday: `b`, `c`\n", part)

    def test_a_page_of_one_run_does_not(self):
        self.assertNotIn("Runs:", report.page_part(document("monday", [("a", 1)]), "x.svg"))


if __name__ == "__main__":
    unittest.main()
