# SPDX-License-Identifier: BSD-3-Clause
"""What is sent: frames, keys, rate, for how long; and the generator that does it."""

import dataclasses
import errno
import itertools
import json
import os
import socket
import time

from processes import Process, cpu_seconds, wait_until

UDP_PORT = 9000
APPLIANCE_ADDRESS = "198.18.0.2"  # RFC 2544; nobody answers on a memif, nobody asks
FRAME_OVERHEAD = 46  # of an Ethernet frame with its FCS over a UDP payload
MEMIF_RING_LOG2 = 12
MEMIF_BUFFER = 2048
REPLAYED_FRAMES = 4096  # each has an mbuf of the pool as long as the port lives
_run_ids = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Load:
    """size: an Ethernet frame with its FCS in bytes, or "imix". rate 0: flat out."""
    size: object = 64
    seconds: float = 10.0
    rate: int = 0
    keys: int = 100000
    flows: int = 64
    zipf: float = 0.0
    catch_up_ms: int = 0  # of what a stall of the generator held up; 0: sluice-blast's own choice
    replayed: bool = False  # nobody sends: the appliance's port reads a file again and again


def memif_device(path, role):
    return (f"net_memif0,role={role},socket={path},socket-abstract=no,"
            f"rsize={MEMIF_RING_LOG2},bsize={MEMIF_BUFFER}")


class Sender:
    """The generator at a device. It stays there when it has sent, until it is stopped: a receiver on memif
    may crash when its peer leaves while it polls, so that the receiver must go first. At a given
    rate it gives way: in the field producers have machines of their own, and here their CPU completes the
    drive's flushes, each of which would wait for the scheduler, 1 to 4 ms. Flat out it competes."""

    def __init__(self, bench, load, device):
        self.bench, self.load = bench, load
        _forget(bench.path("sent"))
        self.process = Process(
            _command(bench, load, device) + ["--duration", load.seconds, "--begin-on-input", "--hold"],
            bench.path("generator.log"), has_input=True,
            gives_way_on=bench.generator_cpu if load.rate else None)
        self.cpu_seconds = 0.0

    def begin(self):
        self.process.tell("begin")

    def send(self):
        """Returns when all is sent and its summary lies in the file `sent`."""
        self.begin()
        time.sleep(self.load.seconds)  # polling would disturb
        wait_until("sluice-blast has sent", lambda: os.path.exists(self.bench.path("sent")), self.process)
        self.cpu_seconds = cpu_seconds(self.process.pid)

    def stop(self):
        self.process.stop()


def listening_sender(bench, load, path):
    """A sender that is the memif's server: what it sends goes into its client's memory, without a copy
    there. Returns when it listens."""
    _forget(path)
    sender = Sender(bench, load, memif_device(path, "server"))
    wait_until("sluice-blast listens", lambda: _is_listening(path), sender.process)
    return sender


def _is_listening(path):
    """Asked with a datagram socket: DPDK panics when a memif peer connects and leaves at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        return asking.connect_ex(path) == errno.EPROTOTYPE


def replayed_path(bench):
    return bench.path("frames.pcap")


def record_frames(bench):
    """Frames for a port that reads them again and again, each with its check and sequence: of a new run,
    so that those of earlier trials are not taken for theirs."""
    _forget(bench.path("sent"))
    _forget(replayed_path(bench))
    Process(_command(bench, Load(), f"net_pcap0,tx_pcap={replayed_path(bench)}") + ["--count", REPLAYED_FRAMES],
            bench.path("generator.log")).wait()


def _forget(path):
    if os.path.exists(path):
        os.unlink(path)


def _command(bench, load, device):
    size = ["--imix", "simple"] if load.size == "imix" else ["--frame-size", load.size]
    return [bench.program("tests/load/sluice-blast"), "send", "--device", device,
            "--cpu", bench.generator_cpu, "--to", f"{APPLIANCE_ADDRESS}:{UDP_PORT}", *size,
            "--keys", load.keys, "--flows", load.flows, "--run-id", next(_run_ids),
            "--json", bench.path("sent"), *(["--rate", load.rate] if load.rate else []),
            *(["--catch-up", load.catch_up_ms] if load.catch_up_ms else []),
            *(["--zipf", load.zipf] if load.zipf else [])]


def summary(bench):
    with open(bench.path("sent"), encoding="utf-8") as file:
        return json.load(file)
