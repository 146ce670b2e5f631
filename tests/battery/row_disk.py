# SPDX-License-Identifier: BSD-3-Clause
"""S5, S11: a disk that fails, and one that does less than it was asked to."""
import glob
import re

import oracle
from rig import Disk, Failed, run, wait_until
from row_drive import broken_drive
from row_kill import Killed

ALWAYS = 1 << 30
# What fails, and how often; or what becomes of a drive that fails for long.
CASES = (("write", 1), ("write", ALWAYS), ("flush", 1), ("flush", ALWAYS), ("read", 1), ("read", ALWAYS),
         "breaker", "rehome")


def extent_of(path):
    """(first, behind the last) byte on the disk of a file that lies in one piece, or around all."""
    blocks = re.findall(r"^ *\d+: +\d+\.\. +\d+: +(\d+)\.\. +(\d+):", run("filefrag", "-v", path).stdout, re.M)
    if not blocks:
        raise Failed(f"{path} has no blocks")
    return min(int(first) for first, _ in blocks) * 4096, (max(int(last) for _, last in blocks) + 1) * 4096


def segments(killed):
    """The range of the disk that holds them."""
    ranges = [extent_of(path) for path in glob.glob(f"{killed.appliance.store}/lane-*/*.seg")]
    return min(first for first, _ in ranges), max(last for _, last in ranges)


def fail_under_load(disk, killed, random, operation, count):
    """The appliance meets errors while it writes; what it acknowledges, before and after, must hold."""
    killed.begin()
    producer = killed.load(random.randrange(300, 1000), rate=8000, size=300)
    first, last = segments(killed)
    before = disk.counts()[operation]["failed"]
    disk.control(f"fail {operation} {count} {first} {last}")
    killed.appliance.wait("the disk has failed", lambda: disk.counts()[operation]["failed"] > before)
    events = killed.appliance.events()
    killed.appliance.wait("more arrives", lambda: killed.appliance.events() >= events + 1000)
    killed.appliance.check_identities()
    killed.kill(producer)
    disk.control(f"fail {operation} 0")
    return disk.counts()[operation]["failed"] - before


def fail_at_start(disk, killed, count):
    """Recovery that cannot read ends with an error, and does not harm what it could not read. After a single
    error it may also go on: it, or the kernel, reads some blocks again."""
    first, last = segments(killed)
    disk.remount()
    disk.control(f"fail read {count} {first} {last}")
    killed.appliance.faults = None
    killed.appliance.launch()
    wait_until("it has given up, or goes on", lambda: not killed.appliance.is_alive()
               or (count < ALWAYS and killed.appliance.state() == "running"))
    if killed.appliance.is_alive():
        killed.appliance.stop()
    elif killed.appliance.process.returncode <= 0 or "error" not in killed.appliance.said():
        raise oracle.Wrong(f"a start that cannot read ends with {killed.appliance.process.returncode}: "
                           f"{killed.appliance.said()[-300:]}")
    disk.control("fail read 0")
    return disk.counts()["read"]["failed"]


def fail_disk(rig, folder, random, outcome, operation, count):
    """One path; the disk fails once or always."""
    with Disk(rig, folder, 160 << 20) as disk:
        killed = Killed(rig, folder, f"{disk.path}/store", linger_us=500)
        killed.begin()
        killed.kill(killed.load(random.randrange(300, 1000), rate=8000, size=300))
        if operation == "read":
            failed_count = fail_at_start(disk, killed, count)
        else:
            failed_count = fail_under_load(disk, killed, random, operation, count)
        if failed_count == 0:
            outcome.problems.append(f"no {operation} has failed")
        outcome.injected += failed_count
        outcome.at_stake += sum(killed.watermarks.values())
        disk.remount()
        try:
            killed.begin()
            killed.appliance.stop()
            killed.judge()
        except Failed as failed:
            outcome.lose(f"{operation} fails {'once' if count == 1 else 'always'}: {failed}")


def run_s5(rig, random, outcome, cycles):
    """Each kind of error on a store of its own, as an error of the disk may end the file system."""
    for cycle in range(cycles):
        case = CASES[cycle % len(CASES)]
        folder = rig.folder("s5")
        if isinstance(case, str):
            broken_drive(rig, folder, random, outcome, case)
        else:
            fail_disk(rig, folder, random, outcome, *case)


def overtaken(said):
    """Writes that came back behind a later one, from the twin's own count."""
    found = re.search(r"(\d+) writes came back behind a later one", said)
    return int(found[1]) if found else 0


def run_s11(rig, random, outcome, cycles):
    """Writes that end short or are refused for the moment, at seeded numbers, and come back in another
    order."""
    folder, reordered = rig.folder("s11"), 0
    killed = Killed(rig, folder, f"{folder}/store", linger_us=2000)
    for cycle in range(cycles):
        short, again = random.sample(range(3, 60), 2)
        killed.begin(f"write=short@{short},write=eagain@{again},write=reverse")
        producer = killed.load(10000, rate=60000, size=1400)  # so that several are under way
        killed.sent.add_record(producer.stop())
        report = killed.appliance.stop()
        outcome.injected += sum(worker["writes_short"] + worker["writes_retried"]
                                for worker in report["stats"]["workers"])
        reordered += overtaken(killed.appliance.said())
        outcome.at_stake += report["stats"]["totals"]["stored"]
        try:
            contents = killed.judge()
        except oracle.Wrong as wrong:
            outcome.lose(f"write {short} short, write {again} again: {wrong}")
            return
        for partition in contents.partitions:
            killed.watermarks[partition] = contents.end(partition)
    outcome.injected += reordered
    if reordered == 0:
        outcome.problems.append("no write came back behind a later one")
