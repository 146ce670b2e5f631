#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The files that lint and format look at: source_files.py [PATTERN...] prints those below the current
folder whose names match one of the patterns (all without one), each ended by a zero byte.

They are what git tracks, and what is new beside it and not ignored. What merely lies about is left
alone: whatever git has no folder for, what editors and merges leave. Without git the tree is walked;
build folders are told by what meson writes into them.
"""
import fnmatch
import os
import subprocess
import sys
from pathlib import Path

LEFT_BEHIND = ("*~", "*.orig", "*.rej", "*.bak", "*.sw?", ".#*", "#*#", "*.pyc")


def is_left_behind(path):
    return any(fnmatch.fnmatch(os.path.basename(path), pattern) for pattern in LEFT_BEHIND)


def git_files(*options):
    """What `git ls-files` lists, of the repository in this very folder; None when there is none.
    Settings that a hook hands down would name another one; who owns the folder does not matter."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "ls-files", "-z", *options]
    try:
        listed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def tracked_and_new():
    tracked = git_files() if Path(".git").exists() else None
    if not tracked:
        return None
    folders = {path.split("/")[0] for path in tracked if "/" in path}
    new = git_files("--others", "--exclude-standard") or []
    return tracked + [path for path in new if path.split("/")[0] in folders and not is_left_behind(path)]


def walked():
    files = []
    for folder, subfolders, names in os.walk("."):
        is_top = folder == "."
        subfolders[:] = [
            name for name in subfolders
            if name not in (".git", "__pycache__")
            and not (is_top and (name.startswith("build") or (name.startswith(".") and name != ".ci")))
            and not os.path.exists(os.path.join(folder, name, "meson-private"))
        ]
        files += [os.path.normpath(os.path.join(folder, name)) for name in names if not is_left_behind(name)]
    return files


def source_files(patterns=("*",)):
    files = tracked_and_new()
    if files is None:
        files = walked()
    return sorted(
        path for path in set(files)
        if any(fnmatch.fnmatch(os.path.basename(path), pattern) for pattern in patterns) and os.path.isfile(path)
    )


if __name__ == "__main__":
    for file in source_files(sys.argv[1:] or ("*",)):
        sys.stdout.buffer.write(os.fsencode(file) + b"\0")
