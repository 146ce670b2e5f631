# SPDX-License-Identifier: BSD-3-Clause
"""Processes of a trial. They end with the bench, however it ends: a signal to the bench stops them in
turn, and the kernel kills them when the bench itself is killed."""

import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 60  # for a drain; who needs longer hangs
_libc = ctypes.CDLL(None, use_errno=True)
_running = []


class Failed(Exception):
    """A step that cannot go on; the text is for the operator."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _give_way_on(cpu):
    """With all its threads: beside a polling thread an idle one would wait for ever."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Process:
    """A child with its output in a file. has_input: tell() writes to its standard input.
    gives_way_on: a CPU, its only one, which whoever else wants it gets at once."""

    def __init__(self, command, log_path, has_input=False, gives_way_on=None):
        self.command = [str(word) for word in command]
        self.log_path = log_path

        def prepare():
            _die_with_parent()
            if gives_way_on is not None:
                _give_way_on(gives_way_on)

        with open(log_path, "wb") as log:
            # A session of its own: Ctrl-C on the terminal reaches the bench alone.
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.PIPE if has_input else subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=prepare)
        self.status = None
        self.cpu_seconds = 0.0
        _running.append(self)

    @property
    def pid(self):
        return self.child.pid

    def tell(self, line):
        try:
            self.child.stdin.write(f"{line}\n".encode())
            self.child.stdin.flush()
        except BrokenPipeError as error:
            raise Failed(f"{os.path.basename(self.command[0])} listens no longer: {self.last_lines()}") from error

    def is_running(self):
        return self.status is None and not self._take(os.WNOHANG)

    def _take(self, flags):
        pid, status, usage = os.wait4(self.child.pid, flags)
        if pid == 0:
            return False
        self.status = self.child.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        _running.remove(self)
        return True

    def wait(self, expected=(0,)):
        """Until it has ended; with an exit code that is not expected the bench cannot go on."""
        if self.status is None:
            self._take(0)
        if expected is not None and self.status not in expected:
            raise Failed(f"{os.path.basename(self.command[0])} ended with exit code {self.status}: "
                         f"{self.last_lines()}")
        return self.status

    def stop(self, expected=(0,)):
        if self.is_running():
            self.child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.is_running():
            if time.monotonic() > deadline:
                self.child.kill()
            time.sleep(0.01)
        return self.wait(expected)

    def kill(self):
        if self.is_running():
            self.child.kill()
        self.wait(expected=None)

    def last_lines(self, count=5):
        return " | ".join(self.output().strip().splitlines()[-count:])

    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()


def run(command, log_path, expected=(0,)):
    """Starts, waits, returns the ended process."""
    process = Process(command, log_path)
    process.wait(expected)
    return process


def stop_all():
    for process in list(_running):
        process.stop(expected=None)


def wait_until(what, condition, process, seconds=STOP_SECONDS):
    """Polls; the process that is to bring it about must live."""
    deadline = time.monotonic() + seconds
    while not condition():
        if not process.is_running():
            raise Failed(f"{what}: {os.path.basename(process.command[0])} ended with exit code "
                         f"{process.status}: {process.last_lines()}")
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not after {seconds} s: {process.last_lines()}")
        time.sleep(0.005)


def cpu_seconds(pid):
    """User and system time of a live process, all its threads (the kernel's write threads too)."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
