# SPDX-License-Identifier: BSD-3-Clause
"""docs/reliability.md tells of the rows that there are, and of no others."""
import re
import unittest
from pathlib import Path

import page
from rows import ROWS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
RESULT = {"row": "S1", "seed": 7, "cycles": 50, "injected": 49, "at_stake": 120, "lost": 0, "seconds": 1.5}


class Page(unittest.TestCase):
    def setUp(self):
        self.text = DOCUMENT.read_text()
        self.made = self.text.partition(page.BEGIN)[2].partition(page.END)[0]

    def test_every_row_of_the_plan_is_run(self):
        names = [row.name for row in ROWS]
        self.assertEqual(sorted(names, key=lambda name: int(name[1:])),
                         [f"S{number}" for number in range(1, 16)])

    def test_the_page_has_the_rows_of_the_battery(self):
        told = re.findall(r"^\| (S\d+) \|", self.made, re.M)
        self.assertEqual(told, [row.name for row in ROWS])

    def test_the_page_says_what_the_rows_say(self):
        for row in ROWS:
            self.assertIn(f"**{row.name}, {row.fault}.** {row.shows}", self.made)
            self.assertIn(f"Not shown: {row.not_shown}", self.made)

    def test_figures_come_from_the_results(self):
        made = page.replace(self.text, [RESULT])
        self.assertIn("| S1 | power cut | 50 | 49 | 120 | 0 | 7 | 1.5 |", made)
        self.assertIn("| not run |", made)

    def test_a_page_without_marks_is_refused(self):
        with self.assertRaises(SystemExit):
            page.replace("nothing", [RESULT])
