# SPDX-License-Identifier: BSD-3-Clause
"""S3, S4, S12: kill -9, of an appliance under load, in front of a slow disk, and of recovery itself."""
import re
import shutil

import oracle
from rig import Appliance, Blast, Disk, Failed, end_all, have_landed, run, wait_until

RETENTION_BYTES = 64 << 20
SLOW_WRITE_US = 500000
TRIES = 5  # of a cycle that shows nothing
WAITS = "waiting for I/O of the previous run"
DIED = -9


def points(rig, prefixes):
    """Names of dataplane/fault_points.def."""
    with open(f"{rig.top}/dataplane/fault_points.def", encoding="ascii") as file:
        names = re.findall(r'^SL_FAULT_POINT_ROW\(\w+, "(\w+)"\)', file.read(), re.M)
    return [name for name in names if name.startswith(prefixes)]


def say_where(outcome, names, died):
    """died: the point of each death at a named one."""
    never = [name for name in names if name not in died]
    outcome.say(f"{len(died)} died at a named point, " + (f"none at {', '.join(never)}" if never else "at each one or more"))


class Killed:
    """A store that lives through kills; the oracle looks at it after each of them."""

    def __init__(self, rig, folder, store, **settings):
        self.rig, self.folder = rig, folder
        self.appliance = Appliance(
            rig, folder, store, **{"retention_bytes": RETENTION_BYTES, **settings})
        self.sent, self.known, self.watermarks = oracle.Sent(), {}, {}
        self.epoch, self.lives = 0, 0

    def begin(self, faults=None):
        """True once it runs; False when it has died on the way, as it was told to."""
        self.appliance.faults = faults
        self.appliance.launch()
        wait_until("the data plane runs", lambda: self.appliance.state() == "running"
                   or not self.appliance.is_alive())
        if not self.appliance.is_alive():
            if faults and self.appliance.process.returncode == DIED:
                return False
            raise Failed(f"the data plane ended: {self.appliance.said()[-500:]}")
        epoch = self.appliance.status()["lanes"][0]["epoch"]
        if epoch <= self.epoch:
            raise oracle.Wrong(f"epoch {epoch} behind {self.epoch}")
        self.epoch = epoch
        return True

    def load(self, enough, **blast):
        """Until that many events are stored, or it has died; returns a producer that goes on."""
        self.lives += 1
        producer = Blast(self.rig, self.folder, self.lives, **blast)
        wait_until("events are stored", lambda: not self.appliance.is_alive()
                   or self.appliance.stored() >= enough)
        return producer

    def note_promises(self):
        """Of a dead one too; returns how many batches were under way."""
        for partition, watermark in self.appliance.watermarks().items():
            self.watermarks[partition] = max(watermark, self.watermarks.get(partition, 0))
        return self.appliance.in_flight()

    def kill(self, producer):
        """Now; returns how many batches were under way."""
        self.appliance.kill()
        at_stake = self.note_promises()
        self.sent.add_record(producer.stop())
        return at_stake

    def wait_landed(self):
        """What the dead one had under way may land behind it; readers are to find one and the same store."""
        wait_until("the dead one's writes have landed", lambda: have_landed(self.appliance.paths))

    def judge(self):
        if not self.appliance.is_alive():
            self.wait_landed()
        contents = oracle.read(self.rig, self.appliance.store, self.folder, self.appliance.paths[1:])
        oracle.judge(contents, self.sent, self.watermarks, self.known)
        oracle.check_ledgers(self.rig, self.appliance.store, self.appliance.paths[1:])
        return contents


def run_s3(rig, random, outcome, cycles):
    """Every third kill at a named point, the others whenever it happens."""
    folder, died = rig.folder("s3"), []
    names = points(rig, ("birth", "recycle", "seal"))
    random.shuffle(names)
    killed = Killed(rig, folder, f"{folder}/store", linger_us=500)
    for cycle in range(cycles):
        name = names[cycle // 3 % len(names)] if cycle % 3 == 2 else None
        outcome.injected += 1
        if killed.begin(f"die={name}@{random.choice((1, 2))}" if name else None):
            many = name is not None
            producer = killed.load(25000 if many else random.randrange(100, 3000),
                                   rate=30000 if many else 8000, size=1400 if many else 300)
            if not killed.appliance.is_alive():
                died.append(name)
            outcome.at_stake += killed.kill(producer)
        else:
            died.append(name)
        try:
            killed.judge()
        except oracle.Wrong as wrong:
            outcome.lose(f"cycle {cycle}, {name or 'at random'}: {wrong}")
            return  # what comes behind would only repeat it
    say_where(outcome, names, died)
    killed.begin()
    killed.appliance.check_identities()
    killed.appliance.stop()
    killed.judge()


def restart_at_once(disk, killed, random, outcome):
    """False when all had landed before the successor looked: then it shows nothing."""
    killed.begin()
    producer = killed.load(random.randrange(200, 1000), rate=8000, size=300)
    disk.control(f"delay write {SLOW_WRITE_US}")
    killed.appliance.wait("writes are under way", lambda: killed.appliance.in_flight() >= 4)
    at_stake = killed.kill(producer)
    killed.appliance.launch()
    killed.appliance.wait("it waits, or runs", lambda: WAITS in killed.appliance.said()
                          or killed.appliance.state() == "running")
    has_waited = WAITS in killed.appliance.said()
    if has_waited:
        outcome.injected += 1
        outcome.at_stake += at_stake
    disk.control("delay write 0")
    killed.appliance.wait("it runs", lambda: killed.appliance.state() == "running")
    killed.epoch = killed.appliance.status()["lanes"][0]["epoch"]
    killed.appliance.stop()
    killed.judge()
    return has_waited


def run_s4(rig, random, outcome, cycles):
    """The disk takes its time for the writes of the dead one; its successor starts at once."""
    folder = rig.folder("s4")
    with Disk(rig, folder, 160 << 20) as disk:
        killed = Killed(rig, folder, f"{disk.path}/store", linger_us=0)
        for cycle in range(cycles):
            try:
                any(restart_at_once(disk, killed, random, outcome) for _ in range(TRIES))
            except oracle.Wrong as wrong:
                outcome.lose(f"cycle {cycle}: {wrong}")
                return


def crashed_store(rig, random, folder):
    """A store as kill -9 leaves it, and what is known of it."""
    killed = Killed(rig, folder, f"{folder}/store", linger_us=500)
    killed.begin()
    killed.kill(killed.load(random.randrange(1000, 4000), rate=8000, size=300))
    killed.begin()
    killed.kill(killed.load(random.randrange(1000, 4000), rate=8000, size=300))
    killed.wait_landed()
    return killed


def finish(rig, killed, folder, store):
    """Starts, stops, and returns what is in there."""
    Appliance(rig, folder, store).start().stop()
    contents = oracle.read(rig, store, folder)
    oracle.judge(contents, killed.sent, killed.watermarks)
    return contents.partitions


def run_s12(rig, random, outcome, cycles):
    """Recovery of copies of one crashed store, killed at a step, some of them once more, ends as the
    undisturbed one."""
    folder = rig.folder("s12")
    killed = crashed_store(rig, random, folder)
    copy = f"{folder}/copy"
    shutil.copytree(f"{folder}/store", copy)
    undisturbed = finish(rig, killed, folder, copy)
    names, died = points(rig, ("recovery", "store", "lane", "birth")), []
    for cycle in range(cycles):
        shutil.rmtree(copy)
        run("cp", "-r", "--sparse=always", f"{folder}/store", copy)
        steps = [names[cycle % len(names)]] + random.choices(names, k=random.randrange(3))
        for step in steps:
            appliance = Appliance(rig, folder, copy, f"die={step}@1").launch()
            wait_until("recovery has died", lambda: not appliance.is_alive()
                       or appliance.state() == "running")
            if appliance.is_alive():
                appliance.stop()  # a step that this start did not come by
            else:
                outcome.injected += 1
                died.append(step)
        try:
            if finish(rig, killed, folder, copy) != undisturbed:
                raise oracle.Wrong("it does not end as the undisturbed one")
        except Failed as failed:
            end_all()
            outcome.lose(f"killed at {', '.join(steps)}: {failed}")
    outcome.at_stake = outcome.injected
    say_where(outcome, names, died)
