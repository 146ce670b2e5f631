# SPDX-License-Identifier: BSD-3-Clause
"""A row of the result, and what keeps one from being measured."""

import statistics


class Skipped(Exception):
    """A row that cannot be measured here, and is no failure; the text says why."""


def make_row(name, values, unit, reference="", reference_values=(), note=""):
    """The median, and how far the values lie apart, in parts of it."""
    value = statistics.median(values)
    spread = (max(values) - min(values)) / value if value else 0.0
    reference_value = statistics.median(reference_values) if reference_values else None
    return {
        "name": name, "value": value, "unit": unit, "spread": round(spread, 4),
        "reference": reference, "reference_value": reference_value,
        "ratio": round(value / reference_value, 4) if reference_value else None, "note": note,
    }


def join_notes(notes):
    return "; ".join(sorted({note for note in notes if note}))
