# SPDX-License-Identifier: BSD-3-Clause
"""The rows of the battery: what each injects and what must hold. docs/reliability.md is made from
this table and from the figures of a run."""
from dataclasses import dataclass
from typing import Callable

import row_disk
import row_kill
import row_power
import row_sim


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
    Row("S3", "`kill -9` at random and at named points",
        "One store lives through all kills, under load. Every third dies at a named point of a segment's birth, recycling or "
        "sealing. After each, what had been acknowledged (watermarks in the shared memory of the dead) is there and the same, "
        "order and offsets hold, the next epoch is higher. *At stake*: batches under way.",
        "Points within the worker's loop are met at random only.",
        25, 500, row_kill.run_s3),
    Row("S4", "`kill -9` in front of a slow disk, restart at once",
        "Each write takes 150 ms when the appliance is killed with four or more under way: its successor says `waiting for I/O "
        "of the previous run`, starts when the last has landed, and nothing it then writes is overwritten. A cycle in which all had landed before it looked does not count.",
        "The disk is slowed in the FUSE process below the loop device, not by a controller.",
        3, 30, row_kill.run_s4),
    Row("S5", "EIO on write, flush and read",
        "The disk fails once or always, in the range of the segments: the first errors under load, the last at the start. "
        "Whatever the appliance does then, what it had acknowledged before and after is there once the disk is sound, the "
        "identities hold meanwhile, and a start that cannot read ends with an error. *At stake*: events acknowledged.",
        "Other lanes and drives; the circuit breaker. ext4 itself may stop at a failed flush: the store is mounted anew.",
        4, 60, row_disk.run_s5),
    Row("S11", "short and repeated completions",
        "One write of each life is cut after its first block, another gets EAGAIN, at seeded numbers: all is there, once, in "
        "order. *At stake*: events stored in those lives.",
        "Completions in another order: unit tests only.",
        4, 100, row_disk.run_s11),
    Row("S12", "recovery killed, again and again",
        "Copies of a crashed store are recovered by appliances that die at a named step, up to three in a row; the one that "
        "is let through ends with the same events as an undisturbed recovery. *At stake*: recoveries killed.",
        "Power cuts within recovery; S1 has those of the recorded lives.",
        11, 200, row_kill.run_s12),
    Row("S14", "deterministic simulation",
        "`sluice-sim` with as many seeds as cycles, on a virtual clock and disk; its own oracle judges. Its group, "
        "`scripts/test sim`, also shows that it finds faults planted in the store.",
        "What a virtual disk does not model.",
        300, 20000, row_sim.run_s14),
)

NOT_RUN = {
    "S6": "ENOSPC: `tests/e2e/disk_full.sh` fills a small loop file system and frees it; no seeded row.",
    "S7": "A disk that hangs: no row. `write=hang@N` and a second signal are in `tests/e2e/second_signal.sh`.",
    "S8": "Bit flips: unit tests of recovery and of both readers have them, on made images; no row over a real store.",
    "S9": "Stale blocks, holes, double crashes: made images in unit tests, and the recycled segments of S1 and S3.",
    "S10": "A payload that is a perfect batch: made images in unit tests; no producer sends one.",
    "S13": "Failing allocations, opens, fallocates and renames: not run.",
}
