# SPDX-License-Identifier: BSD-3-Clause
"""Figures of several runs as those of one: a whole run takes longer than a machine stays quiet."""

from processes import Failed

SAME = ("cpu", "cpus", "drive", "drive_fua", "drive_write_cache", "kernel")  # or figures do not stand together
LISTS = ("measured", "trials", "references", "runs")


def join(documents):
    """Documents as --json writes them. A row of a later one takes the place of an earlier one's, and every
    row says which run it is of. Raises Failed when they are of different machines."""
    first = documents[0]
    if len(documents) == 1:
        return first
    for other in documents[1:]:
        for name in SAME:
            if other["machine"][name] != first["machine"][name]:
                raise Failed(f"figures of two machines: {name} is {first['machine'][name]!r} in the run of "
                             f"{first['machine']['time']}, {other['machine'][name]!r} in that of {other['machine']['time']}")
    rows = {row["name"]: {**row, "run": document["machine"]["time"]}
            for document in documents for row in document["rows"]}
    measured = {line["name"] for document in documents for line in document["measured"]}
    return {
        "machine": first["machine"], "toy": any(document["toy"] for document in documents), "rows": list(rows.values()),
        "trial_count": sum(document["trial_count"] for document in documents),
        "repeated": sum(document["repeated"] for document in documents),
        "disk_bytes_max": max(document["disk_bytes_max"] for document in documents),
        **{name: [line for document in documents for line in document[name]] for name in LISTS},
        **{name: list({line["row"]: line for document in documents for line in document[name]
                       if line["row"] not in measured}.values()) for name in ("failures", "not_run")},
    }
