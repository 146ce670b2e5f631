# SPDX-License-Identifier: BSD-3-Clause
"""S7: a disk that does not answer, neither well nor badly, until it answers again."""
import signal
import time

from oracle import Wrong
from rig import Disk, Failed
from row_kill import Killed

CYCLES_SHORT = 2
HANG_SECONDS = {False: 3, True: 30}  # a fault's length, not a verdict: by whether the form is the long one
LOOKS = 4  # at the appliance while the disk hangs


def beats(status):
    """What must go on: the main lcore's heartbeat, and the turns of each polling lcore."""
    return [status["heartbeat_ns"]] + [lcore["heartbeat"] for lcore in status["lcores"]]


def look(appliance, before):
    """Everything that an operator asks is answered; what beats has gone on since; no ring fills up.
    The beats."""
    answers = [appliance.ask(*words) for words in (("stats",), ("store", "status"), ("status",))]
    if None in answers:
        raise Wrong("sluicectl is not answered while the disk hangs")
    stats = answers[0]
    now = []

    def beat():
        status = appliance.ask("status")
        now[:] = beats(status) if status else []
        return len(now) == len(before or now) > 0 and all(beat > last for beat, last in zip(now, before or [-1] * len(now)))
    appliance.wait("everything beats while the disk hangs", beat)
    for ring in stats["rings"]:
        if ring["enqueued"] - ring["dequeued"] >= ring["entries"]:
            raise Wrong(f"a ring has filled up: {ring}")
    appliance.check_identities()
    return now


def watch(killed, seconds, stops):
    """The disk hangs already. Returns how many batches were under way."""
    appliance = killed.appliance
    refused = sum(appliance.refused().values())
    appliance.wait("events are refused", lambda: sum(appliance.refused().values()) > refused)
    acknowledged, at_stake = appliance.watermarks(), appliance.in_flight()
    if stops:
        appliance.process.terminate()
    last = None
    for _ in range(LOOKS):
        last = look(appliance, last)
        time.sleep(seconds / LOOKS)
    if appliance.watermarks() != acknowledged:
        raise Wrong(f"acknowledged while the disk hung: {acknowledged}, then {appliance.watermarks()}")
    if stops and appliance.state() != "stopping":
        raise Wrong(f"told to stop while the disk hung, it is {appliance.state()}")
    if appliance.refused().keys() != {"lane_full"}:
        raise Wrong(f"refused by other reasons than lane_full: {appliance.refused()}")
    return at_stake


def on_written_blocks(killed):
    """Under load until the lane writes to a recycled segment: ext4 may hold a writer up that is the first
    on its blocks, for as long as its journal hangs. Returns the producer."""
    producer = killed.load(1000, rate=40000, size=1400)
    # The second one that is born from an expired segment waits: the first is being written.
    killed.appliance.wait("a recycled segment is written", lambda: (lane := killed.appliance.lane())[
        "segments_recycled"] >= 2 and not lane["unwritten_extents"])
    return producer


def hang(disk, killed, random, seconds, stops):
    """One hang under load, and what comes behind it; returns how many batches were under way."""
    producer = on_written_blocks(killed)
    enough = killed.appliance.stored() + random.randrange(1, 5000)
    killed.appliance.wait("some more are stored", lambda: killed.appliance.stored() >= enough)
    with disk.hanging():
        under_way = watch(killed, seconds, stops)
    if not stops:
        stored = killed.appliance.stored()
        killed.appliance.wait("it goes on", lambda: killed.appliance.stored() >= stored + 5000)
        killed.appliance.check_identities()
    killed.note_promises()
    killed.appliance.stop(signal_number=0 if stops else signal.SIGTERM)
    killed.sent.add_record(producer.stop())
    return under_way


def run_s7(rig, random, outcome, cycles):
    """One store lives through all hangs; every other one is met by a SIGTERM, which must wait and then end
    well."""
    seconds, folder, cycle = HANG_SECONDS[cycles > CYCLES_SHORT], rig.folder("s7"), 0
    try:
        with Disk(rig, folder, 160 << 20) as disk:
            killed = Killed(rig, folder, f"{disk.path}/store", linger_us=500)
            for cycle in range(cycles):
                killed.begin()
                under_way = hang(disk, killed, random, seconds, cycle % 2 == 1)
                outcome.injected += under_way > 0
                outcome.at_stake += under_way
                killed.judge()
    except Failed as failed:
        outcome.lose(f"cycle {cycle}, hangs for {seconds} s: {failed}")
