# SPDX-License-Identifier: BSD-3-Clause
"""What is sent: frames, keys, rate, for how long; and the generator that does it."""

import dataclasses
import itertools
import json
import os

from processes import Process

UDP_PORT = 9000
APPLIANCE_ADDRESS = "198.18.0.2"  # RFC 2544; nobody answers on a memif, nobody asks
MEMIF_RING_LOG2 = 12
MEMIF_BUFFER = 2048
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


def memif_device(socket, role):
    return (f"net_memif0,role={role},socket={socket},socket-abstract=no,"
            f"rsize={MEMIF_RING_LOG2},bsize={MEMIF_BUFFER}")


def start(bench, load, device):
    """Returns the running generator; its summary will be in the file `sent`."""
    size = ["--imix", "simple"] if load.size == "imix" else ["--frame-size", load.size]
    command = [bench.program("tests/load/sluice-blast"), "send", "--device", device,
               "--cpu", bench.generator_cpu, "--to", f"{APPLIANCE_ADDRESS}:{UDP_PORT}", *size,
               "--keys", load.keys, "--flows", load.flows, "--run-id", next(_run_ids),
               "--json", bench.path("sent")]
    if load.rate:
        command += ["--rate", load.rate]
    command += ["--duration", load.seconds]
    if load.zipf:
        command += ["--zipf", load.zipf]
    if os.path.exists(bench.path("sent")):
        os.unlink(bench.path("sent"))
    return Process(command, bench.path("generator.log"))


def summary(bench):
    with open(bench.path("sent"), encoding="utf-8") as file:
        return json.load(file)
