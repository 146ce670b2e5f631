# SPDX-License-Identifier: BSD-3-Clause
"""A small store as real lives of an appliance leave it, with one of everything: two paths and a lane on
each, sealed segments with their indexes, an unsealed one behind an epoch start, marks, sources, gaps."""
import time

from rig import FLOWS, Appliance, Blast, write_capture

TOO_LARGE = 65500  # of a datagram, for batches of 65536
# sluice-blast makes no shorter one; all events of a life fit one batch, so that none is refused while a disk stalls.
PLAY_SIZES = range(132, 600)
QUIET_SECONDS = 5
ENDS = ("stop", "kill", "kill")
SETTINGS = {"linger_us": 250, "keep_source": "true", "store_extra": "  format_bytes_per_s: 0\n"}


def _has_sealed(appliance, before):
    """A segment of each lane that the life has written has ended and has its index."""
    lanes = appliance.ask("stats")["lanes"]
    return all(lane["segments_aged"] and lane["segments_indexed"] > before for lane in lanes)


def _wait_for_mark(appliance):
    """Behind the last event of each lane one more batch, a ledger or a mark, says that it is durable: now, or
    it was written before this looked, a second or two after the event."""
    last = [lane["batch_number"] for lane in appliance.ask("stats")["lanes"]]
    since = time.monotonic()
    appliance.wait("all is below a mark", lambda: time.monotonic() - since > QUIET_SECONDS or all(
        lane["watermark_number"] > number for lane, number in zip(appliance.ask("stats")["lanes"], last)))


def _capture(folder, random):
    payloads = [b"%d of a capture, " % number + random.randbytes(random.randrange(1, 1500)).hex().encode()
                for number in range(150)]
    payloads.insert(75, b"x" * TOO_LARGE)
    write_capture(f"{folder}/capture.pcap", payloads, ports=FLOWS)  # a lane without events would seal nothing
    return len(payloads) - 1


def store(rig, folder, random, ends=ENDS):
    """Lives, the first from a capture that holds what no batch has room for, the others from a
    producer; the last one's segments stay open. Returns the appliance, dead."""
    count = _capture(folder, random)
    for life, end in enumerate(ends):
        is_last = life == len(ends) - 1
        device = "af_xdp:sl0" if life else f"pcap:{folder}/capture.pcap"
        appliance = Appliance(rig, folder, f"{folder}/a", other_paths=[f"{folder}/b"], device=device,
                              segment_age_s=0 if is_last and life else 1, **SETTINGS).start()
        if life:
            Blast(rig, folder, life, rate=3000, count=count, size=random.choice(PLAY_SIZES)).sent()
        appliance.wait("the life's events are stored", lambda: appliance.stored() >= count)
        if not is_last:
            appliance.wait("segments are sealed", lambda: _has_sealed(appliance, life))
        else:
            _wait_for_mark(appliance)
        if end == "kill":
            appliance.kill()
        else:
            appliance.stop()
    return appliance
