# SPDX-License-Identifier: BSD-3-Clause
"""What the rows work with: the appliance, its producers, and disks that can be watched and broken.

Runs inside the namespaces of tests/e2e/lib.sh: whatever a row leaves behind ends with them.
"""
import contextlib
import ctypes
import fcntl
import glob
import json
import os
import shutil
import signal
import struct
import subprocess
import time

PARTITIONS = 4
FLOWS = 64  # of a producer: with 8, one in ten has nothing for a partition, which may then expire whole
SEGMENT_BYTES = 16 << 20
HANG_SECONDS = int(os.environ.get("BATTERY_HANG_SECONDS", 60))  # ends what hangs; no verdict on how fast anything is
RUNTIME_DIR = "/run/sluice"
APPLIANCE_ADDRESS, STREAM_PORT = "10.99.0.1", 5000
PR_SET_PDEATHSIG = 1
F_OFD_GETLK = 36  # Python has no name for it
WRITER_LOCK_BYTE = 1 << 62
_libc = ctypes.CDLL(None, use_errno=True)
_spawned = []


class Failed(Exception):
    """The row cannot go on, or what it looks at is wrong."""


def run(*command, check=True):
    """Runs to its end; the output as text."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(done.args)}: exit code {done.returncode}: {done.stdout[-2000:]}")
    return done


def wait_until(what, condition, alive=lambda: True):
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        if not alive():
            raise Failed(f"what was to bring it about has ended: {what}")
        if time.monotonic() > deadline:
            raise Failed(f"hangs: waited {HANG_SECONDS} s until {what}")
        time.sleep(0.005)


class Rig:
    """Paths and programs; one for the whole battery."""

    def __init__(self):
        self.top = os.environ["BATTERY_TOP"]
        self.work = os.environ["BATTERY_WORK"]
        self.cpus = _cpu_set(os.environ["BATTERY_CPUS"])
        self.build = f"{self.top}/build"
        self.reader = f"{self.top}/tests/reader/sluice_reader.py"

    def program(self, path, faults=False):
        return f"{self.build}{'-faults' if faults else ''}/{path}"

    @property
    def sluicectl(self):
        return self.program("control/ctl/sluicectl")

    def folder(self, name):
        """A new, empty one."""
        path = f"{self.work}/{name}"
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


def _cpu_set(text):
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def spawn(command, log_path, cpus=None, before=()):
    def prepare():
        _die_with_parent()
        if cpus:
            os.sched_setaffinity(0, cpus)

    with open(log_path, "ab") as log:
        process = subprocess.Popen([str(word) for word in (*before, *command)],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                preexec_fn=prepare)
    _spawned.append(process)
    return process


def end_all(but=None):
    """What a row that broke has left running."""
    for process in _spawned:
        if process is not but and process.poll() is None:
            process.kill()
            process.wait()
    _spawned[:] = [but] if but else []


def state_of(pid):
    """Of a process, as the kernel calls it: R, S, D, T, Z."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0]


def tail(path, lines=4):
    with open(path, encoding="utf-8", errors="replace") as file:
        return " | ".join(file.read().strip().splitlines()[-lines:])


CONFIG = """\
runtime_dir: {runtime_dir}
ports:
  - device: "{device}"
    queues: 0
    rx_descriptors: {rx_descriptors}
streams:
  - name: plays
    port: {port}
    partitions: {partitions}
    key: "flow"
    class: default
    keep_source: {keep_source}
classes:
  - name: default
    durability: {durability}
    batch_bytes: {batch_bytes}
    linger_us: {linger_us}
    retention_bytes: {retention_bytes}
    segment_age_s: {segment_age_s}
    retention_age_s: {retention_age_s}
store:
  paths: {store}
  segment_bytes: {segment_bytes}
  in_flight_max: {in_flight_max}
  ledger_interval_s: {ledger_interval_s}
{store_extra}memory:
  mbufs: {mbufs}
"""
DEFAULTS = {
    "runtime_dir": RUNTIME_DIR, "device": "af_xdp:sl0", "rx_descriptors": 2048, "port": STREAM_PORT,
    "partitions": PARTITIONS, "durability": "durable", "batch_bytes": 65536, "linger_us": 1000,
    "retention_bytes": 0, "segment_age_s": 0, "retention_age_s": 0, "keep_source": "false",
    "segment_bytes": SEGMENT_BYTES, "in_flight_max": 8, "mbufs": 16384,
    "ledger_interval_s": 1,  # a life lasts for seconds
    "store_extra": "",
}


class Appliance:
    """A data plane on a store; start() once or, after an end, again."""

    def __init__(self, rig, folder, store, faults=None, other_paths=(), **settings):
        """faults: the text of --fault, None for the production build."""
        self.rig, self.folder, self.store = rig, folder, store
        self.paths = [store, *other_paths]
        self.faults = faults
        self.config = f"{folder}/config.yaml"
        self.log, self.report_path = f"{folder}/dataplane.log", f"{folder}/report.json"
        self.process = None
        self.report = None
        self.environment = {}
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(**{**DEFAULTS, **settings, "store": json.dumps(self.paths)}))

    def launch(self):
        """Starts it and does not wait for anything."""
        for path in self.paths:
            os.makedirs(path, exist_ok=True)
        if os.path.exists(self.report_path):
            os.unlink(self.report_path)
        open(self.log, "w", encoding="utf-8").close()
        command = [self.rig.program("dataplane/sluice-dataplane", self.faults is not None),
                   "--config", self.config, "--report", self.report_path]
        if self.faults:
            command += ["--fault", self.faults]
        before = ["env", *(f"{key}={value}" for key, value in self.environment.items())]
        self.process = spawn(command, self.log, self.rig.cpus, before if self.environment else ())
        return self

    def start(self):
        self.launch()
        self.wait("the data plane runs", lambda: self.state() == "running")
        return self

    def wait(self, what, condition):
        try:
            wait_until(what, condition, self.is_alive)
        except Failed as failed:
            raise Failed(f"{failed}: {tail(self.log)}") from None

    def wait_for_end(self, what):
        wait_until(what, lambda: not self.is_alive())

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def ask(self, *words):
        """A document of sluicectl, or None while there is none."""
        answer = subprocess.run([self.rig.sluicectl, *words, "--json"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=False)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def status(self):
        status = self.ask("status")
        return status if status and status["pid"] == self.process.pid else None

    def state(self):
        status = self.status()
        return status and status["state"]

    def lane(self):
        """The figures of the only lane."""
        return self.ask("stats")["lanes"][0]

    def stored(self):
        stats = self.ask("stats")
        return stats["totals"]["stored"] if stats else 0

    def events(self):
        """Received, stored or not."""
        stats = self.ask("stats")
        return stats["totals"]["events"] if stats else 0

    def refused(self):
        """Events that were not stored: {reason: count}, of the reasons there were."""
        return {entry["reason"]: entry["count"] for entry in self.ask("drops")["reasons"]
                if entry["unit"].startswith("event") and entry["count"]}

    def figures(self):
        """Its shared memory, alive or killed."""
        return json.loads(run(self.rig.program("tests/e2e/segment_probe"), "show", RUNTIME_DIR).stdout)

    def watermarks(self):
        """What it has acknowledged: {partition: offset}."""
        return {entry["partition"]: entry["watermark"]
                for entry in self.figures()["partitions"]["streams"][0]["partitions"]}

    def in_flight(self):
        """Batches under way."""
        return sum(lane["in_flight"] for lane in self.figures()["stats"]["lanes"])

    def check_identities(self):
        done = run(self.rig.sluicectl, "drops", "--check", check=False)
        if done.returncode != 0:
            raise Failed(f"sluicectl drops --check: {done.stdout[-1000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, signal_number=signal.SIGTERM):
        """Tells it to stop (0: it has been told already) and waits; its exit code."""
        if self.is_alive():
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"the data plane does not stop: {tail(self.log)}") from None

    def stop(self, expected=0, signal_number=signal.SIGTERM):
        """An orderly end, with a ledger that adds up."""
        status = self.end(signal_number)
        if status != expected:
            raise Failed(f"the data plane ended with {status}, not {expected}: {tail(self.log)}")
        with open(self.report_path, encoding="utf-8") as file:
            self.report = json.load(file)
        if not self.report["ledger"]["ok"]:
            broken = [entry for entry in self.report["ledger"]["identities"] if not entry["ok"]]
            raise Failed(f"the final report does not add up: {broken}")
        return self.report

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


class Blast:
    """sluice-blast behind the veth: `record` grows with every payload that has left."""

    def __init__(self, rig, folder, run_id, rate=None, count=None, size=1000, keys=64):
        self.record, self.log = f"{folder}/sent.{run_id}", f"{folder}/blast.log"
        command = ["nsenter", "--net=/run/netns/sender", rig.program("tests/load/sluice-blast"),
                   "send", "--to", f"{APPLIANCE_ADDRESS}:{STREAM_PORT}", "--payload", "play",
                   "--size", size, "--keys", keys, "--flows", FLOWS, "--run-id", run_id, "--record", self.record]
        command += ["--rate", rate] if rate else []
        command += ["--count", count] if count else []
        self.process = spawn(command, self.log)

    def stop(self):
        """Also when it has ended by itself: without an appliance the kernel refuses datagrams."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.sent()

    def sent(self):
        """Waits for its own end, so it has a count."""
        status = self.process.wait(HANG_SECONDS)
        if status != 0 and "refused" not in tail(self.log):
            raise Failed(f"sluice-blast ended with exit code {status}: {tail(self.log)}")
        return self.record


def write_capture(path, payloads, ports=8):
    """A pcap file of IPv4 datagrams to the stream, from that many ports: an appliance reads it as its port."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for index, payload in enumerate(payloads):
            udp = struct.pack(">HHHH", 20000 + index % ports, STREAM_PORT, 8 + len(payload), 0) + payload
            header = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                                 0x0A630002, 0x0A630001)
            total = sum(struct.unpack(">10H", header))
            total = (total & 0xFFFF) + (total >> 16)
            header = header[:10] + struct.pack(">H", 0xFFFF ^ total) + header[12:]
            frame = bytes.fromhex("02000000000b02000000000a0800") + header + udp
            file.write(struct.pack("<IIII", 0, index, len(frame), len(frame)) + frame)


class Mounted:
    """A file as ext4 on a loop device that goes away with the mount."""

    def __init__(self, image, path, options=""):
        self.path = path
        os.makedirs(path, exist_ok=True)
        run("mount", "-t", "ext4", "-o", "loop" + options, image, path)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            end_all()
        self.unmount()

    def unmount(self):
        # The writes of a killed process hold on for a moment.
        if self.path:
            wait_until(f"{self.path} is unmounted",
                       lambda: run("umount", self.path, check=False).returncode == 0)
        self.path = None


def make_image(path, bytes_count):
    """An ext4 that does nothing in the background later."""
    with open(path, "wb") as file:
        file.truncate(bytes_count)
    run("mkfs.ext4", "-q", "-b", "4096", "-m", "0", "-E",
        "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path)


def have_landed(paths):
    """No write of a dead appliance is under way any more to the segments of a store: they hold the writer's lock
    (dataplane/store/segment.c)."""
    lock = struct.pack("=hh4xqqi4x", fcntl.F_WRLCK, os.SEEK_SET, WRITER_LOCK_BYTE, 1, 0)
    for path in paths:
        for name in glob.glob(f"{path}/lane-*/*.seg"):
            with open(name, "rb") as segment:
                held = fcntl.fcntl(segment, F_OFD_GETLK, lock)
                if struct.unpack_from("=h", held)[0] != fcntl.F_UNLCK:
                    return False
    return True


class Disk:
    """An ext4 on a loop device on a file of fuse_disk: every write and flush can be recorded,
    delayed, or fail."""

    def __init__(self, rig, folder, bytes_count, log=None, mount_options=""):
        self.folder = folder
        self.image, self.log = f"{folder}/disk.img", log
        self.fuse, self.path = f"{folder}/fuse", f"{folder}/disk"
        os.makedirs(self.fuse, exist_ok=True)
        make_image(self.image, bytes_count)
        self.base = f"{folder}/base.img"
        run("cp", "--sparse=always", self.image, self.base)
        command = [rig.program("tests/battery/fuse_disk"), self.fuse, self.image]
        if log:
            command += [log, RUNTIME_DIR]
            # What a dead one had acknowledged there is no promise of this disk's.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{RUNTIME_DIR}/shm")
        self.process = spawn(command, f"{folder}/fuse_disk.log")
        wait_until("the disk is there", lambda: os.path.exists(f"{self.fuse}/disk"),
                   lambda: self.process.poll() is None)
        self.options = mount_options
        self.mounted = Mounted(f"{self.fuse}/disk", self.path, mount_options)

    def remount(self):
        """As after a restart of the machine: the file system replays its journal."""
        self.mounted.unmount()
        self.mounted = Mounted(f"{self.fuse}/disk", self.path, self.options)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            end_all(but=self.process)
        self.close()

    def control(self, line):
        with open(f"{self.fuse}/control", "w", encoding="ascii") as file:
            file.write(line + "\n")

    @contextlib.contextmanager
    def hanging(self):
        """Answers nothing, its control neither, until the block ends."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            wait_until("the disk hangs", lambda: state_of(self.process.pid) == "T")
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def counts(self):
        with open(f"{self.fuse}/control", encoding="ascii") as file:
            return json.load(file)

    def _has_ended(self):
        """libfuse does not hear a signal that comes right before it waits for the next request."""
        self.process.terminate()
        return self.process.poll() is not None

    def close(self):
        """The recording ends before what an orderly unmount would add."""
        recorded_bytes = os.path.getsize(self.log) if self.log else 0
        try:
            self.mounted.unmount()
        finally:
            wait_until("the disk's process has ended", self._has_ended)
            if self.log:
                os.truncate(self.log, recorded_bytes)
            run("umount", self.fuse)  # its own mount namespace ended without this one
