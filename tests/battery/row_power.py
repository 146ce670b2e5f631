# SPDX-License-Identifier: BSD-3-Clause
"""S1, S2: power cuts. One recording of the disk under a real appliance gives many cuts; after each one
a real appliance starts on what is left, goes on behind it, and the oracle judges."""
import itertools

import oracle
from outcome import Outcome
from recording import WRITE, Images, Recording
from rig import Appliance, Blast, Disk, Failed, Mounted, write_capture

DISK_BYTES = 256 << 20
RETENTION_BYTES = 64 << 20  # four segments: the fifth is the first again
START_RECORDS = 150  # around the start of a life
FLUSH_US = (100, 500, 2000)  # how long a flush takes: what is written meanwhile is at stake together
FRESH = [b"after the cut %d" % number for number in range(40)]
THOROUGH = 4  # every fourth cut is looked at twice
BROKEN = ("written", "flush=skip", "epoch=skip")
LIVES = ("kill", "stop", "kill", "stop")


class Recorded:
    """A recording with what its producers and its appliance said."""

    def __init__(self, recording, sent, known, names):
        """names: of the store's paths on the disk."""
        self.recording, self.sent, self.known, self.names = recording, sent, known, names

    def acknowledged(self, epoch):
        """How much was when that epoch ended."""
        return max((sum(record.watermarks) for record in self.recording.records
                    if record.epoch <= epoch), default=0)


def add_fresh(sent):
    for port in range(8):
        sent.add(b"fresh%d" % port, FRESH[port::8])


def live(rig, folder, random, appliance, number, end):
    """One life of the appliance under load; returns the producer's record."""
    appliance.start()
    blast = Blast(rig, folder, 1 + number, rate=6000, size=400)
    enough = random.randrange(6000, 9000)
    appliance.wait("events are stored", lambda: appliance.stored() >= enough)
    if end == "kill":
        appliance.kill()
        record = blast.stop()
    else:
        record = blast.stop()
        appliance.stop()
    return record


def record(rig, random, name, lives=LIVES, faults=None, mount_options="", names=("store",),
           **settings):
    """A recording of some lives under load; a lane on each of the store's paths."""
    folder = rig.folder(name)
    sent, known = oracle.Sent(), {}
    with Disk(rig, folder, DISK_BYTES, f"{folder}/log", mount_options) as disk:
        disk.control(f"delay flush {random.choice(FLUSH_US)}")
        appliance = Appliance(
            rig, folder, f"{disk.path}/{names[0]}", linger_us=250,
            other_paths=[f"{disk.path}/{name}" for name in names[1:]],
            **{"retention_bytes": RETENTION_BYTES, **settings})
        for number, end in enumerate(lives):
            appliance.faults = faults[number] if faults else None
            sent.add_record(live(rig, folder, random, appliance, number, end))
        if not faults and lives[-1] == "stop":
            # Its own end is the first thing to judge; what it holds is what cuts are compared with.
            contents = oracle.read(rig, appliance.store, folder, appliance.paths[1:])
            oracle.judge(contents, sent, {})
            oracle.check_same(contents, known, {partition: contents.end(partition)
                                                for partition in contents.partitions})
    add_fresh(sent)
    return Recorded(Recording(disk.base, disk.log), sent, known, names)


def choose(recording, random, count):
    """Some of the cuts that something is at stake in, a quarter of them just behind a start."""
    cuts = recording.cuts()
    epochs = [record.epoch for record in recording.records]
    fresh = [cut for cut in cuts
             if epochs[max(0, cut.index - START_RECORDS)] != epochs[min(len(epochs) - 1,
                                                                        cut.index + START_RECORDS)]]
    chosen = set(random.sample(fresh, min(len(fresh), count // 4)))
    rest = [cut for cut in cuts if cut not in chosen]
    chosen.update(random.sample(rest, min(len(rest), count - len(chosen))))
    return sorted(chosen)


def go_on(rig, folder, recorded, cut, paths, is_thorough):
    """A real appliance starts on what the cut left, and goes on behind it."""
    appliance = Appliance(rig, folder, paths[0], other_paths=paths[1:],
                          device=f"pcap:{folder}/fresh.pcap", mbufs=4096, rx_descriptors=512,
                          store_extra="  format_bytes_per_s: 0\n")
    appliance.start()
    appliance.wait("the fresh events are stored", lambda: appliance.stored() >= len(FRESH))
    epoch = min(lane["epoch"] for lane in appliance.status()["lanes"])
    if epoch <= cut.epoch:
        raise oracle.Wrong(f"epoch {epoch} behind {cut.epoch}")
    if is_thorough:
        appliance.check_identities()
    appliance.stop()
    contents = oracle.read(rig, paths[0], folder, paths[1:])
    watermarks = dict(enumerate(cut.watermarks))
    oracle.judge(contents, recorded.sent, watermarks, recorded.known)
    if not set(contents.payloads()).issuperset(FRESH):
        raise oracle.Wrong("what was stored after the cut is not there")
    oracle.check_ledgers(rig, paths[0], paths[1:])


def check_cut(rig, folder, recorded, cut, image, is_thorough):
    """is_thorough: also reads the store before anything repairs it, and asks the living appliance."""
    with Mounted(image, f"{folder}/cut") as mounted:
        paths = [f"{mounted.path}/{name}" for name in recorded.names]
        if is_thorough:
            oracle.check_image(rig, paths[0], paths[1:])
        go_on(rig, folder, recorded, cut, paths, is_thorough)


def cut_power(rig, random, name, recorded, cuts, outcome, thorough=THOROUGH):
    """Every cut; what breaks a promise is counted, with the first ones in words."""
    folder = rig.folder(name)
    write_capture(f"{folder}/fresh.pcap", FRESH)
    images = Images(recorded.recording, folder)
    try:
        for cut in cuts:
            image = images.build(cut, random)
            outcome.injected += 1
            outcome.at_stake += cut.at_stake
            try:
                check_cut(rig, folder, recorded, cut, image, outcome.injected % thorough == 0)
            except Failed as failed:
                outcome.lose(f"cut at record {cut.index}: {failed}")
    finally:
        images.close()


def run_s1(rig, random, outcome, cycles):
    """As many recordings as it takes: 35 cuts of a store on one path, 15 of one on two, and so on."""
    for names, cut_count in itertools.cycle(((("store",), 35), (("a", "b"), 15))):
        if outcome.injected >= cycles:
            return
        settings = {"batch_bytes": random.choice((65536, 524288)),
                    "in_flight_max": random.choice((2, 8, 16))}
        recorded = record(rig, random, "s1", names=names, **settings)
        cut_power(rig, random, "s1-cuts", recorded,
                  choose(recorded.recording, random, min(cut_count, cycles - outcome.injected)), outcome)


def has_promised(recording, cut):
    """True when something was acknowledged that was written behind the last flush: an appliance that is
    whole never does."""
    first = cut.index
    while first and recording.records[first - 1].kind == WRITE:
        first -= 1
    # What had been acknowledged when the first of these writes came, was in front of the flush.
    return cut.acknowledged > sum(recording.records[first].watermarks)


def break_it(rig, random, mode):
    """A recording of an appliance that leaves out what durability rests on, and its cuts."""
    # Segments that are written ahead are flushed, and with them all that the disk holds.
    settings = {"store_extra": "  format_bytes_per_s: 0\n"}
    if mode == "written":
        recorded = record(rig, random, "s2", ("kill",), durability="written", **settings)
    else:
        recorded = record(rig, random, "s2", ("stop", "kill"), (None, mode), **settings)
    # Once there is something to lose. Without its epoch every batch is found, whatever is at stake.
    first = 0 if mode == "written" else 1
    return recorded, [cut for cut in recorded.recording.cuts()
                      if cut.epoch > first and cut.acknowledged >= recorded.acknowledged(first) + 500 and
                      (mode == "epoch=skip" or has_promised(recorded.recording, cut))]


def run_s2(rig, random, outcome, cycles):
    """Three broken appliances: of each, the oracle must catch four of five cuts."""
    for mode in BROKEN:
        recorded, cuts = break_it(rig, random, mode)
        caught = Outcome()
        cuts = sorted(random.sample(cuts, min(len(cuts), cycles // len(BROKEN))))
        cut_power(rig, random, "s2-cuts", recorded, cuts, caught, thorough=1)
        outcome.injected += caught.injected
        outcome.at_stake += caught.at_stake
        outcome.lost += caught.lost
        outcome.say(f"{mode}: {caught.lost} of {caught.injected} caught; the first: {caught.problems[:1]}")
        if not caught.injected or caught.lost < 0.8 * caught.injected:
            outcome.problems.append(f"{mode}: the oracle caught {caught.lost} of {caught.injected} cuts only")
