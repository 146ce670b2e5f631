# SPDX-License-Identifier: BSD-3-Clause
"""The rows of the battery: what each injects and what must hold. docs/reliability.md is made from
this table and from the figures of a run."""
from dataclasses import dataclass
from typing import Callable

import row_disk
import row_fail
import row_forged
import row_full
import row_hang
import row_kill
import row_power
import row_repair
import row_rot
import row_sim
import row_stale


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
        "it. Of every 50 cuts 15 are of a store on two paths, with a lane on each. *At stake*: writes that no flush had covered.",
        "A drive that lies about flushes, tears below 512 bytes, or spoils blocks that nobody wrote. The loop device tells of a "
        "write cache and no FUA: a durable write is a write and a flush. The two paths are on one drive, which loses power once.",
        50, 1000, row_power.run_s1),
    Row("S2", "power cut under an appliance that is broken on purpose",
        "The oracle can fail. A third of the cycles each: class `written` taken for durable; batches not flushed "
        "(`flush=skip`); epochs not written (`epoch=skip`). Of the first two, cuts with something acknowledged that no flush had "
        "covered. *Lost*: cuts that the oracle found something wrong with; less than four of five of a third, and the row fails.",
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
        "Each write takes half a second when the appliance is killed with four or more under way: its successor says `waiting for I/O "
        "of the previous run`, starts when the last has landed, and nothing it then writes is overwritten. A cycle in which all had landed before it looked does not count, and is repeated.",
        "The disk is slowed in the FUSE process below the loop device, not by a controller.",
        3, 30, row_kill.run_s4),
    Row("S5", "EIO on write, flush and read",
        "The disk fails once or always, in the range of the segments: the first errors under load, the last at the start. "
        "Whatever the appliance does then, what it had acknowledged before and after is there once the disk is sound, the "
        "identities hold meanwhile, and a start that cannot read ends with an error. Some dozen writes of the only lane fail, by the "
        "operations table's twin, landing all the same: the breaker, closed at first, opens, events are refused as "
        "`drive_failed` and nothing is acknowledged; it is seen half-open while a probe is under way, opens again when that fails, "
        "and closes with the first that succeeds; then all goes on. Of two drives one takes no writes any more: while they "
        "fail, the other one's lane acknowledges and it does not; then its partitions go on in that lane, which notices "
        "nothing else, nothing is refused any more, offsets stay dense over three terms, and the next start spreads the "
        "partitions over both drives again. *At stake*: events acknowledged.",
        "ext4 itself may stop at a failed flush: the store is mounted anew. Two drives that fail at once.",
        8, 80, row_disk.run_s5),
    Row("S6", "no room",
        "On a file system of 128 MiB, each time on a store of its own: a foreign file takes all room but a seeded rest (none, a "
        "block, almost a segment) at a seeded moment, and `kill -9` and a start meet the full disk too; 4,000 writes "
        "meet ENOSPC from the operations table's twin; a first start finds too little room, and leaves nothing; in the long "
        "form, the store also takes the room itself. Events are refused as `disk_full` and by no other reason, the lane says so, the identities hold; when there is "
        "room again it goes on, sealed segments get the index that could not be written, and all that was acknowledged is there. "
        "*At stake*: events acknowledged.",
        "Quotas (EDQUOT takes the same way; unit tests). A file system that breaks its promise of `fallocate` under writes; thin "
        "provisioning, which fails writes as a broken drive does (S5). How many births, indexes and writes met the full disk: "
        "*injected* counts refused events, and starts.",
        3, 80, row_full.run_s6),
    Row("S7", "the disk hangs",
        "The FUSE process below the loop device is stopped under load, for 3 s in the short form and 30 s in the long one. While "
        "the disk answers nothing, `sluicectl` is answered, the main lcore and every polling lcore beat, rings empty, nothing is "
        "acknowledged, events are refused as `lane_full` and by no other reason, and the identities hold. Then it goes on; "
        "every other time it was told to stop meanwhile: it waits for the disk and ends as it should. All that was acknowledged "
        "is there. *At stake*: batches under way.",
        "Blocks that nobody has written before: there ext4 takes no notice of being asked not to wait, holds the polling lcore "
        "in the kernel as long as its journal hangs, and frames are lost in the port's ring; the row begins once segments are "
        "recycled. Credits: without a session there is nobody to be told to wait. A second SIGTERM during the hang "
        "(`tests/e2e/second_signal.sh` has it, with writes that never end). A controller that resets the drive.",
        row_hang.CYCLES_SHORT, 20, row_hang.run_s7),
    Row("S8", "bit flips, batches in wrong places",
        "A store that real lives have left (two paths, a lane on each, sealed and unsealed segments, indexes, marks, sources, a "
        "gap) is spoilt in one place: a bit of every field of every header that [format.md](format.md) tells of, bits of bodies "
        "and records, batches swapped, shifted, doubled, copied over others or behind an end, from another lane and from "
        "another store, files exchanged. After each, `sluicectl read`, `store verify` and the independent reader look, after "
        "every fifth a recovery on a copy (the data plane's code alone, in `tests/battery/recover`; a whole appliance at every "
        "60th). Nobody reads anything but what was stored; whoever leaves out an event that a mark vouches for says so; "
        "verify finds every spoilt header below a mark; what has a second copy (slots, indexes) is read whole and recovered, and the log says "
        "so; no offset is given twice. *At stake*: events whose loss had to be said.",
        "Rot above the last mark, and what takes all marks with it (the last segment of a lane in another's place), reads as a "
        "torn tail. Padding. Bookmarks (unit tests flip bytes of one). Runs with attributes and sessions: no appliance writes them yet.",
        98, 3000, row_rot.run_s8),
    Row("S9", "stale blocks, holes, double crashes",
        "The recording of a life in a recycled segment is cut where several batches are under way: the first has not landed, the "
        "others have. A start dies right behind the first batch of its epoch, which takes the hole; the next stores 40 fresh "
        "events and is killed; behind the end a batch is put that would be taken but for its salt, epoch, number, chain, segment, "
        "position or lane (with nothing wrong it is taken: tried once a run); a third start ends in order. What was read after the "
        "cut stays, fresh events follow, nothing else ever. Where no block of the segment's earlier life stands behind any end, the row "
        "fails. *At stake*: events of the batches behind the hole.",
        "One lane on one drive.",
        3, 60, row_stale.run_s9),
    Row("S10", "payloads that are batches",
        "A producer sends datagrams that are batches: a copy of one that stands in the store, and made ones that would be the next "
        "in the log, without the salt (with a mark that vouches for everything), with it, with it and the next epoch, placed so "
        "that each begins on a block of the segment. Then `kill -9`. Read and recovered they are events. On a copy the first "
        "block of the batch around them is taken away, so that recovery looks at each of theirs, and a start dies right in front "
        "of them: what the store held before is what it holds. *Injected*: images that stood on a block.",
        "A producer who knows the salt can make a torn lane look damaged, by a mark that nothing has reached; and an image "
        "whose chain he would have to guess.",
        4, 100, row_forged.run_s10),
    Row("S11", "short, repeated and reordered completions",
        "One write of each life is cut after its first block, another gets EAGAIN, at seeded numbers; whenever two or more are under "
        "way, the later one is handed over first: all is there, once, in order. *At stake*: events "
        "stored in those lives.",
        "An order of the drive's own choice: the twin makes it.",
        4, 100, row_disk.run_s11),
    Row("S12", "recovery killed, again and again",
        "Copies of a crashed store are recovered by appliances that die at a named step, up to three in a row; the one that "
        "is let through ends with the same events as an undisturbed recovery. *At stake*: recoveries killed.",
        "Power cuts within recovery; S1 has those of the recorded lives.",
        11, 200, row_kill.run_s12),
    Row("S13", "the n-th allocation, open, fallocate, rename, fsync, unlink, link, ftruncate, ring, mmap, hugepage or thread fails",
        "One call fails, of a seeded kind and number (the long form: every number of every kind), and no other: in a first start "
        "with its events and its stop; in starts, load with a roll and recycling, and stops of a store that lives through all "
        "of them; in `sluicectl store info`, `verify`, `dump`, `repair` and `read`. It goes on, or ends with an exit code and "
        "a line that says why; no signal, no hang; a failed first start leaves nothing; the next start without a fault works, "
        "and what was acknowledged is there; a repair that was disturbed is repeated with the same outcome. *At stake*: events "
        "stored under load.",
        "Calls that libraries make for themselves (EAL's start, libuv, jansson, libyaml, liburing, the C library's own): only "
        "those from our program's file are counted and fail; of hugepages also those that EAL maps. Two failures at once. `write`, `pwrite` and io_uring's writes: S5 "
        "and S6. Under load a call's number is that of its kind, not of its place: threads share the count.",
        1, row_fail.ALL, row_fail.run_s13),
    Row("S14", "deterministic simulation",
        "`sluice-sim` with as many seeds as cycles, on a virtual clock and disk; its own oracle judges. Its group, "
        "`scripts/test sim`, also shows that it finds faults planted in the store.",
        "What a virtual disk does not model.",
        300, 20000, row_sim.run_s14),
    Row("S15", "`store repair` killed, and on a drive that cannot read",
        "A lived store on two paths, damaged in batches of both lanes (half of the times a segment is gone too), is repaired by a "
        "`sluicectl` that dies at a seeded call (link, unlink, rename, fsync, fallocate, ftruncate, open; nine of each damage). A "
        "start on a copy of that is refused, or gives no offset twice. The next repair ends as an undisturbed one: the same events, the same losses, the same next offsets; one more touches no file. "
        "Then the drive fails reads: of a batch, for good (refused, then fenced as announced); of a batch that could be read when "
        "everything was judged (the repair ends with an error and touches no file; later it goes through); of a block behind the end "
        "(mended at no cost). After each, no event but those announced is missing, `store verify` and both readers are content, "
        "recovery goes on behind all offsets. *At stake*: events left, or lost to the drive.",
        "Power cuts within a repair. Footers, headers of files and metadata that cannot be read: verify and repair end with an error.",
        2, 40, row_repair.run_s15),
)
