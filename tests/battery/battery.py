#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs rows of the battery: battery.py [ROW...] [--long] [--seed N] [--json FILE], inside battery.sh.

One line a row, `ok   battery/ROW ...` or `FAIL battery/ROW ...` with what was found below it, then
`N passed, N failed`. Exit code 0 when all passed.
"""
import argparse
import json
import random
import sys
import time
import traceback

from outcome import Outcome
from rig import Failed, Rig, end_all
from rows import ROWS

SHOWN_MAX = 5


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="battery", description="Run rows of the battery.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="as S1; all without one")
    parser.add_argument("--long", action="store_true", help="as many cycles as a night has room for")
    parser.add_argument("--seed", type=int, help="of every row; random without it")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    unknown = set(options.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no row is called {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(row.name for row in ROWS)}")
    return options


def run_row(rig, row, seed, cycles):
    """The figures of one row, and what is wrong in words."""
    outcome, problems = Outcome(), []
    began = time.monotonic()
    try:
        row.run(rig, random.Random(f"{row.name} {seed}"), outcome, cycles)
    except Failed as failed:
        problems.append(str(failed))
    except Exception:  # a row that breaks must not end the others
        problems.append(traceback.format_exc())
    finally:
        end_all()
    if outcome.injected == 0:
        problems.append("no fault was injected: the row shows nothing")
    problems += outcome.problems
    figures = {"row": row.name, "seed": seed, "cycles": cycles, "injected": outcome.injected,
               "at_stake": outcome.at_stake, "lost": outcome.lost,
               "seconds": round(time.monotonic() - began, 1)}
    return figures, problems, outcome.notes


def show(figures, problems, notes):
    print("FAIL" if problems else "ok  ", f"battery/{figures['row']} (seed {figures['seed']}, "
          f"{figures['injected']} injected, {figures['at_stake']} at stake, {figures['lost']} lost, "
          f"{figures['seconds']} s)")
    for problem in notes + problems[:SHOWN_MAX]:
        print("".join(f"     {line}\n" for line in problem.splitlines()), end="")
    sys.stdout.flush()


def main(arguments):
    options = parse_arguments(arguments)
    rig = Rig()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    results, failed_count = [], 0
    for row in ROWS:
        if options.rows and row.name not in options.rows:
            continue
        figures, problems, notes = run_row(rig, row, seed, row.cycles_long if options.long else row.cycles)
        show(figures, problems, notes)
        results.append(figures)
        failed_count += bool(problems)
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(results, file, indent=1)
                file.write("\n")
    print(f"{len(results) - failed_count} passed, {failed_count} failed")
    return 1 if failed_count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
