# SPDX-License-Identifier: BSD-3-Clause
"""The rows of the battery: what each injects and what must hold. docs/reliability.md is made from
this table and from the figures of a run."""
from dataclasses import dataclass
from typing import Callable

import row_power


@dataclass(frozen=True)
class Row:
    name: str
    fault: str
    shows: str
    not_shown: str
    cycles: int  # of the short form; what a cycle is stands in `shows`
    cycles_long: int
    run: Callable


ROWS = (
    Row("S1", "power cut",
        "An appliance under load lives four times (two `kill -9`, two orderly stops; segments roll and are recycled) on a "
        "recorded disk. A cycle is a cut of that recording: what was flushed is there, of the other writes a seeded subset, "
        "whole or torn at 4 KiB or 512 bytes. ext4 replays its journal, a real appliance starts, stores 40 fresh events and "
        "stops; then the oracle judges, and the epoch must have risen. Every fourth cut is also read before anything repairs "
        "it. *At stake*: writes that no flush had covered.",
        "A drive that lies about flushes, tears below 512 bytes, or spoils blocks that nobody wrote. The loop device tells of a "
        "write cache and no FUA: a durable write is a write and a flush. One lane on one drive.",
        50, 1000, row_power.run_s1),
    Row("S2", "power cut under an appliance that is broken on purpose",
        "The oracle can fail. A third of the cycles each: class `written` taken for durable; batches not flushed "
        "(`flush=skip`); epochs not written (`epoch=skip`). *Lost*: cuts that the oracle found something wrong with; less than "
        "four of five of a third, and the row fails.",
        "A segment's name that is not flushed (`names=skip`): ext4 commits its journal for other reasons before it could matter, "
        "none of the cuts tried lost anything. The simulation (`scripts/test sim`) finds that one.",
        24, 200, row_power.run_s2),
)

NOT_RUN = {
    "S3": "`kill -9`: `tests/e2e/kill_under_load.sh` kills three times; no seeded row.",
    "S4": "A kill in front of a slow disk: the disk of the battery can do it (`delay`), no row does yet.",
    "S5": "EIO on write, flush and read: the disk of the battery can do it (`fail`), no row does yet. `tests/e2e/write_errors.sh` "
          "has one failing write, unit tests more.",
    "S6": "ENOSPC: `tests/e2e/disk_full.sh` fills a small loop file system and frees it; no seeded row.",
    "S7": "A disk that hangs: no row. `write=hang@N` and a second signal are in `tests/e2e/second_signal.sh`.",
    "S8": "Bit flips: unit tests of recovery and of both readers have them, on made images; no row over a real store.",
    "S9": "Stale blocks, holes, double crashes: made images in unit tests, and the recycled segments of S1 and S3.",
    "S10": "A payload that is a perfect batch: made images in unit tests; no producer sends one.",
    "S11": "Short, repeated and reordered completions: `tests/e2e/write_retries.sh` and unit tests.",
    "S12": "Recovery killed at its steps: `--fault die=POINT@N` is there (`dataplane/fault_points.def`), no row uses it yet.",
    "S13": "Failing allocations, opens, fallocates and renames: not run.",
    "S14": "The simulation has a group of its own: `scripts/test sim`.",
}
