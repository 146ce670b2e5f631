# SPDX-License-Identifier: BSD-3-Clause
"""What one has without kernel bypass: a kernel socket read with recvmmsg and written durably
(sluice-udp-sink), and rsyslog. Both receive over the loopback of a network namespace of their own, from
sluice-blast with UDP GSO, whose one system call stands for many datagrams. The kernel's receive path then
runs on the sender's CPU, which leaves the receiver more than receive packet steering onto its own: with
that it was seen to store a fifth."""

import dataclasses
import json
import os
import shutil
import time

import load as generator
from load import FRAME_OVERHEAD
from machine import Watch, disturbance
from processes import Failed, Process, run, wait_until
from row import Skipped

ADDRESS = "127.0.0.1"
PORT = 9000
TEXT_BYTES = 132  # of an event of `--payload play`: rsyslog wants text
FLOWS = 64
KEYS = 100000
SOCKET_BUFFER_MIB = 64
RSYSLOG_CONFIG = """# tests/bench: one input, one file, nothing of the system's
global(workDirectory="{work}" maxMessageSize="2k")
module(load="imudp" threads="1" batchSize="128" timeRequery="64")
template(name="raw" type="list") {{ property(name="rawmsg") constant(value="\\n") }}
ruleset(name="bench" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="4096"
        queue.workerThreads="1" queue.timeoutShutdown="60000") {{
  action(type="omfile" file="{work}/rsyslog.out" template="raw" ioBufferSize="512k" flushOnTXEnd="off")
}}
input(type="imudp" address="{address}" port="{port}" rcvbufSize="{buffer}m" ruleset="bench")
"""
POLL_SECONDS = 0.02
STILL_SECONDS = 0.5  # without growth: what has not come by then is not coming


@dataclasses.dataclass
class Received:
    """Figures of one run of a receiver."""
    rate: float  # events a second that came to the file
    sent: int
    written: int
    cpu_seconds: float  # of the receiver's process
    disturbed: str

    @property
    def lost(self):
        return self.sent - self.written


class Namespace:
    """A network of its own, held by a process that ends with the bench."""

    def __init__(self, bench):
        log = bench.path("namespace.log")
        self.holder = Process(["unshare", "--net", "--", "sleep", "infinity"], log)
        ours = os.readlink("/proc/self/ns/net")
        wait_until("there is a network namespace",
                   lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours, self.holder)
        run(self.inside("ip", "link", "set", "lo", "up"), log)

    def inside(self, *command):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *command]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.stop(expected=None)


def _start_sender(bench, space, *arguments):
    command = ["taskset", "--cpu-list", bench.generator_cpu,
               bench.program("tests/load/sluice-blast"), "send", "--to", f"{ADDRESS}:{PORT}",
               "--keys", KEYS, "--flows", FLOWS, "--duration", bench.scale.reference_seconds,
               *arguments, "--json", bench.path("sent")]
    if bench.scale.rate:
        command += ["--rate", bench.scale.rate]
    return Process(space.inside(*command), bench.path("generator.log"))


def _received(bench, what, rate, written, ends, watch):
    """ends: the receiver and the sender, both over."""
    receiver, sender = ends
    watch.busy_seconds -= receiver.cpu_seconds + sender.cpu_seconds
    sent = generator.summary(bench)
    found = Received(rate=rate, sent=sent["sent"], written=written, cpu_seconds=receiver.cpu_seconds,
                     disturbed=disturbance(watch, bench.cpu_count))
    bench.note_reference(what, {
        "receiver": receiver.command, "generator": sender.command, "sent": found.sent,
        "written": written, "lost": found.lost, "rate": rate, "disturbed": found.disturbed})
    return found


def check_sink(sent, counts):
    """All that was received is written, and what was not received was dropped by the socket."""
    problems = []
    if counts["written"] != counts["received"]:
        problems.append(f"{counts['received']} received, {counts['written']} written")
    if counts["truncated"]:
        problems.append(f"{counts['truncated']} datagrams were too long")
    lost, dropped = sent - counts["received"], counts["dropped"]
    # With GRO the kernel counts trains, not datagrams.
    if lost < dropped or (lost > dropped and not (counts["gro"] and dropped)):
        problems.append(f"{sent} sent, {counts['received']} received, {dropped} dropped by the socket")
    if problems:
        raise Failed("the sums of sluice-udp-sink do not close: " + "; ".join(problems))


def sink_command(bench, gro):
    return [bench.program("tests/bench/sluice-udp-sink"), "--address", ADDRESS, "--port", PORT,
            "--file", bench.path("fio"), "--file-mib", bench.scale.fio_bytes >> 20,
            "--buffer-mib", SOCKET_BUFFER_MIB, "--cpu", bench.appliance_cpu,
            "--json", bench.path("sink.json"), *(["--gro"] if gro else [])]


def sink(bench, size, gro, what):
    """Flat out for a while through sluice-udp-sink. Returns its Received."""
    with Namespace(bench) as space:
        receiver = Process(space.inside(*sink_command(bench, gro)), bench.path("sink.log"))
        wait_until("sluice-udp-sink listens", lambda: "listening" in receiver.output(), receiver)
        watch = Watch()
        sender = _start_sender(bench, space, "--size", size - FRAME_OVERHEAD)
        sender.wait()
        receiver.stop()
        watch.stop()
    with open(bench.path("sink.json"), encoding="utf-8") as file:
        counts = json.load(file)
    check_sink(generator.summary(bench)["sent"], counts)
    seconds = (counts["last_ns"] - counts["first_ns"]) / 1e9
    if seconds <= 0:
        raise Failed(f"sluice-udp-sink received {counts['received']} datagrams at once: nothing to measure")
    return _received(bench, what, counts["written"] / seconds, counts["written"], (receiver, sender), watch)


def _udp_is_bound(pid):
    """True when PORT is bound in the network namespace of a process."""
    with open(f"/proc/{pid}/net/udp", encoding="ascii") as file:
        return any(line.split()[1].endswith(f":{PORT:04X}") for line in file.readlines()[1:])


def _wait_for_growth(path, sender):
    """Until the sender has ended and the file has been still for a while. Returns when it last grew."""
    size, grew = -1, time.monotonic()
    while sender.is_running() or time.monotonic() - grew < STILL_SECONDS:
        now = os.path.getsize(path) if os.path.exists(path) else 0
        if now != size:
            size, grew = now, time.monotonic()
        time.sleep(POLL_SECONDS)
    sender.wait()
    return grew


def count_lines(path):
    lines = 0
    with open(path, "rb", buffering=0) as file:
        while part := file.read(1 << 20):
            lines += part.count(b"\n")
    return lines


def rsyslog(bench, what):
    """The same through rsyslog's imudp and omfile, as our own process; nothing is flushed to the drive."""
    program = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise Skipped("rsyslog is not installed: apt-get install rsyslog")
    output = bench.path("rsyslog.out")
    with open(bench.path("rsyslog.conf"), "w", encoding="utf-8") as file:
        file.write(RSYSLOG_CONFIG.format(work=bench.work, address=ADDRESS, port=PORT, buffer=SOCKET_BUFFER_MIB))
    with Namespace(bench) as space:
        receiver = Process(space.inside(
            "taskset", "--cpu-list", bench.appliance_cpu, program, "-n", "-f", bench.path("rsyslog.conf"),
            "-i", bench.path("rsyslog.pid")), bench.path("rsyslog.log"))
        wait_until("rsyslogd listens", lambda: _udp_is_bound(receiver.pid), receiver)
        watch, began = Watch(), time.monotonic()
        sender = _start_sender(bench, space, "--payload", "play")
        seconds = _wait_for_growth(output, sender) - began
        receiver.stop()
        watch.stop()
    written = count_lines(output)
    os.unlink(output)
    return _received(bench, what, written / seconds, written, (receiver, sender), watch)
