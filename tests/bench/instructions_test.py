# SPDX-License-Identifier: BSD-3-Clause
"""The guard itself: what it accepts and what it refuses."""

import unittest

import instructions


class GuardTest(unittest.TestCase):
    def test_three_percent_either_way_pass_and_more_does_not(self):
        for measured in (97.1, 100.0, 102.9):
            self.assertEqual(instructions.verdict("worker", measured, 100.0), "")
        for measured in (96.9, 103.1):
            self.assertIn(f"'worker {measured} REASON'", instructions.verdict("worker", measured, 100.0))

    def test_the_last_figure_of_a_path_counts(self):
        text = "# comment\nworker 100.0 first\nreceive 50.0 first\nworker 90.0 a shorter loop\n"
        self.assertEqual(instructions.expected(text), {"worker": 90.0, "receive": 50.0})

    def test_a_figure_without_a_reason_is_refused(self):
        for line in ("worker 100.0\n", "worker soon better\n"):
            with self.assertRaises(ValueError):
                instructions.expected(line)


if __name__ == "__main__":
    unittest.main()
