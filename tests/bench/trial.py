# SPDX-License-Identifier: BSD-3-Clause
"""One trial: start, send, stop, read back, reconcile. Figures exist only when all of it closes."""

import dataclasses
import json

import load as generator
import machine
from appliance import Appliance, drop_store
from load import Load
from processes import Failed, run

# A trial was disturbed when the hypervisor, or other programs, took more than this part of the CPU
# time, or when the polling lcore was away for longer than a turn of it ever takes (an io_uring
# submission on ext4 was seen to take 205 us).
STEAL_SHARE_MAX = 0.005
OTHERS_SHARE_MAX = 0.05
TURN_GAP_NS_MAX = 3_000_000
FILL_SECONDS = 1.0
FILL_SECONDS_MAX = 60.0
FILL_COUNT_MAX = 20


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
    offered_share: float  # stored of what should have been offered; 1 when flat out
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


def reconcile(sent, report, verified):
    """Every event that was sent is in the store, or in one counter, or was never taken; what was read
    back is what the appliance says that it stored. Raises NotClosed with the sums."""
    totals, problems = report["stats"]["totals"], []
    dropped = report["drops"]["dropped_frames"] + report["drops"]["dropped_events"]
    undelivered = sent.get("undelivered", 0)
    if not report["ledger"]["ok"]:
        wrong = [line["name"] for line in report["ledger"]["identities"] if not line["ok"]]
        problems.append(f"the appliance's own ledger: {', '.join(wrong)}")
    if not verified["ok"]:
        problems.append("sluice-blast verify found a fault")
    if verified["distinct"] != totals["stored"]:
        problems.append(f"{verified['distinct']} read back, {totals['stored']} counted as stored")
    if sent["sent"] != totals["frames"] + undelivered:
        problems.append(f"{sent['sent']} sent, {totals['frames']} received, {undelivered} not taken")
    if sent["sent"] != verified["distinct"] + dropped + undelivered:
        problems.append(f"{sent['sent']} sent, {verified['distinct']} read back, {dropped} dropped, "
                        f"{undelivered} not taken")
    if problems:
        raise NotClosed("the ledger does not close: " + "; ".join(problems))


def disturbance(trial, cpu_count, wall_seconds):
    """Why the trial's figures may not be the appliance's own, or ""."""
    available = wall_seconds * cpu_count
    if trial.steal_seconds > STEAL_SHARE_MAX * available:
        return f"{100 * trial.steal_seconds / available:.1f} % of the CPUs was stolen"
    if trial.others_seconds > OTHERS_SHARE_MAX * available:
        return f"{100 * trial.others_seconds / available:.1f} % of the CPUs went to other programs"
    if trial.turn_ns_max > TURN_GAP_NS_MAX:
        return f"the polling lcore was away for {trial.turn_ns_max / 1e6:.1f} ms"
    return ""


def check_flushes(trial, drive, in_flight_max):
    """A drive with a volatile cache and no FUA must have been flushed: else `durable` means nothing."""
    if drive.must_flush() and trial.flushes * in_flight_max < trial.batches:
        raise NotClosed(f"{trial.batches} batches were called durable after {trial.flushes} flushes of "
                        f"{drive.name}: at least one for {in_flight_max} batches is needed")


def _verify(bench):
    process = run([bench.program("tests/load/sluice-blast"), "verify", "--store", bench.path("store"),
                   "--sent", bench.path("sent"), "--allow-missing", "--json", bench.path("verified")],
                  bench.path("verify.log"), expected=(0, 1))
    if process.status == 1:
        raise NotClosed(f"sluice-blast verify: {process.last_lines(12)}")
    with open(bench.path("verified"), encoding="utf-8") as file:
        return json.load(file)


def _send(bench, appliance, load):
    """Returns the generator's summary, the appliance's CPU seconds, and what the machine did."""
    watch, before = machine.Watch(), appliance.cpu_seconds()
    sender = generator.start(bench, load, generator.memif_device(appliance.socket, "client"))
    sender.wait()
    used = appliance.cpu_seconds() - before
    watch.stop()
    watch.busy_seconds -= used + sender.cpu_seconds
    return generator.summary(bench), used, watch


def attempt(bench, setup, load):
    """One trial on the bench's store. The report of the appliance comes along."""
    drive = machine.Drive(bench.work)
    appliance = Appliance(bench, setup).start()
    flushes = drive.flush_count()
    sent, used, watch = _send(bench, appliance, load)
    appliance.note_memory()
    report = appliance.stop()
    flushes = drive.flush_count() - flushes
    verified = _verify(bench)
    reconcile(sent, report, verified)
    totals, lane = report["stats"]["totals"], report["stats"]["lanes"][0]
    worker, rx = report["stats"]["workers"][0], report["stats"]["rx"][0]
    seconds = (verified["last_receive_ns"] - verified["first_receive_ns"]) / 1e9
    if verified["distinct"] == 0 or seconds <= 0:
        raise NotClosed(f"{verified['distinct']} events were stored: nothing to measure")
    offered = max(load.rate * load.seconds, sent["sent"])
    trial = Trial(
        load=dataclasses.asdict(load), sent=sent["sent"], stored=verified["distinct"],
        lost=sent["sent"] - verified["distinct"],
        drops={reason["reason"]: reason["count"] for reason in report["drops"]["reasons"]
               if reason["count"]},
        seconds=seconds, rate=verified["distinct"] / seconds,
        offered_share=verified["distinct"] / offered, rate_held=bool(sent["rate_held"]),
        bytes_per_second=totals["written_bytes"] / seconds, batches=totals["batches"],
        flushes=flushes, cpu_seconds=used, memory_bytes=appliance.memory_bytes,
        start_seconds=appliance.start_seconds,
        turn_ns_max=max(rx["turn_ns_max"], worker["turn_ns_max"]),
        write_ns_mean=worker["write_ns_total"] / max(1, totals["batches"]),
        write_ns_max=worker["write_ns_max"], recycled_segments=lane["segments_recycled"],
        unwritten_segments=lane["segments_unwritten"], steal_seconds=watch.steal_seconds,
        others_seconds=watch.busy_seconds, disturbed="", report=report)
    trial.disturbed = disturbance(trial, bench.cpu_count, watch.seconds)
    check_flushes(trial, drive, report["status"]["lanes"][0]["in_flight_max"])
    return trial


def measure(bench, setup, load, what):
    """A trial, repeated while it is disturbed; the last one counts, disturbed or not."""
    prepare_store(bench, setup)
    for repeat in range(bench.scale.repeats + 1):
        trial = attempt(bench, setup, load)
        bench.note_trial(what, trial)
        if not trial.disturbed or repeat == bench.scale.repeats:
            return trial
        bench.repeated += 1
        bench.say(f"  {what}: disturbed ({trial.disturbed}), once more")
    raise AssertionError("not reached")


def prepare_store(bench, setup):
    """A store that is full of an earlier run, so that the trials' segments are recycled ones."""
    if bench.store_key == setup.store_key():
        return
    drop_store(bench)
    bench.store_key = None
    bench.say(f"  filling the store: {setup.retention_bytes / 1e9:.1f} GB")
    seconds, left = FILL_SECONDS, setup.retention_bytes + setup.segment_bytes
    for _ in range(FILL_COUNT_MAX):
        report = _fill(bench, setup, seconds)
        lane, written = report["stats"]["lanes"][0], report["stats"]["totals"]["written_bytes"]
        if lane["segments_recycled"] + lane["segments_expired"] > 0:
            bench.store_key, bench.fill_rate = setup.store_key(), written / seconds
            return
        left -= written
        # The drive decides how much of a flood is stored.
        seconds = min(max(FILL_SECONDS, seconds * left / max(1, written)), FILL_SECONDS_MAX)
    raise Failed(f"after {FILL_COUNT_MAX} fills no segment of the store has expired")


def _fill(bench, setup, seconds):
    appliance = Appliance(bench, setup).start()
    sender = generator.start(bench, Load(size=1400, seconds=seconds),
                             generator.memif_device(appliance.socket, "client"))
    sender.wait()
    return appliance.stop()
