# SPDX-License-Identifier: BSD-3-Clause
"""What a row counts while it runs."""


class Outcome:
    """Faults injected, what was at stake at them, and how often a promise was broken. A row fails when
    there are problems."""

    def __init__(self):
        self.injected = self.at_stake = self.lost = 0
        self.problems = []
        self.notes = []

    def lose(self, text):
        self.lost += 1
        self.problems.append(text)

    def say(self, text):
        """Worth reading, whatever the verdict."""
        self.notes.append(text)
