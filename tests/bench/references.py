# SPDX-License-Identifier: BSD-3-Clause
"""What the machine itself can do, measured beside the appliance: receiving without storing
(dpdk-testpmd), and writing without receiving (fio)."""

import dataclasses
import json
import os
import re
import signal

import load as generator
from processes import Failed, Process, run, wait_until

BURST = 64  # SL_BURST_COUNT_MAX of dataplane/burst.h
DESCRIPTORS = 4096  # configs/bench.yaml
MBUFS = 65536
MEMORY_MIB = 256
BLOCK_BYTES = 524288  # batch_bytes


@dataclasses.dataclass
class Written:
    """What fio says of one run."""
    rate: float  # bytes a second
    mean_seconds: float  # of a write
    p99_seconds: float


def testpmd_command(bench, socket, copied):
    role = "server" if copied else "client,zero-copy=yes"
    # Line by line: else it says nothing before it ends.
    return ["stdbuf", "--output=L", "dpdk-testpmd", "--lcores", f"0@{bench.generator_cpu},1@{bench.appliance_cpu}",
            "--in-memory", "--no-pci", "--no-telemetry", "--file-prefix=sluice-bench",
            "--single-file-segments", "-m", MEMORY_MIB, f"--vdev={generator.memif_device(socket, role)}", "--",
            "--forward-mode=rxonly", f"--burst={BURST}", f"--rxd={DESCRIPTORS}",
            f"--txd={DESCRIPTORS}", f"--total-num-mbufs={MBUFS}", "--auto-start",
            "--disable-link-check", "--stats-period=1"]


def receive_only(bench, load, what, copied=False):
    """Frames a second that dpdk-testpmd takes over the same memif from the same generator."""
    socket = bench.path("testpmd.sock")
    sender = None if copied else generator.listening_sender(bench, load, socket)
    receiver = Process(testpmd_command(bench, socket, copied), bench.path("testpmd.log"))
    wait_until("dpdk-testpmd is receiving", lambda: "NIC statistics" in receiver.output(), receiver)
    sender = sender or generator.Sender(bench, load, generator.memif_device(socket, "client"))
    sender.send()
    # DPDK 22.11's testpmd may crash while it ends: what it took was taken by then, and is held against
    # the generator's count below.
    receiver.stop(expected=(0, -signal.SIGTERM, -signal.SIGSEGV))
    sender.stop()
    sent = generator.summary(bench)
    # Where the generator is the memif's client it sees the ring emptied; else at most a ring is not counted as
    # taken. The driver forgets its counts when it goes.
    received = sent["sent"] - sent.get("undelivered", 0)
    seen = max(map(int, re.findall(r"RX-packets:\s*(\d+)", receiver.output())), default=0)
    if sent.get("undelivered", 0) or seen > received or (seen == 0 and sent["seconds"] > 2.5):
        raise Failed(f"dpdk-testpmd saw {seen} of {sent['sent']} frames, {received} were taken: "
                     f"{receiver.last_lines()}")
    # The memif makes the generator wait: its rate is the receiver's.
    rate = received / sent["seconds"]
    bench.note_reference(what, {"testpmd": receiver.command, "generator": sender.process.command,
                                "received": received, "seen_by_driver": seen, "seconds": sent["seconds"], "rate": rate})
    return rate


def fio_command(bench, depth, seconds):
    return ["fio", "--name=sluice-bench", f"--filename={bench.path('fio')}", "--rw=write",
            f"--bs={BLOCK_BYTES}", f"--iodepth={depth}", f"--size={bench.scale.fio_bytes}",
            "--ioengine=io_uring", "--direct=1", "--sync=dsync", "--fixedbufs=1",
            "--registerfiles=1", "--overwrite=1", "--time_based=1", f"--runtime={seconds}",
            f"--cpus_allowed={bench.appliance_cpu}", "--thread", "--output-format=json",
            f"--output={bench.path('fio.json')}"]


def _lay_out(bench):
    """Blocks that were written once before, as the store's recycled segments are."""
    if not os.path.exists(bench.path("fio")):
        run(["dd", "if=/dev/zero", f"of={bench.path('fio')}", "bs=1M", "oflag=direct",
             f"count={bench.scale.fio_bytes >> 20}", "conv=fsync"], bench.path("dd.log"))


def write(bench, depth, what):
    """Durable sequential writing of blocks as large as a batch, over blocks written before."""
    _lay_out(bench)
    process = run(fio_command(bench, depth, bench.scale.fio_seconds), bench.path("fio.log"))
    with open(bench.path("fio.json"), encoding="utf-8") as file:
        job = json.load(file)["jobs"][0]
    if job["error"] != 0 or job["write"]["io_bytes"] == 0:
        raise Failed(f"fio: error {job['error']}: {process.last_lines()}")
    times = job["write"]["clat_ns"]
    found = Written(rate=job["write"]["bw_bytes"], mean_seconds=times["mean"] / 1e9,
                    p99_seconds=times["percentile"]["99.000000"] / 1e9)
    bench.note_written(found.rate)
    bench.note_reference(what, {"fio": process.command, "bytes_per_second": found.rate,
                                "write_seconds_mean": found.mean_seconds})
    return found
