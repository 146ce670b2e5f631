# SPDX-License-Identifier: BSD-3-Clause
"""Reading a stopped store back: all of it, with sluicectl, and with dd, which has nothing else to do. All
of them read past the page cache (O_DIRECT)."""

import dataclasses
import errno
import glob
import json
import os

from machine import Watch, disturbance
from processes import Failed, run

DD_BYTES = 1 << 20
HOLES_SHARE_MAX = 0.01  # of a segment that is read in full: dd is fast where nothing stands


@dataclasses.dataclass
class Reading:
    """What one pass over a store read."""
    rate: float  # bytes a second
    disturbed: str


def run_watched(bench, commands, log_path):
    """One after the other. Returns the last process, how long all took, and what disturbed them or ""."""
    watch = Watch()
    processes = [run(command, log_path) for command in commands]
    watch.stop()
    watch.busy_seconds -= sum(process.cpu_seconds for process in processes)
    return processes[-1], watch.seconds, disturbance(watch, bench.cpu_count)


def _segments(bench):
    return sorted(glob.glob(f"{glob.escape(bench.path('store'))}/**/*.seg", recursive=True))


def segment_path(bench, number):
    """Of the segment with this number in the store's only lane."""
    return next(path for path in _segments(bench) if int(os.path.basename(path).partition(".")[0], 16) == number)


def data_bytes(path):
    """Where a file's data ends: what is preallocated behind and was never written needs no reading."""
    descriptor, end = os.open(path, os.O_RDONLY), 0
    try:
        size = os.fstat(descriptor).st_size
        while end < size:
            end = os.lseek(descriptor, os.lseek(descriptor, end, os.SEEK_DATA), os.SEEK_HOLE)
    except OSError as error:
        if error.errno != errno.ENXIO:  # no data behind here
            raise
    finally:
        os.close(descriptor)
    return end


def whole_segments(bench):
    """Paths of the store's segments whose blocks are all there."""
    found = []
    for path in _segments(bench):
        status = os.stat(path)
        if status.st_blocks * 512 >= (1 - HOLES_SHARE_MAX) * status.st_size:
            found.append(path)
    if not found:
        raise Failed("the store has no segment to read")
    return found


def dd(bench, what, paths, bytes_max=None):
    """Files one after the other, each up to bytes_max."""
    blocks = [min(os.path.getsize(path), bytes_max or os.path.getsize(path)) // DD_BYTES for path in paths]
    commands = [["dd", f"if={path}", "of=/dev/null", f"bs={DD_BYTES}", f"count={count}", "iflag=direct"]
                for path, count in zip(paths, blocks)]
    process, seconds, disturbed = run_watched(bench, commands, bench.path("dd.log"))
    found = Reading(sum(blocks) * DD_BYTES / seconds, disturbed)
    bench.note_reference(what, {"dd": process.command, "files": len(paths), "bytes_per_second": found.rate,
                                "disturbed": disturbed})
    return found


def sluicectl(bench, *arguments):
    return [bench.program("control/ctl/sluicectl"), "--runtime-dir", bench.path("run"), *arguments]


def verify(bench, what):
    """sluicectl store verify, at its own word."""
    log = bench.path("verify.log")
    process, _, disturbed = run_watched(bench, [sluicectl(bench, "store", "verify", bench.path("store"), "--json")], log)
    said = json.loads(process.output())
    if not said["sound"] or said["events"] == 0:
        raise Failed(f"sluicectl store verify: {said['events']} events, sound: {said['sound']}")
    found = Reading(said["bytes"] / said["seconds"], disturbed)
    bench.note_run(what, {"command": process.command, "bytes": said["bytes"], "seconds": said["seconds"],
                          "events": said["events"], "disturbed": disturbed},
                   f"{found.rate / 1e6:.0f} MB/s")
    return found


def _partitions(bench):
    """The store's partitions, as sluicectl store info knows them."""
    process = run(sluicectl(bench, "store", "info", bench.path("store"), "--json"), bench.path("info.log"))
    return json.loads(process.output())["partitions"]


def read(bench, what, partition=None):
    """sluicectl read of the stream, or of one partition; the rate is of the log, all of which it passes."""
    counted = [one["next_offset"] - one["first_offset"] for one in _partitions(bench)
               if one["stream_partition"] == partition or partition is None]
    command = sluicectl(bench, "read", "bench", "--store", bench.path("store"), "--format", "raw",
                        *(["--partition", str(partition)] if partition is not None else []))
    # The payloads go nowhere, without a pipe.
    process, seconds, disturbed = run_watched(bench, [command], "/dev/null")
    events = sum(counted)
    if events == 0:
        raise Failed("there are no events to read")
    found = Reading(sum(map(os.path.getsize, whole_segments(bench))) / seconds, disturbed)
    bench.note_run(what, {"command": process.command, "events": events, "seconds": seconds, "disturbed": disturbed},
                   f"{found.rate / 1e6:.0f} MB/s, {events / seconds / 1e6:.3f} M events/s")
    return found
