# SPDX-License-Identifier: BSD-3-Clause
"""S6: no room, for segments, for what stands beside them, for writes, and for a start."""
import os
import re

import oracle
from rig import Failed, Mounted, make_image, run, wait_until
from row_kill import Killed

DISK_BYTES = 128 << 20
LEFT_BYTES = (0, 4096, 65536, 1 << 20, 15 << 20)  # by the foreign file; a segment takes 16 MiB
LOAD = {"rate": 40000, "size": 1400}
REFUSED_COUNT = 200
WRITES_REFUSED = 4000  # by the operations table's twin
# So that these take some ten seconds: each batch that comes anew is tried after a millisecond, and all others with it.
TWIN_BACKOFF = "  backoff_us_max: 20000\n"


class FullDisk(Mounted):
    """A small file system, and a foreign file in it that takes the room."""

    def __init__(self, folder):
        make_image(f"{folder}/disk.img", DISK_BYTES)
        super().__init__(f"{folder}/disk.img", f"{folder}/disk")
        self.foreign = f"{self.path}/foreign"

    def free_bytes(self):
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def fill(self, left_bytes):
        """Takes all but that, also while somebody else takes room."""
        while (wanted := self.free_bytes() - left_bytes) > 0:
            size = os.path.getsize(self.foreign) if os.path.exists(self.foreign) else 0
            # A file system's own tables may need some of the last blocks.
            if run("fallocate", "--offset", size, "--length", wanted, self.foreign, check=False).returncode != 0:
                break

    def empty(self):
        if os.path.exists(self.foreign):
            os.unlink(self.foreign)


def refused_as_disk_full(killed):
    """Once the disk is full: events are refused by that reason and by no other. How many."""
    appliance = killed.appliance
    appliance.wait("events are refused as disk_full",
                   lambda: appliance.refused().get("disk_full", 0) >= REFUSED_COUNT)
    before = appliance.refused()
    appliance.wait("more are refused",
                   lambda: appliance.refused().get("disk_full", 0) >= before["disk_full"] + REFUSED_COUNT)
    after = appliance.refused()
    if {**after, "disk_full": 0} != {**before, "disk_full": 0}:
        raise oracle.Wrong(f"on a full disk events are refused by other reasons: {before}, then {after}")
    if appliance.status()["lanes"][0]["state"] != "disk_full":
        raise oracle.Wrong(f"the lane says that it is {appliance.status()['lanes'][0]['state']}")
    appliance.check_identities()
    return after["disk_full"]


def refused_by_the_twin(killed):
    """The same where writes that were queued before succeed meanwhile: then there is room for a moment, as the
    lane sees it. How many, once a look finds nothing else."""
    appliance = killed.appliance
    before = {}

    def only_as_disk_full():
        nonlocal before
        after = appliance.refused()
        if {**after, "disk_full": 0} != {**before, "disk_full": 0}:
            before = after
            return False
        return (after.get("disk_full", 0) >= before.get("disk_full", 0) + REFUSED_COUNT
                and appliance.status()["lanes"][0]["state"] == "disk_full")
    appliance.wait("events are refused as disk_full, and by no other reason", only_as_disk_full)
    appliance.check_identities()
    return appliance.refused().get("disk_full", 0)


def go_on(killed, wants_index):
    """There is room again: it takes events, and what was left out for want of room is made up for."""
    stored = killed.appliance.stored()
    killed.appliance.wait("it goes on", lambda: killed.appliance.stored() >= stored + 1000)
    if wants_index:
        killed.appliance.wait("each sealed segment has its index", lambda: indexed(killed))
    killed.appliance.check_identities()


def indexed(killed):
    lane = killed.appliance.lane()
    return lane["segments_indexed"] >= 1 and lane["segments_indexed"] >= lane["segment_count"] - 2


def start_while_full(killed):
    """It runs on what room it has, or ends with an error that says why."""
    killed.appliance.faults = None
    killed.appliance.launch()
    wait_until("it runs or has given up", lambda: killed.appliance.state() == "running"
               or not killed.appliance.is_alive())
    if killed.appliance.is_alive():
        killed.appliance.kill()
        killed.note_promises()
    elif killed.appliance.process.returncode != 1 or \
            not re.search("no room|No space left", killed.appliance.said()):
        raise oracle.Wrong(f"a start on a full disk ends with {killed.appliance.process.returncode}: "
                           f"{killed.appliance.said()[-300:]}")


def fill_by_foreign(disk, killed, random):
    """A foreign file takes the room at a seeded moment; kill -9 and a start meet the full disk too."""
    killed.begin()
    producer = killed.load(random.randrange(100, 20000), **LOAD)
    disk.fill(random.choice(LEFT_BYTES))
    count = refused_as_disk_full(killed)
    killed.kill(producer)
    start_while_full(killed)
    disk.empty()
    killed.begin()
    return count, killed.load(1000, rate=8000, size=1400)  # indexes must come after


def fill_by_store(disk, killed, random):
    """The store takes the room itself."""
    killed.begin()
    producer = killed.load(1, **LOAD)
    disk.fill(random.randrange(1 << 20, 40 << 20))
    count = refused_as_disk_full(killed)
    disk.empty()
    return count, producer


def refuse_writes(disk, killed, random):
    """Writes to a segment meet ENOSPC, which this file system does not do to blocks that it has promised."""
    del disk
    killed.begin(f"write=full@{random.randrange(20, 400)}+{WRITES_REFUSED}")
    producer = killed.load(1, **LOAD)
    return refused_by_the_twin(killed), producer


def start_first(disk, killed, random):
    """The first start leaves nothing, as long as there is no room for all that it makes."""
    os.makedirs(killed.appliance.store)
    disk.fill(random.choice(LEFT_BYTES))
    start_while_full(killed)
    if killed.appliance.process.returncode > 0 and os.listdir(killed.appliance.store):
        raise oracle.Wrong(f"a first start on a full disk leaves {os.listdir(killed.appliance.store)}")
    disk.empty()
    killed.begin()
    return 1, killed.load(1000, **LOAD)


CASES = (fill_by_foreign, refuse_writes, start_first, fill_by_store)


def meet_full_disk(rig, random, outcome, case, folder):
    with FullDisk(folder) as disk:
        killed = Killed(rig, folder, f"{disk.path}/store", linger_us=0, retention_bytes=0,
                        store_extra="  reserve_bytes: 0\n" + (TWIN_BACKOFF if case is refuse_writes else ""))
        count, producer = case(disk, killed, random)
        outcome.injected += count
        if case is not start_first:
            go_on(killed, case is not refuse_writes)
        killed.note_promises()
        killed.appliance.stop()
        killed.sent.add_record(producer.stop())
        outcome.at_stake += sum(killed.watermarks.values())
        killed.judge()


def run_s6(rig, random, outcome, cycles):
    """Each case on a store of its own."""
    for cycle in range(cycles):
        case = CASES[cycle % len(CASES)]
        try:
            meet_full_disk(rig, random, outcome, case, rig.folder("s6"))
        except Failed as failed:
            outcome.lose(f"cycle {cycle}, {case.__name__}: {failed}")
