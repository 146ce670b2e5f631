# SPDX-License-Identifier: BSD-3-Clause
"""The appliance under test: the shipped program with the shipped configuration, configs/bench.yaml."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

from processes import Failed, Process, cpu_seconds, wait_until

GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a row changes in the configuration. A store is kept while partitions and sizes stay."""
    partitions: int = 16
    retention_bytes: int = 32 * GIB
    segment_bytes: int = GIB
    device: str = ""  # instead of the bench's memif
    copied: bool = False  # memif's server, which copies each frame; else its client, without a copy
    two_cores: bool = False  # RX on the generator's CPU, the worker on the appliance's: nobody sends
    stage_cycles: bool = False
    in_flight_max: int = 32
    durability: str = "durable"  # of its only class; a start may change it

    def store_key(self):
        return (self.partitions, self.retention_bytes, self.segment_bytes)


def configure(template, settings):
    """The template with the values of keys replaced; each key must stand there exactly once."""
    text = template
    for key, value in settings:
        text, count = re.subn(rf"(?m)^(\s*(?:- )?{re.escape(key)}:)[^\n]*$", rf"\g<1> {value}", text)
        if count != 1:
            raise Failed(f"configs/bench.yaml has {count} keys '{key}', and should have one")
    return text


class Appliance:
    """From start() to stop(); then `report` is its final report."""

    def __init__(self, bench, setup):
        self.bench, self.setup = bench, setup
        self.socket = bench.path("memif.sock")
        self.process = self.report = None
        self.start_seconds = 0.0
        self.memory_bytes = 0

    def _write_config(self):
        with open(f"{self.bench.top}/configs/bench.yaml", encoding="utf-8") as file:
            template = file.read()
        cpu = self.bench.appliance_cpu
        settings = (
            ("runtime_dir", self.bench.path("run")),
            ("device", f'"{self.setup.device or self._memif()}"'),
            ("rx_cpus", f"[{self.bench.generator_cpu if self.setup.two_cores else cpu}]"),
            ("worker_cpus", f"[{cpu}]"),
            ("main_cpu", self.bench.generator_cpu),
            ("stage_cycles", "true" if self.setup.stage_cycles else "false"),
            ("partitions", self.setup.partitions),
            ("durability", self.setup.durability),
            ("retention_bytes", self.setup.retention_bytes),
            ("in_flight_max", self.setup.in_flight_max),
            ("paths", f'["{self.bench.path("store")}"]'),
            ("segment_bytes", self.setup.segment_bytes),
        )
        with open(self.bench.path("config.yaml"), "w", encoding="utf-8") as file:
            file.write(configure(template, settings))

    def _memif(self):
        return f"{'memif' if self.setup.copied else 'memif-client'}:{self.socket}"

    def start(self):
        os.makedirs(self.bench.path("store"), exist_ok=True)
        if os.path.exists(self.bench.path("report")):
            os.unlink(self.bench.path("report"))
        self._write_config()
        began = time.monotonic()
        self.process = Process(
            [self.bench.program("dataplane/sluice-dataplane"), "--config",
             self.bench.path("config.yaml"), "--report", self.bench.path("report")],
            self.bench.path("dataplane.log"))
        wait_until("the data plane is running", self._is_running, self.process)
        self.start_seconds = time.monotonic() - began
        return self

    def _is_running(self):
        # Of this process: the segment of one that was killed still says that it runs.
        status = self.ask("status")
        return status is not None and status["state"] == "running" and status["pid"] == self.process.pid

    def ask(self, command):
        """A document of sluicectl, or None while there is none."""
        answer = subprocess.run(
            [self.bench.program("control/ctl/sluicectl"), "--runtime-dir", self.bench.path("run"),
             command, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def lane(self, document="stats"):
        """Its only lane, as a document of sluicectl has it."""
        answers = []
        wait_until(f"the data plane tells its {document}",
                   lambda: answers.append(self.ask(document)) or answers[-1], self.process)
        return answers[-1]["lanes"][0]

    def current_segment(self):
        """What it stores from now on lies in this one or in later ones."""
        return self.lane()["segment"]

    def next_segment(self):
        """The same of what it stores once it is started: the newest one there may be a spare one."""
        names = [path.name for path in pathlib.Path(self.bench.path("store")).glob("lane-*/*.seg")]
        return max([1, *(int(name.removesuffix(".seg"), 16) - 1 for name in names)])

    def wait_received(self, count):
        """Until it has received all: a memif server cannot see what lies in the ring yet."""
        wait_until(f"the data plane has received {count} frames",
                   lambda: (self.ask("stats") or {"totals": {"frames": 0}})["totals"]["frames"] >= count, self.process)

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def note_memory(self):
        """What it holds now: its own pages, and hugepages, which the kernel counts apart."""
        sizes = {}
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in ("RssAnon", "RssShmem", "HugetlbPages"):
                    sizes[name] = int(value.split()[0]) * 1024
        self.memory_bytes = sum(sizes.values())

    def kill(self):
        """As a crash does: what it had under way may be there or not. Nothing of it runs afterwards."""
        self.process.kill()

    def stop(self):
        self.process.stop()
        with open(self.bench.path("report"), encoding="utf-8") as file:
            self.report = json.load(file)
        return self.report


def drop_store(bench):
    shutil.rmtree(bench.path("store"), ignore_errors=True)
