# SPDX-License-Identifier: BSD-3-Clause
"""What the bench runs on, and what else the machine did meanwhile."""

import os
import platform
import time

TICKS = os.sysconf("SC_CLK_TCK")
# Measurements were disturbed when the hypervisor, or other programs, took more than this part of the
# CPU time.
STEAL_SHARE_MAX = 0.005
OTHERS_SHARE_MAX = 0.05
FLUSH_FIELD = 15  # of /sys/block/*/stat: flush requests completed (Documentation/block/stat.rst)


def _first_line(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return default


def _cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return "unknown"


def _memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Drive:
    """The drive below a directory."""

    def __init__(self, directory):
        device = os.stat(directory).st_dev
        path = os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        if os.path.exists(f"{path}/partition"):
            path = os.path.dirname(path)
        self.path = path
        self.name = os.path.basename(path)
        self.write_cache = _first_line(f"{path}/queue/write_cache", "unknown")
        self.fua = _first_line(f"{path}/queue/fua", "0") == "1"

    def flush_count(self):
        fields = _first_line(f"{self.path}/stat").split()
        return int(fields[FLUSH_FIELD]) if len(fields) > FLUSH_FIELD else None

    def interrupts_by_cpu(self):
        """How many of the drive's interrupts each CPU has served since boot, as far as sysfs tells."""
        folder = os.path.realpath(f"{self.path}/device")
        while folder != "/" and not os.path.isdir(f"{folder}/msi_irqs"):
            folder = os.path.dirname(folder)
        if folder == "/":
            return {}
        with open("/proc/interrupts", encoding="ascii", errors="replace") as file:
            return count_interrupts(file.read(), set(os.listdir(f"{folder}/msi_irqs")))

    def must_flush(self):
        """True where only a flush makes a write durable."""
        return self.write_cache == "write back" and not self.fua


def count_interrupts(text, numbers):
    """Sums the lines of /proc/interrupts that have these numbers, by CPU."""
    lines = text.splitlines()
    cpus = [int(name[3:]) for name in lines[0].split()]
    counts = dict.fromkeys(cpus, 0)
    for line in lines[1:]:
        number, _, rest = line.strip().partition(":")
        if number in numbers:
            for cpu, field in zip(cpus, rest.split()):
                counts[cpu] += int(field)
    return counts


def deal_cpus(cpus, interrupts):
    """The generator's CPU and the appliance's: as in a careful installation, the drive does not
    interrupt the CPU that polls (here it served 7 % of that CPU's samples)."""
    by_quiet = sorted(cpus, key=lambda cpu: (-interrupts.get(cpu, 0), cpu))
    return by_quiet[0], by_quiet[-1]


def describe(directory):
    drive = Drive(directory)
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "kernel": platform.release(),
        "drive": drive.name,
        "drive_write_cache": drive.write_cache,
        "drive_fua": drive.fua,
        "file_system": file_system(directory),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def file_system(directory):
    best, kind = "", "unknown"
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, point, found = line.split()[:3]
            inside = os.path.realpath(directory).startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, kind = point, found
    return kind


class Watch:
    """CPU time from start() to stop(): what the hypervisor took, and what others used."""

    def __init__(self):
        self.before, self.start = self._read(), time.monotonic()
        self.seconds = self.steal_seconds = self.busy_seconds = 0.0

    @staticmethod
    def _read():
        values = [int(word) for word in _first_line("/proc/stat").split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = values
        return user + nice + system + irq + softirq, steal

    def stop(self):
        busy, steal = self._read()
        self.seconds = time.monotonic() - self.start
        self.busy_seconds = (busy - self.before[0]) / TICKS
        self.steal_seconds = (steal - self.before[1]) / TICKS
        return self


def disturbance(watch, cpu_count):
    """Why what was measured meanwhile may not be the measured program's own, or ""; busy_seconds are
    those of others by then."""
    available = watch.seconds * cpu_count
    if watch.steal_seconds > STEAL_SHARE_MAX * available:
        return f"{100 * watch.steal_seconds / available:.1f} % of the CPUs was stolen"
    if watch.busy_seconds > OTHERS_SHARE_MAX * available:
        return f"{100 * watch.busy_seconds / available:.1f} % of the CPUs went to other programs"
    return ""


def bytes_below(directory):
    """What files below a directory take on the disk."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # gone meanwhile
    return total
