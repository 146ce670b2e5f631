# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of sessions within one lane: they rise, and checkpoints state where they are."""

from typing import NamedTuple

import sluice_batch as fmt
from sluice_meta import Damage


class Checkpoint(NamedTuple):
    """A whole checkpoint or epoch start."""
    file: str
    header: fmt.Header  # of its last batch
    states: list        # of partitions
    sessions: list      # (session, next sequence, last use, partition)


class Sessions:
    """Follows the batches of events of one lane, and its checkpoints, in order of their numbers."""

    def __init__(self, checkpoints):
        self.checkpoints = list(reversed(checkpoints))
        self.terms = {}  # partition -> term in force
        self.next = {}   # partition -> {session: next sequence}

    def take(self, file, header, table, runs):
        """The session runs of a batch of events, in order among its runs."""
        def wrong(session, partition, meaning):
            raise Damage(file, header.position, f"batch {header.number}: session {session:016x} in "
                         f"partition {partition} {meaning}")

        while self.checkpoints and self.checkpoints[-1].header.number < header.number:
            self._take_checkpoint(self.checkpoints.pop())
        risen = {partition for partition, (_, term, _) in table.items()
                 if self._rises(partition, term)}
        for partition, what in runs:
            if partition is None:
                for session, sequence, _, partition in what:
                    if partition not in risen:
                        wrong(session, partition, "is stated where no term begins")
                    self.next[partition][session] = sequence
                continue
            known = self.next.setdefault(partition, {})
            due = known.get(what.session, 0)
            if what.first_sequence < due:
                wrong(what.session, partition, f"goes back to sequence {what.first_sequence}, "
                      f"{due} is due")
            known[what.session] = what.first_sequence + len(what.events)

    def finish(self):
        """The checkpoints behind the last batch of events."""
        while self.checkpoints:
            self._take_checkpoint(self.checkpoints.pop())

    def _rises(self, partition, term):
        """A new term forgets what lower ones said."""
        if self.terms.get(partition) == term:
            return False
        self.terms[partition] = term
        self.next[partition] = {}
        return True

    def _take_checkpoint(self, checkpoint):
        def wrong(session, partition, meaning):
            raise Damage(checkpoint.file, checkpoint.header.position, f"batch "
                         f"{checkpoint.header.number}: session {session:016x} in partition "
                         f"{partition} {meaning}")

        stated = {}
        for _, _, term, partition in checkpoint.states:
            self._rises(partition, term)
            stated[partition] = {}
        for session, sequence, _, partition in checkpoint.sessions:
            if partition not in stated:
                wrong(session, partition, "is stated without its partition")
            known = self.next[partition].get(session, sequence)
            if known != sequence:
                wrong(session, partition, f"is stated to go on with sequence {sequence}, {known} "
                      "is due")
            if session in stated[partition]:
                wrong(session, partition, "is stated twice")
            stated[partition][session] = sequence
        self.next = stated
