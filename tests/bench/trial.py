# SPDX-License-Identifier: BSD-3-Clause
"""One trial: start, send, stop, read back, reconcile. Figures exist only when all of it closes."""

import dataclasses
import itertools
import json
import os
import shutil

import load as generator
import machine
from appliance import Appliance, drop_store
from load import Load, Sender
from processes import Failed, run

# The polling lcore was away for longer than a turn of it ever takes (an io_uring submission on ext4 was
# seen to take 205 us).
TURN_GAP_NS_MAX = 3_000_000
FILL_SECONDS = 1.0
FILL_SECONDS_MAX = 60.0
FILL_COUNT_MAX = 20
# Of sluice-blast verify, where a file of frames was sent again and again.
_parked_numbers = itertools.count(1)
REPLAY_FAULTS = ("missing", "doubled", "reordered")
FAULTS = REPLAY_FAULTS + ("corrupt", "strayed", "offset", "foreign")


class NotClosed(Failed):
    """The ledger of a trial does not close: no figure comes of it."""


@dataclasses.dataclass
class Trial:
    """Plain figures of one closed trial."""
    load: dict
    sent: int
    stored: int
    lost: int
    drops: dict
    seconds: float  # from the first to the last receive time
    rate: float  # stored events a second
    rate_held: bool
    bytes_per_second: float  # written to the drive
    batches: int
    flushes: int
    cpu_seconds: float
    memory_bytes: int
    start_seconds: float
    turn_ns_max: int
    write_ns_mean: float
    write_ns_max: int
    recycled_segments: int
    unwritten_segments: int
    steal_seconds: float
    others_seconds: float
    disturbed: str  # why, or ""
    report: dict = dataclasses.field(repr=False, default=None)


@dataclasses.dataclass
class TooLossy:
    """A trial that lost more than was worth reading back."""
    sent: int
    lost: int
    disturbed: str  # why, or ""


def reconcile(sent, report, verified, replayed=False):
    """Every event that was sent is in the store, or in one counter, or was never taken; what was read
    back is what the appliance says that it stored. replayed: the same frames came again and again, so
    that what is doubled is no fault. Raises NotClosed with the sums."""
    totals, problems = report["stats"]["totals"], []
    dropped = report["drops"]["dropped_frames"] + report["drops"]["dropped_events"]
    undelivered = sent.get("undelivered", 0)
    read_back = verified["stored"] if replayed else verified["distinct"]
    faults = [name for name in FAULTS if verified.get(name) and not (replayed and name in REPLAY_FAULTS)]
    if not report["ledger"]["ok"]:
        wrong = [line["name"] for line in report["ledger"]["identities"] if not line["ok"]]
        problems.append(f"the appliance's own ledger: {', '.join(wrong)}")
    if not replayed and not verified["ok"] or replayed and faults:
        problems.append(f"sluice-blast verify found a fault: {', '.join(faults)}")
    if read_back != totals["stored"]:
        problems.append(f"{read_back} read back, {totals['stored']} counted as stored")
    if sent["sent"] != totals["frames"] + undelivered:
        problems.append(f"{sent['sent']} sent, {totals['frames']} received, {undelivered} not taken")
    if sent["sent"] != read_back + dropped + undelivered:
        problems.append(f"{sent['sent']} sent, {read_back} read back, {dropped} dropped, "
                        f"{undelivered} not taken")
    if problems:
        raise NotClosed("the ledger does not close: " + "; ".join(problems))


def disturbance(watch, cpu_count, turn_ns_max):
    """Why the trial's figures may not be the appliance's own, or ""."""
    why = machine.disturbance(watch, cpu_count)
    if not why and turn_ns_max > TURN_GAP_NS_MAX:
        return f"the polling lcore was away for {turn_ns_max / 1e6:.1f} ms"
    return why


def check_flushes(trial, drive, in_flight_max):
    """A drive with a volatile cache and no FUA must have been flushed: else `durable` means nothing."""
    if drive.must_flush() and trial.flushes * in_flight_max < trial.batches:
        raise NotClosed(f"{trial.batches} batches were called durable after {trial.flushes} flushes of "
                        f"{drive.name}: at least one for {in_flight_max} batches is needed")


def _verify(bench, replayed, segment_from):
    """segment_from: nothing of the trial lies in earlier segments of the only lane."""
    process = run([bench.program("tests/load/sluice-blast"), "verify", "--store", bench.path("store"),
                   "--sent", bench.path("sent"), "--segment-from", segment_from, "--allow-missing",
                   "--json", bench.path("verified")], bench.path("verify.log"), expected=(0, 1))
    if process.status == 1 and not replayed:
        raise NotClosed(f"sluice-blast verify: {process.last_lines(12)}")
    with open(bench.path("verified"), encoding="utf-8") as file:
        return json.load(file)


def _start(bench, appliance, load):
    """Starts the appliance and its generator, each of which connects to the other that listens. Returns
    the sender, or None where a file is replayed."""
    if load.replayed:
        appliance.start()
        return None
    if not appliance.setup.copied:
        sender = generator.listening_sender(bench, load, appliance.socket)
        appliance.start()
        return sender
    appliance.start()
    return Sender(bench, load, generator.memif_device(appliance.socket, "client"))


def _send(bench, appliance, sender, load):
    """Returns when all is sent and received: the appliance's CPU seconds; what the machine did."""
    watch, before = machine.Watch(), appliance.cpu_seconds()
    if load.replayed:
        bench.pause(load.seconds)
    else:
        sender.send()
    used = appliance.cpu_seconds() - before
    watch.stop()
    watch.busy_seconds -= used + (sender.cpu_seconds if sender else 0)
    if sender:
        sent = generator.summary(bench)
        appliance.wait_received(sent["sent"] - sent.get("undelivered", 0))
    return used, watch


def _was_sent(bench, load, report):
    """What left the generator. A file that comes again and again has no other count than the appliance's."""
    if load.replayed:
        return {"sent": report["stats"]["totals"]["frames"], "rate_held": True}
    return generator.summary(bench)


def attempt(bench, setup, load, lost_share_max=None):
    """One trial on the bench's store. The report of the appliance comes along. With a limit, a TooLossy
    when more than that part of the events was lost: then nothing is read back."""
    drive = machine.Drive(bench.work)
    if load.replayed:
        generator.record_frames(bench)
    appliance = Appliance(bench, setup)
    segment_from = appliance.next_segment()
    sender = _start(bench, appliance, load)
    flushes = drive.flush_count()
    if sender:
        segment_from = appliance.current_segment()
    used, watch = _send(bench, appliance, sender, load)
    appliance.note_memory()
    report = appliance.stop()
    if sender:
        sender.stop()
    flushes = drive.flush_count() - flushes
    bench.note_disk()
    sent, totals = _was_sent(bench, load, report), report["stats"]["totals"]
    lane, workers, rx = report["stats"]["lanes"][0], report["stats"]["workers"], report["stats"]["rx"]
    turn_ns_max = max(lcore["turn_ns_max"] for lcore in rx + workers)
    disturbed, lost = disturbance(watch, bench.cpu_count, turn_ns_max), sent["sent"] - totals["stored"]
    if lost_share_max is not None and lost > lost_share_max * sent["sent"]:
        return TooLossy(sent["sent"], lost, disturbed)
    verified = _verify(bench, load.replayed, segment_from)
    reconcile(sent, report, verified, load.replayed)
    stored = totals["stored"]
    seconds = (verified["last_receive_ns"] - verified["first_receive_ns"]) / 1e9
    if stored == 0 or seconds <= 0:
        raise NotClosed(f"{stored} events were stored: nothing to measure")
    trial = Trial(
        load=dataclasses.asdict(load), sent=sent["sent"], stored=stored, lost=lost,
        drops={reason["reason"]: reason["count"] for reason in report["drops"]["reasons"]
               if reason["count"]},
        seconds=seconds, rate=stored / seconds,
        rate_held=bool(sent["rate_held"]),
        bytes_per_second=totals["written_bytes"] / seconds, batches=totals["batches"],
        flushes=flushes, cpu_seconds=used, memory_bytes=appliance.memory_bytes,
        start_seconds=appliance.start_seconds, turn_ns_max=turn_ns_max,
        write_ns_mean=workers[0]["write_ns_total"] / max(1, totals["batches"]),
        write_ns_max=workers[0]["write_ns_max"], recycled_segments=lane["segments_recycled"],
        unwritten_segments=lane["segments_unwritten"], steal_seconds=watch.steal_seconds,
        others_seconds=watch.busy_seconds, disturbed=disturbed, report=report)
    if setup.durability == "durable":
        check_flushes(trial, drive, report["status"]["lanes"][0]["in_flight_max"])
    bench.note_written(trial.bytes_per_second)
    return trial


def measure(bench, setup, load, what):
    """A trial, repeated while it is disturbed and the row may still repeat; the last one counts,
    disturbed or not."""
    def once():
        trial = attempt(bench, setup, load)
        bench.note_trial(what, trial)
        return trial
    prepare_store(bench, setup)
    return repeat_disturbed(bench, what, once)


def repeat_disturbed(bench, what, once):
    """What `once` returns says in .disturbed why it does not count, or ""."""
    while True:
        found = once()
        if not found.disturbed or not bench.may_repeat():
            return found
        bench.say(f"  {what}: disturbed ({found.disturbed}), once more")


def drop_parked(bench):
    for path in bench.parked.values():
        shutil.rmtree(path)
    bench.parked = {}


def prepare_store(bench, setup, beside=None):
    """A store that is full of an earlier run, so that the trials' segments are recycled ones. beside: another
    setup, whose trials alternate with this one's: its store, when it is there, is kept aside until the end of the row."""
    if bench.store_key == setup.store_key():
        return
    if beside and bench.store_key == beside.store_key():
        bench.parked[bench.store_key] = bench.path(f"store-{next(_parked_numbers)}")
        os.rename(bench.path("store"), bench.parked[bench.store_key])
    else:
        drop_store(bench)
    bench.store_key = None
    if setup.store_key() in bench.parked:
        os.rename(bench.parked.pop(setup.store_key()), bench.path("store"))
        bench.store_key = setup.store_key()
        return
    bench.say(f"  filling the store: {setup.retention_bytes / 1e9:.1f} GB")
    filling = dataclasses.replace(setup, device="", two_cores=False, stage_cycles=False)
    seconds, left = FILL_SECONDS, setup.retention_bytes + setup.segment_bytes
    for _ in range(FILL_COUNT_MAX):
        report = _fill(bench, filling, seconds)
        lane, written = report["stats"]["lanes"][0], report["stats"]["totals"]["written_bytes"]
        bench.note_disk()
        if lane["segments_recycled"] + lane["segments_expired"] > 0:
            bench.store_key = setup.store_key()
            bench.note_written(written / seconds)
            return
        left -= written
        # The drive decides how much of a flood is stored.
        seconds = min(max(FILL_SECONDS, seconds * left / max(1, written)), FILL_SECONDS_MAX)
    raise Failed(f"after {FILL_COUNT_MAX} fills no segment of the store has expired")


def _fill(bench, setup, seconds):
    appliance, load = Appliance(bench, setup), Load(size=1400, seconds=round(seconds, 2))
    sender = _start(bench, appliance, load)
    sender.send()
    report = appliance.stop()
    sender.stop()
    return report
