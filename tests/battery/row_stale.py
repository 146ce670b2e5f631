# SPDX-License-Identifier: BSD-3-Clause
"""S9: what stands behind the end of a log: blocks of earlier lives of a recycled segment, batches that
landed behind a hole, batches that are right but for one thing. None of their events comes back, however
often the appliance crashes on top of them."""
import itertools
import struct

import forge
import oracle
from recording import Images, Recording
from rig import Appliance, Blast, Disk, Failed, Mounted, write_capture

DISK_BYTES = 160 << 20
RETENTION_BYTES = 64 << 20
LATE = 2000  # of the cuts
FRESH = [b"behind the hole %d" % number for number in range(40)]
LIE = b"an event that nobody has sent"
# What is wrong with a batch, against the one that would go on; of the salt, all.
LIES = {"salt": None, "epoch": -1, "number": 1, "prev_body_crc": 1, "segment": -1, "position": 4096, "lane": 1}
MIDDLE = 1 << 20, 14 << 20  # of a segment
PLACE = struct.Struct("<4s20xQ16xQ")  # magic, segment and number of a batch header


def record(rig, random, folder):
    """A recording of a life whose segments are recycled, the end of it with small batches, several of
    them under way at a time."""
    sent = oracle.Sent()
    with Disk(rig, folder, DISK_BYTES, f"{folder}/log") as disk:
        appliance = Appliance(rig, folder, f"{disk.path}/store", linger_us=0,
                              retention_bytes=RETENTION_BYTES).start()
        fast = Blast(rig, folder, 1, rate=30000, size=1400)
        # The second one that is born from an expired segment waits: the first is being written.
        appliance.wait("a recycled segment is written", lambda: appliance.lane()["segments_recycled"] >= 2)
        sent.add_record(fast.stop())
        disk.control("delay flush 2000")
        slow = Blast(rig, folder, 2, rate=3000, size=random.randrange(140, 300))
        enough = appliance.stored() + 2000
        appliance.wait("more is stored", lambda: appliance.stored() >= enough)
        # A segment that has just begun has no writes on record, and one that ends soon is the last no more.
        appliance.wait("a segment is half full", lambda: MIDDLE[0] <= appliance.lane()["position"] <= MIDDLE[1])
        appliance.kill()
        sent.add_record(slow.stop())
    for port in range(8):
        sent.add(b"fresh%d" % port, FRESH[port::8])
    return Recording(disk.base, disk.log), sent


def batches_of(recording, writes):
    """{position on the disk: (segment, batch number)} of the writes that are batches."""
    found = {}
    with open(recording.data_path, "rb") as file:
        for write in writes:
            file.seek(write.data_position)
            magic, segment, number = PLACE.unpack(file.read(PLACE.size))
            if magic == b"SLB1":
                found[write.position] = segment, number
    return found


def choose(recording, random, count):
    """Of the last cuts those with three or more batches under way in the last segment, which is a recycled
    one: in a new one, what lands behind a hole is not there when the file system comes back."""
    under_way = {cut: batches_of(recording, recording.pending(cut.index)) for cut in recording.cuts()[-LATE:]}
    last = max(segment for batches in under_way.values() for segment, _ in batches.values())
    cuts = [cut for cut, batches in under_way.items()
            if len(batches) >= 3 and all(segment == last for segment, _ in batches.values())]
    return sorted(random.sample(cuts, min(count, len(cuts))))


def make_hole(images, cut):
    """All that was under way has landed but the first batch."""
    images.advance(cut.index)
    batches = batches_of(images.recording, images.pending)
    hole = min(batches, key=batches.get)
    return images.write(lambda write: write.position != hole)


def stale_behind(store):
    """(batches of the same life behind a hole, blocks of earlier lives of the file), as headers."""
    end = forge.end_of(store)
    orphans, recycled = [], []
    for position, header in forge.blocks_behind(end):
        if (header.segment, header.position) != (end.last.segment, position):
            recycled.append(header)
        elif header.number > end.last.number:
            orphans.append(header)
    return orphans, recycled


def check_goes_on(before, after):
    """What was there is there, and nothing but fresh events behind it, each of them."""
    fresh = set(FRESH)
    for partition, events in after.partitions.items():
        old = before.partitions.get(partition, {})
        for offset, event in events.items():
            if offset in old and event != old[offset]:
                raise oracle.Wrong(f"partition {partition}, offset {offset}: was {old[offset][:80]!r}, "
                                   f"is {event[:80]!r}")
            if offset not in old and event not in fresh:
                raise oracle.Wrong(f"partition {partition}, offset {offset}: an old event has come back: "
                                   f"{event[:80]!r}")
    for partition, events in before.partitions.items():
        if not events.keys() <= after.partitions.get(partition, {}).keys():
            raise oracle.Wrong(f"partition {partition}: what was read after the cut is gone")


def die_at_the_epoch_start(rig, folder, store):
    """Right behind the first batch of a new epoch, which takes the place of the one that is missing."""
    appliance = Appliance(rig, folder, store, faults="die=lane_begun@1").launch()
    appliance.wait_for_end("it dies")


def put(end, data):
    with open(end.path, "r+b") as file:
        file.seek(end.position)
        file.write(data)


def lie(store, field):
    """A batch behind the end that everybody would take, were it not for one field."""
    end = forge.end_of(store)
    if field == "salt":
        put(end, forge.batch(end, LIE, salt=forge.OTHER_SALT))
    else:
        put(end, forge.batch(end, LIE, **{field: (end.successor[field] + LIES[field]) % (1 << 32)}))


def check_that_it_would_be_taken(rig, store, folder):
    """With nothing wrong it is: what is refused otherwise is refused for what is wrong."""
    before = oracle.read(rig, store, folder)
    put(forge.end_of(store), forge.batch(forge.end_of(store), LIE))
    after = oracle.read(rig, store, folder)
    if sorted([*before.payloads(), LIE]) != sorted(after.payloads()):
        raise Failed("the forged batch is not what the log would go on with: the row shows nothing")


def crash_twice(rig, folder, sent, cut, store, field):
    """Crash behind crash on top of what is stale."""
    die_at_the_epoch_start(rig, folder, store)
    before = oracle.read(rig, store, folder)
    oracle.judge(before, sent, dict(enumerate(cut.watermarks)))
    appliance = Appliance(rig, folder, store, device=f"pcap:{folder}/fresh.pcap").start()
    appliance.wait("the fresh events are stored", lambda: appliance.stored() >= len(FRESH))
    appliance.kill()
    lie(store, field)
    check_goes_on(before, oracle.read(rig, store, folder))
    Appliance(rig, folder, store).start().stop()
    after = oracle.read(rig, store, folder)
    check_goes_on(before, after)
    oracle.judge(after, sent, {partition: before.end(partition) for partition in before.partitions})
    if not set(after.payloads()).issuperset(FRESH):
        raise oracle.Wrong("what was stored between the crashes is not there")


def run_s9(rig, random, outcome, cycles):
    """Holes in the recording of one life, each of them crashed upon."""
    folder, recycled_count = rig.folder("s9"), 0
    recording, sent = record(rig, random, folder)
    write_capture(f"{folder}/fresh.pcap", FRESH)
    images, fields = Images(recording, folder), itertools.cycle(random.sample(list(LIES), len(LIES)))
    cuts = choose(recording, random, cycles)
    for cut in cuts:
        with Mounted(make_hole(images, cut), f"{folder}/cut") as mounted:
            store, field = f"{mounted.path}/store", next(fields)
            orphans, recycled = stale_behind(store)
            outcome.injected += bool(orphans)
            outcome.at_stake += sum(header.event_count for header in orphans)
            recycled_count += len(recycled)
            try:
                crash_twice(rig, folder, sent, cut, store, field)
            except Failed as failed:
                outcome.lose(f"cut at record {cut.index}, a batch of another {field}: {failed}")
                continue
            if cut is cuts[0]:
                check_that_it_would_be_taken(rig, store, folder)
    images.close()
    outcome.say(f"{recycled_count} blocks of recycled segments stood behind the ends")
    if not recycled_count:
        outcome.problems.append("no block of an earlier life stood behind an end: the row shows half of it only")
