# SPDX-License-Identifier: BSD-3-Clause
"""S13: the n-th allocation, open, fallocate, rename, fsync, unlink, link, ftruncate, mmap, hugepage, ring or
thread fails, in the data plane and in sluicectl's store commands."""
import os
import subprocess

import oracle
from fail_call import FailCall
from rig import HANG_SECONDS, PARTITIONS, Appliance, Failed, run, wait_until, write_capture
from row_kill import Killed

EVENT_COUNT = 300
PAYLOADS = [b"event %4d " % number + b"." * 700 for number in range(EVENT_COUNT)]
LANE_FAILED = 5
ALL = 1 << 30
LOAD = {"rate": 40000, "size": 1400}
ROLL_EVENTS = 15000  # more than a segment holds
DAMAGED_POSITION = 4096 + 300  # in the second batch
FIRST_SEGMENT = "lane-00000/0000000000000001.seg"


class Broken:
    """What the parts of the row share."""

    def __init__(self, rig, random, outcome, folder, cycles):
        self.rig, self.random, self.outcome, self.folder = rig, random, outcome, folder
        self.cycles = cycles
        self.call = FailCall(rig, f"{folder}/fail_call")
        self.met = {}  # {kind: how often}
        write_capture(f"{folder}/events.pcap", PAYLOADS)

    def numbers(self, count):
        """Of the calls that are to fail: a sample of them, in the long form all."""
        return sorted(self.random.sample(range(1, count + 1), min(count, self.cycles)))

    def note(self, kind):
        """True when the call was met."""
        if self.call.failed:
            self.outcome.injected += 1
            self.met[kind] = self.met.get(kind, 0) + 1
        return self.call.failed

    def lose(self, what, kind, number, program, failed):
        where = self.call.where(self.rig.program(program))
        self.outcome.lose(f"{what}, {kind} {number} (at {where}): {failed}")

    def captured(self, store):
        """An appliance whose port is the capture."""
        return Appliance(self.rig, self.folder, store, device=f"pcap:{self.folder}/events.pcap", mbufs=4096,
                         rx_descriptors=512, linger_us=100, store_extra="  format_bytes_per_s: 0\n")


def all_there(appliance):
    return sum(appliance.watermarks().values()) >= EVENT_COUNT


def adds_up(broken, appliance):
    failed = broken.call.failed
    try:
        appliance.check_identities()
    except Failed:
        if broken.call.failed == failed:
            raise
        appliance.check_identities()  # the call that failed was the check's own


def end_of(appliance):
    """An orderly stop, though a lane or the report may have been lost to the fault."""
    status = appliance.end()
    if status not in (0, LANE_FAILED):
        raise oracle.Wrong(f"it ended with {status}: {appliance.said()[-300:]}")
    if not os.path.exists(appliance.report_path) and "no report" not in appliance.said():
        raise oracle.Wrong(f"there is no report, and nothing is said: {appliance.said()[-300:]}")


def gave_up(appliance, was_empty):
    """A start that failed: it says so, and of a first one nothing is left but what a port had brought already."""
    if appliance.process.returncode <= 0 or not appliance.said().strip():
        raise oracle.Wrong(f"it ended with {appliance.process.returncode}: {appliance.said()[-300:]}")
    if was_empty and os.listdir(appliance.store) and \
            not any(oracle.read(appliance.rig, appliance.store, appliance.folder).payloads()):
        raise oracle.Wrong(f"a failed first start leaves {os.listdir(appliance.store)}: {appliance.said()[-300:]}")


def read_all(broken, store):
    contents = oracle.read(broken.rig, store, broken.folder)
    return sorted(contents.payloads())


# ---- the first start, to a store with some events, and its end


def live_first(broken, kind, number):
    """One life on an empty directory; the counts of its calls."""
    store = f"{broken.folder}/first"
    run("rm", "-rf", store)
    appliance = broken.captured(store)
    appliance.environment = broken.call.environment
    broken.call.reset()
    if kind:
        broken.call.arm(kind, number)
    appliance.launch()
    wait_until("it runs or has given up", lambda: not appliance.is_alive() or appliance.state() == "running")
    if appliance.is_alive():
        appliance.wait("the events are stored, or the call has failed",
                       lambda: all_there(appliance) or broken.call.failed)
        adds_up(broken, appliance)
        acknowledged = appliance.watermarks()
        end_of(appliance)
    else:
        acknowledged = {}
        gave_up(appliance, True)
    counts = broken.call.counts()
    appliance.environment = {}
    again = appliance.start()
    again.wait("the events are stored", lambda: sum(again.watermarks().values()) >= EVENT_COUNT)
    again.stop()
    contents = oracle.read(broken.rig, store, broken.folder)
    oracle.check_acknowledged(contents, acknowledged)
    if not set(contents.payloads()) <= set(PAYLOADS) or len(set(contents.payloads())) != EVENT_COUNT:
        raise oracle.Wrong("what is stored is not what was sent")
    return counts


def break_first(broken):
    counts = live_first(broken, None, 0)
    for kind in broken.call.kinds:
        for number in broken.numbers(counts[kind]):
            try:
                live_first(broken, kind, number)
                broken.note(kind)
            except Failed as failed:
                broken.lose("first start", kind, number, "dataplane/sluice-dataplane", failed)
                return


# ---- a store that lives on: rolls, recycling, orderly stops


def live_on(broken, killed, number, kind, arms_at_start):
    """One life under load; the counts of its calls from the start, or from running, on."""
    killed.appliance.environment = broken.call.environment
    broken.call.reset()
    if kind and arms_at_start:
        broken.call.arm(kind, number)
    killed.appliance.launch()
    wait_until("it runs or has given up", lambda: not killed.appliance.is_alive()
               or killed.appliance.state() in ("running", "degraded"))
    at_start = broken.call.counts()
    if not killed.appliance.is_alive():
        gave_up(killed.appliance, False)
        return at_start, at_start
    if kind and not arms_at_start:
        broken.call.arm(kind, number)
    producer = killed.load(1 if kind else ROLL_EVENTS, **LOAD)
    killed.appliance.wait("more than a segment has arrived", lambda: killed.appliance.events() >= ROLL_EVENTS)
    adds_up(broken, killed.appliance)
    killed.note_promises()
    broken.outcome.at_stake += killed.appliance.stored()
    end_of(killed.appliance)
    killed.sent.add_record(producer.stop())
    return at_start, broken.call.counts()


def judge(killed):
    """A start without faults goes on, and everything is there."""
    killed.appliance.environment = {}
    killed.begin()
    killed.appliance.check_identities()
    killed.appliance.stop()
    killed.judge()


def break_living(broken):
    killed = Killed(broken.rig, broken.folder, f"{broken.folder}/store", linger_us=500)
    killed.begin()
    killed.kill(killed.load(2 * ROLL_EVENTS, **LOAD))
    at_start, all_counts = live_on(broken, killed, 0, None, False)
    plan = [(kind, number, arms_at_start) for kind in broken.call.kinds for arms_at_start in (True, False)
            for number in broken.numbers(at_start[kind] if arms_at_start else all_counts[kind] - at_start[kind])]
    if broken.cycles < ALL:  # a kind once, at the start or under load
        broken.random.shuffle(plan)
        plan = list({kind: (kind, number, arms) for kind, number, arms in plan}.values())
    for index, (kind, number, arms_at_start) in enumerate(plan):
        try:
            live_on(broken, killed, number, kind, arms_at_start)
            broken.note(kind)
            if index % 5 == 4 or index == len(plan) - 1 or broken.cycles == ALL:
                judge(killed)
        except Failed as failed:
            broken.lose(f"{'start' if arms_at_start else 'load and stop'} on a store", kind, number,
                        "dataplane/sluice-dataplane", failed)
            return


# ---- sluicectl on a store without an appliance


def command(broken, words, environment=None):
    """(exit code, output, what it says on stderr)."""
    try:
        done = subprocess.run([broken.rig.sluicectl, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=HANG_SECONDS, check=False, env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired:
        raise oracle.Wrong(f"sluicectl {' '.join(words)} hangs") from None
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def break_command(broken, words, check, prepare=lambda: None):
    """Each kind of call of one command; check(undisturbed, disturbed, text) raises when it is not as it should."""
    prepare()
    broken.call.reset()
    undisturbed = command(broken, words, broken.call.environment)
    counts = broken.call.counts()
    for kind in broken.call.kinds:
        for number in broken.numbers(counts[kind]):
            prepare()
            broken.call.reset()
            broken.call.arm(kind, number)
            try:
                disturbed = command(broken, words, broken.call.environment)
                if broken.note(kind):
                    check(undisturbed, disturbed)
            except Failed as failed:
                broken.lose(f"sluicectl {' '.join(words[:2])}", kind, number, "control/ctl/sluicectl", failed)


def lasting(output):
    """Without what depends on how long it took."""
    return [line for line in output.splitlines() if not line.startswith(b"per second")]


def same_or_said(undisturbed, disturbed):
    """It does what it does undisturbed, or says why it cannot."""
    code, output, said = disturbed
    if code < 0 or (code == undisturbed[0] and lasting(output) != lasting(undisturbed[1])):
        raise oracle.Wrong(f"it ends with {code}, and other output than undisturbed: {said[-300:]}")
    if code != undisturbed[0] and not said.strip():
        raise oracle.Wrong(f"it ends with {code} and says nothing")


def break_commands(broken):
    store = f"{broken.folder}/first"
    for words in (["store", "info", store], ["store", "verify", store, "--all"],
                  ["store", "dump", store, "--lane", "0", "--segment", "1"],
                  *(["read", "plays", "--store", store, "--partition", str(partition), "--format", "lines"]
                    for partition in range(PARTITIONS))):
        break_command(broken, words, same_or_said)
    break_repair(broken, store)


def break_repair(broken, store):
    copy, damaged = f"{broken.folder}/repaired", f"{broken.folder}/damaged"
    run("rm", "-rf", damaged)
    run("cp", "-r", "--sparse=always", store, damaged)
    with open(f"{damaged}/{FIRST_SEGMENT}", "r+b") as segment:
        segment.seek(DAMAGED_POSITION)
        byte = segment.read(1)
        segment.seek(DAMAGED_POSITION)
        segment.write(bytes([byte[0] ^ 1]))
    words = ["store", "repair", copy, "--accept-loss"]

    def prepare():
        run("rm", "-rf", copy)
        run("cp", "-r", "--sparse=always", damaged, copy)

    def check(undisturbed, disturbed):
        if disturbed[0] < 0 or (disturbed[0] != undisturbed[0] and not disturbed[2].strip()):
            raise oracle.Wrong(f"it ends with {disturbed[0]}: {disturbed[2][-300:]}")
        again = command(broken, words)
        if again[0] != 0:
            raise oracle.Wrong(f"behind it a repair ends with {again[0]}: {again[2][-300:]}")
        if read_all(broken, copy) != left:
            raise oracle.Wrong("behind it a repair leaves other events than an undisturbed one")

    prepare()
    if command(broken, words)[0] != 0:
        raise Failed(f"a repair of {damaged} fails undisturbed")
    left = read_all(broken, copy)
    break_command(broken, words, check, prepare)


def run_s13(rig, random, outcome, cycles):
    """cycles: calls of each kind that fail in each part."""
    broken = Broken(rig, random, outcome, rig.folder("s13"), cycles)
    for part in (break_first, break_commands, break_living):
        part(broken)
        if outcome.lost:
            return
    never = set(broken.call.kinds) - set(broken.met)
    if never:
        outcome.problems.append(f"no call of these kinds has failed: {sorted(never)}")
    outcome.say(", ".join(f"{kind} {count}" for kind, count in sorted(broken.met.items())))
