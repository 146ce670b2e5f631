#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts instructions an event of the receive path and of the worker path under callgrind, on a fixed
input, and holds them against instructions.expected: noise cannot touch them. instructions.py [BUILD].
The checksum's code is the same on every CPU (SSE 4.2); the hash of steering keys is held to its AVX2 variant, without which
the figure is another one; the compiler is pinned."""

import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 0.03


def expected(text):
    """The last figure of each path; a line without a reason is refused."""
    figures = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(None, 2)
        if len(fields) < 3 or not re.fullmatch(r"\d+\.\d", fields[1]):
            raise ValueError(f"instructions.expected:{number}: must be PATH INSTRUCTIONS REASON: {line!r}")
        figures[fields[0]] = float(fields[1])
    return figures


def verdict(path, measured, wanted):
    """"" when it is as expected, else what to do."""
    if abs(measured / wanted - 1) <= TOLERANCE:
        return ""
    return (f"{measured:.1f} instructions an event, expected {wanted:.1f} within {100 * TOLERANCE:.0f} %: when "
            f"that is meant, add a line '{path} {measured:.1f} REASON' to tests/bench/instructions.expected")


def count(program, path):
    with tempfile.TemporaryDirectory(dir=program.parent) as directory:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect=measured_{path}",
             f"--callgrind-out-file={directory}/out", program, path],
            cwd=directory, capture_output=True, text=True, check=False)
    events = re.search(r"^events (\d+)$", run.stdout, re.M)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not events or not collected or int(collected.group(1)) == 0:
        raise RuntimeError(f"valgrind ended with exit code {run.returncode}: {run.stderr[-500:]}")
    return int(collected.group(1)) / int(events.group(1))


def main(arguments):
    build = pathlib.Path(arguments[0] if arguments else "build").resolve()
    failed = 0
    figures = expected((HERE / "instructions.expected").read_text())
    for path, wanted in figures.items():
        try:
            measured = count(build / "tests/bench/sluice-instructions", path)
            problem = verdict(path, measured, wanted)
        except (OSError, RuntimeError) as error:
            problem = str(error)
        failed += problem != ""
        print(f"{'FAIL' if problem else 'ok  '} bench/instructions_{path}"
              + (f"\n     {problem}" if problem else f" ({measured:.1f} an event)"))
    print(f"{len(figures) - failed} passed, {failed} failed")
    return 1 if failed or not figures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
