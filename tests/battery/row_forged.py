# SPDX-License-Identifier: BSD-3-Clause
"""S10: a producer sends payloads that are batches: copies of what stands in the store, and made ones,
placed so that they begin on a block of the segment, where recovery looks for batches."""
import base64
import itertools
import json
import subprocess

import forge
import oracle
from rig import APPLIANCE_ADDRESS, STREAM_PORT, Appliance, Failed, run
from subject import BLOCK, agreement

PAYLOAD_MAX = 1400
RUN, RUNS_OFFSET = 12, 144  # bytes of a run's header; where the first run of a batch stands
TRIES = 5  # of a cycle in which no image has come to stand on a block
IMAGES = 3  # in a batch, one at each of its first blocks but the header's
LIE = b"an event that nobody has sent"


class Store:
    """A store that liars write to; what they sent is known."""

    def __init__(self, rig, folder):
        self.rig, self.folder, self.path = rig, folder, f"{folder}/store"
        self.sent = []

    def appliance(self, path=None, **settings):
        return Appliance(self.rig, self.folder, path or self.path, linger_us=200000, ledger_interval_s=60, **settings)

    def send(self, payloads):
        lines = "".join(payload.hex() + "\n" for payload in payloads)
        subprocess.run(["nsenter", "--net=/run/netns/sender", "python3",
                        f"{self.rig.top}/tests/battery/send.py", APPLIANCE_ADDRESS, str(STREAM_PORT)],
                       input=lines, text=True, check=True)
        self.sent += payloads

    def read(self, path=None):
        """The payloads by partition and offset; both readers must find the store whole, and agree."""
        both = agreement.Agreement(self.rig.sluicectl, self.folder)
        found = []
        for done in (both.ctl(path or self.path, "plays"), both.reader(path or self.path, "plays")):
            if done.returncode:
                raise oracle.Wrong(f"the store is called damaged: {done.stderr[-300:]}")
            found.append([json.loads(line) for line in done.stdout.splitlines()])
        if found[0] != found[1]:
            raise oracle.Wrong("the readers do not agree")
        return {(event["partition"], event["offset"]): payload_of(event) for event in found[0]}


def payload_of(event):
    if "value" in event:
        return event["value"].encode()
    return base64.b64decode(event["value_base64"])


def small_batch(end):
    """The bytes of a batch of events as they stand in the store."""
    with open(end.path, "rb") as file:
        data = file.read(end.position)
    for position in range(0, len(data), BLOCK):
        if data[position:position + 4] == b"SLB1":
            header = forge.header_of(data[position:])
            if header.kind == forge.EVENTS and header.byte_length <= PAYLOAD_MAX:
                return data[position:position + header.byte_length]
    raise Failed("no batch of the store is small enough to be sent")


def images_of(kind, end, positions):
    """One image for each position, and the batch that will be around it is the next."""
    carrier = end.successor
    for position in positions:
        if kind == "copy":
            yield small_batch(end)
        elif kind == "without the salt":
            # It would vouch for everything, were it believed.
            yield forge.batch(end, LIE, salt=bytes(16), position=position, number=(1 << 40) + 1, durable_mark=1 << 40)
        elif kind == "with the salt":
            yield forge.batch(end, LIE, position=position, number=carrier["number"] + 1)
        else:  # behind the epoch start that takes the carrier's place
            yield forge.batch(end, LIE, position=position, number=carrier["number"] + 1, epoch=end.epoch + 1)


KINDS = ("copy", "without the salt", "with the salt", "with the salt and the next epoch")


def datagrams(images):
    """Such that each image begins on a block of the batch that they open."""
    at, made = RUNS_OFFSET, []
    for number, image in enumerate(images):
        room = (number + 1) * BLOCK - at - RUN  # for fillers and their headers
        count = -(-room // (PAYLOAD_MAX + RUN))
        sizes = [room // count + (index < room % count) - RUN for index in range(count)]
        made += [b"%04d of %d" % (index, number) + bytes(size - 9) for index, size in enumerate(sizes)]
        made.append(image)
        at = (number + 1) * BLOCK + len(image)
    return made


def carried(images, end):
    """How many of the images stand on a block behind the end that was."""
    with open(end.path, "rb") as file:
        file.seek(end.position)
        data = file.read((IMAGES + 2) * BLOCK)
    return sum(data[at:at + len(image)] == image
               for at, image in zip(range(BLOCK, len(data), BLOCK), images))


def tear(end):
    """As if the first block of the batch had not landed, and the others had."""
    with open(end.path, "r+b") as file:
        file.seek(end.position)
        file.write(bytes(BLOCK))


def check_torn(store, end, before):
    """Recovery passes over the images, which then stand behind the first batch of its epoch."""
    path = f"{store.folder}/torn"
    run("rm", "-rf", path)
    run("cp", "-r", "--sparse=always", store.path, path)
    tear(end._replace(path=end.path.replace(store.path, path)))
    for what, faults in (("torn", None), ("begun upon", "die=lane_begun@1"), ("gone on with", "")):
        if faults:
            store.appliance(path, faults=faults).launch().wait_for_end("it dies")
        elif faults is not None:
            store.appliance(path).start().stop()
        if store.read(path) != before:
            raise oracle.Wrong(f"the store, {what}, does not hold what it held")


def check_whole(store, before):
    """What was sent is read as it was sent, before and after recovery."""
    after = store.read()
    new = sorted(payload for event, payload in after.items() if event not in before)
    if any(after.get(event) != payload for event, payload in before.items()) or \
            sorted(after.values()) != sorted(store.sent):
        raise oracle.Wrong(f"what is read is not what was sent: {len(after)} of {len(store.sent)} events, "
                           f"{len(new)} new")
    store.appliance().start().stop()
    if store.read() != after:
        raise oracle.Wrong("after recovery it reads otherwise")


def lie_once(store, kind, outcome):
    """One life: a batch that carries images, then kill -9, before a mark says that it is durable. False when an
    idle second's mark took the place of the batch: then it shows nothing."""
    appliance = store.appliance().start()
    store.send([b"an event in front, %d" % len(store.sent)])
    appliance.wait("it is stored", lambda: appliance.stored() == 1)
    before, end = store.read(), forge.end_of(store.path)
    images = list(images_of(kind, end, [end.position + BLOCK * (1 + number) for number in range(IMAGES)]))
    payloads = datagrams(images)
    store.send(payloads)
    appliance.wait("they are stored", lambda: appliance.stored() == 1 + len(payloads))
    appliance.kill()
    count = carried(images, end)
    outcome.injected += count
    outcome.at_stake += len(payloads) if count else 0
    # The batch that carries them must be the last: a mark of an idle second vouches for it.
    if forge.end_of(store.path).last.number == end.last.number + 1:
        check_torn(store, end, before)
    check_whole(store, before)
    return count > 0


def run_s10(rig, random, outcome, cycles):
    """A store that goes on through all kinds of images."""
    store = Store(rig, rig.folder("s10"))
    kinds = random.sample(KINDS, len(KINDS))
    for kind in itertools.islice(itertools.cycle(kinds), cycles):
        try:
            any(lie_once(store, kind, outcome) for _ in range(TRIES))
        except oracle.Wrong as wrong:
            outcome.lose(f"a payload that is a batch, {kind}: {wrong}")
            return
