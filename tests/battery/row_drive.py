# SPDX-License-Identifier: BSD-3-Clause
"""S5's parts about a drive's circuit breaker and about the partitions of a drive that has failed."""
import contextlib
import json

import oracle
from rig import Disk, Failed, Mounted, make_image, run
from row_kill import Killed

DISK_BYTES = 400 << 20  # each try after a failed write takes a segment
SLOW_WRITE_US = 100000  # a probe can be looked at while it is under way
SLOW_FAILURE_US = 1000000  # so can the other lane, while writes of this one fail
MEANWHILE_BATCHES = 20
# Few tries, soon over; of two drives, room for the segments of two lanes' partitions.
STORE_EXTRA = "  retry_limit: 2\n  backoff_us_max: 20000\n  reserve_bytes: 20971520\n"
ALWAYS = 1 << 30
LOAD = {"rate": 8000, "size": 300}


def _expect(what, found, expected):
    if found != expected:
        raise oracle.Wrong(f"{what}: {found}, not {expected}")


def _lanes(killed):
    return killed.appliance.ask("stats")["lanes"]


def _refused(killed):
    return killed.appliance.refused().get("drive_failed", 0)


def _goes_on(killed, count=1000):
    """Events are stored again, and none is refused."""
    appliance = killed.appliance
    stored, refused = appliance.stored(), _refused(killed)
    appliance.wait("it goes on", lambda: appliance.stored() >= stored + count)
    _expect("events refused since it is well again", _refused(killed) - refused, 0)
    appliance.check_identities()


def _watch_breaker(disk, killed, count):
    """From the first failed write to the probe that succeeds."""
    appliance = killed.appliance
    appliance.wait("the breaker is open", lambda: appliance.lane()["breaker"] == "open")
    disk.control(f"delay write {SLOW_WRITE_US}")
    appliance.wait("the data plane says so", lambda: appliance.state() == "degraded"
                   and appliance.lane()["state"] == "halted")
    acknowledged = appliance.watermarks()
    refused = _refused(killed)
    appliance.wait("events are refused", lambda: _refused(killed) > refused)
    appliance.wait("a probe is under way", lambda: appliance.lane()["breaker"] == "half_open")
    appliance.check_identities()
    _expect("acknowledged while the breaker is open", appliance.watermarks(), acknowledged)
    opened = appliance.lane()["breaker_opened"]
    appliance.wait("the probe has failed", lambda: appliance.lane()["breaker_opened"] > opened)
    disk.control("delay write 0")
    appliance.wait("a probe closes it", lambda: appliance.lane()["breaker"] == "closed"
                   and appliance.lane()["state"] == "active")
    _expect("writes that failed", appliance.lane()["writes_failed"], count)
    appliance.wait("the data plane is well", lambda: appliance.state() == "running")


def break_breaker(rig, folder, random, outcome):
    """Writes of the only lane fail until a probe succeeds; they land all the same, and so take as long as
    the disk does, and what has landed is not taken for stored."""
    count = random.randrange(60, 90)  # so that probes fail for as long as they are watched
    with Disk(rig, folder, DISK_BYTES) as disk:
        killed = Killed(rig, folder, f"{disk.path}/store", linger_us=500, store_extra=STORE_EXTRA)
        killed.begin(f"write=lands@{random.randrange(10, 40)}+{count}")
        _expect("the breaker at the start", [killed.appliance.lane()[key] for key in (
            "breaker", "breaker_opened")], ["closed", 0])
        producer = killed.load(1, **LOAD)
        _watch_breaker(disk, killed, count)
        _goes_on(killed)
        killed.kill(producer)
        outcome.injected += count
        outcome.at_stake += sum(killed.watermarks.values())
        killed.begin()
        killed.appliance.stop()
        killed.judge()


def _has_left(lanes):
    """The lane on the second drive has no partitions any more."""
    return [lanes[1][key] for key in ("rehomed", "partitions")] == [1, 0]


def _terms(rig, killed, folder):
    """How many terms the partitions have gone through, from the independent reader."""
    summary = f"{folder}/summary.json"
    run("python3", rig.reader, killed.appliance.store, "--path", *killed.appliance.paths[1:], "--check",
        "--summary", summary)
    with open(summary, encoding="utf-8") as file:
        return [len(entry["terms"]) for entry in json.load(file)["streams"][0]["partitions"]]


def _watch_other(disk, killed, outcome):
    """While writes of the second drive fail, and its partitions are still its own."""
    appliance = killed.appliance
    appliance.wait("a write has failed", lambda: _lanes(killed)[1]["writes_failed"] > 0)
    before = _lanes(killed)
    appliance.wait("the other lane goes on meanwhile", lambda: _lanes(killed)[0]["watermark_number"]
                   >= before[0]["watermark_number"] + MEANWHILE_BATCHES)
    now = _lanes(killed)
    if now[1]["rehomed"]:
        outcome.say("the partitions had gone before the other lane could be watched")
    else:
        _expect("the failing lane's watermark", now[1]["watermark_number"], before[1]["watermark_number"])
    disk.control("delay write 0")


def _fail_second(disk, killed, outcome):
    """Under load; returns the producer, which goes on."""
    appliance = killed.appliance
    producer = killed.load(1000, **LOAD)
    first, second = [lane["partitions"] for lane in _lanes(killed)]
    disk.control(f"delay write {SLOW_FAILURE_US}")
    disk.control(f"fail write {ALWAYS}")
    _watch_other(disk, killed, outcome)
    appliance.wait("its partitions have gone to the other drive", lambda: _has_left(_lanes(killed)))
    _expect("partitions of the other lane", _lanes(killed)[0]["partitions"], first + second)
    _goes_on(killed)
    _expect("the other lane", [_lanes(killed)[0][key] for key in (
        "writes_failed", "rehomed", "breaker", "breaker_opened", "state")], [0, 0, "closed", 0, "active"])
    _expect("the data plane", appliance.state(), "degraded")
    return producer


def rehome(rig, folder, outcome):
    """One of two drives takes no writes any more: its partitions go on in the lane of the other one;
    the next start has the drive again."""
    make_image(f"{folder}/other.img", DISK_BYTES)
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(Mounted(f"{folder}/other.img", f"{folder}/other"))
        disk = stack.enter_context(Disk(rig, folder, DISK_BYTES))
        killed = Killed(rig, folder, f"{other.path}/a", other_paths=[f"{disk.path}/b"], linger_us=500,
                        store_extra=STORE_EXTRA)
        killed.begin()
        killed.kill(_fail_second(disk, killed, outcome))
        outcome.injected += disk.counts()["write"]["failed"]
        outcome.at_stake += sum(killed.watermarks.values())
        disk.control("fail write 0")
        disk.remount()
        killed.begin()
        _expect("partitions of the lanes at the next start", [lane["partitions"] for lane in _lanes(killed)], [2, 2])
        killed.kill(killed.load(500, **LOAD))
        killed.begin()
        killed.appliance.stop()
        killed.judge()
        _expect("the most terms of a partition", max(_terms(rig, killed, folder)), 3)


def broken_drive(rig, folder, random, outcome, case):
    """case: breaker or rehome."""
    try:
        if case == "breaker":
            break_breaker(rig, folder, random, outcome)
        else:
            rehome(rig, folder, outcome)
    except Failed as failed:
        outcome.lose(f"{case}: {failed}")
