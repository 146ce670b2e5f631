# SPDX-License-Identifier: BSD-3-Clause
"""Rows of recovery: how long a start takes for what a killed appliance has left unsealed. Segments are read
past the page cache (O_DIRECT), so that it need not be made cold."""

import dataclasses
import os
import statistics

import load as generator
import reading
from appliance import GIB, Appliance, Setup, drop_store
from load import FRAME_OVERHEAD, Load, Sender
from machine import Watch, disturbance
from processes import Failed, wait_until
from row import join_notes, make_row
from rows_store import FRAME
from trial import repeat_disturbed

MS_PER_GIB_MAX = 700.0  # what the design asks for
EVENT_OVERHEAD = 12  # of an event in the log, without a source
RECOVERED_SHARE_MIN = 0.7  # of the log: headers and padding are the rest
RETENTION_SEGMENTS = 32
CRASHES_MAX = 5
SEND_SECONDS_MAX = 600  # the crash ends it


class WentOn(Failed):
    """The appliance had begun its next segment by the time it was killed."""


@dataclasses.dataclass
class Recovery:
    """One start over an unsealed segment."""
    ms_per_gib: float
    dd_ms_per_gib: float  # what reading the same alone takes
    start_seconds: float
    disturbed: str


def _setup(bench, partitions=16, segments=1):
    """Segments as many times as large as others; nothing expires. The appliance listens: most starts have
    no sender."""
    segment_bytes = segments * (bench.scale.segment_bytes or GIB)
    return Setup(partitions, RETENTION_SEGMENTS * segment_bytes, segment_bytes, copied=True)


def _new_store(bench):
    drop_store(bench)
    bench.store_key = None  # not one that other rows can use


def _crash(bench, setup, size, segment):
    """Kills an appliance under load when `segment` or a later one is nearly full; returns which it was."""
    lowest, highest = bench.scale.crash_share
    rate = bench.scale.store_rate_64 if size == 64 else bench.scale.store_rate
    appliance = Appliance(bench, setup).start()
    sender = Sender(bench, Load(size=size, seconds=SEND_SECONDS_MAX, rate=rate),
                    generator.memif_device(appliance.socket, "client"))
    sender.begin()
    seen = []

    def is_nearly_full():
        lane = appliance.lane()
        seen[:] = [lane["segment"]]
        return lane["segment"] >= segment and lowest <= lane["position"] / setup.segment_bytes <= highest
    wait_until(f"segment {segment} is {100 * lowest:.0f} % full", is_nearly_full, sender.process, SEND_SECONDS_MAX)
    appliance.kill()
    sender.process.kill()
    bench.note_disk()
    return seen[0]


def _bench_seconds():
    """CPU time of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def check_recovered(said, lane, size, segment):
    """What was recovered is what the unsealed segment holds, and it alone. said, lane: of status and stats."""
    if lane["segment"] != segment:
        raise WentOn(f"segment {segment} was nearly full, and the appliance went on in segment {lane['segment']}")
    event_bytes = said["recovered_events"] * (size - FRAME_OVERHEAD + EVENT_OVERHEAD)
    if not RECOVERED_SHARE_MIN * lane["position"] <= event_bytes <= lane["position"]:
        raise Failed(f"the log of segment {segment} ends at {lane['position']}, and events of {event_bytes} bytes "
                     "were recovered")


def recover(bench, setup, size, segment, what):
    """Starts the appliance, which recovers, and kills it again, so that nearly the same is left."""
    watch, own = Watch(), _bench_seconds()
    appliance = Appliance(bench, setup).start()
    used = appliance.cpu_seconds() + _bench_seconds() - own
    watch.stop()
    watch.busy_seconds -= used
    said, lane = appliance.lane("status"), appliance.lane()
    appliance.kill()
    check_recovered(said, lane, size, segment)
    path = reading.segment_path(bench, segment)
    milliseconds, read_bytes = said["recovery_us"] / 1e3, reading.data_bytes(path)
    read = reading.dd(bench, f"dd_{what}", [path], read_bytes)
    found = Recovery(milliseconds * GIB / read_bytes, 1e3 * GIB / read.rate, appliance.start_seconds,
                     disturbance(watch, bench.cpu_count) or read.disturbed)
    bench.note_run(what, {
        "command": appliance.process.command, "segment": segment, "position": lane["position"], "bytes": read_bytes,
        "partitions": setup.partitions, "recovery_us": said["recovery_us"],
        "recovered_events": said["recovered_events"], "start_seconds": found.start_seconds, "disturbed": found.disturbed},
        f"{milliseconds:.0f} ms for {read_bytes / 1e9:.3f} GB, running after {found.start_seconds:.2f} s")
    return found


def _recoveries(bench, setup, size, what, segment=1):
    """Of what a crash leaves in `segment` or a later one."""
    for _ in range(CRASHES_MAX):
        segment = _crash(bench, setup, size, segment)
        try:
            return [repeat_disturbed(bench, what, lambda: recover(bench, setup, size, segment, what))
                    for _ in range(bench.scale.trials)]
        except WentOn as went_on:
            bench.say(f"  {what}: {went_on}")
            segment += 1
    raise Failed(f"{CRASHES_MAX} times the appliance began its next segment before it was killed")


def _row(name, found, reference, reference_values):
    return make_row(name, [one.ms_per_gib for one in found], "ms/GiB", reference, reference_values,
                    join_notes(one.disturbed for one in found))


def _dd_row(name, found):
    values = [one.ms_per_gib for one in found]
    return make_row(name.replace("recovery_", "recovery_dd_", 1), [one.dd_ms_per_gib for one in found], "ms/GiB", name,
                    values)


def _empty_start(bench, setup):
    """Seconds of a start with a new store."""
    _new_store(bench)
    appliance = Appliance(bench, setup).start()
    appliance.stop()
    return appliance.start_seconds


def of_a_segment(bench):
    """Of a nearly full segment of large frames, one of the smallest, and one four times as large; and what
    a start takes, seen from outside."""
    cases = [("recovery_ms_per_gib", FRAME, 1), ("recovery_ms_per_gib_64", 64, 1)]
    if bench.scale.large_segment:
        cases.append(("recovery_ms_per_gib_large_segment", FRAME, bench.scale.large_segment))
    rows, starts, empty = [], [], []
    for name, size, segments in cases:
        _new_store(bench)
        setup = _setup(bench, segments=segments)
        found = _recoveries(bench, setup, size, name)
        rows += [_row(name, found, "wanted at most", [MS_PER_GIB_MAX]), _dd_row(name, found)]
        if name == "recovery_ms_per_gib":
            starts = [one.start_seconds for one in found]
            empty = [_empty_start(bench, setup) for _ in range(bench.scale.trials)]
    _new_store(bench)
    return [*rows, make_row("recovery_start_up", starts, "s", "with an empty store", empty)]


def by_store_size(bench, partitions):
    """Of stores that grow from crash to crash, each with one unsealed segment: what a start reads does not
    grow with the store, nor with the partitions."""
    _new_store(bench)
    setup, rows, first = _setup(bench, partitions), [], None
    for segments in bench.scale.store_sizes:
        name = f"recovery_ms_{segments}g_p{partitions}"
        found = _recoveries(bench, setup, FRAME, name, segments)
        fewer = bench.value_of(f"recovery_ms_{segments}g_p16") if partitions != 16 else None
        if fewer is not None:
            rows.append(_row(name, found, f"recovery_ms_{segments}g_p16", [fewer]))
        elif first is not None:
            rows.append(_row(name, found, rows[0]["name"], [first]))
        else:
            rows.append(_row(name, found, "", ()))
        first = first or statistics.median(one.ms_per_gib for one in found)
    _new_store(bench)
    return rows
