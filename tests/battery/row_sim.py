# SPDX-License-Identifier: BSD-3-Clause
"""S14: the deterministic simulation, which has a program of its own."""
import json

from rig import run


def run_s14(rig, random, outcome, cycles):
    figures = f"{rig.folder('s14')}/figures.json"
    done = run(rig.program("tests/sim/sluice-sim"), "--seeds", cycles, "--seed",
               random.randrange(1, 1 << 30), "--json", figures, check=False)
    if done.returncode != 0:
        outcome.problems.append(done.stdout[-2000:])
    with open(figures, encoding="utf-8") as file:
        for row in json.load(file):
            outcome.injected += row["injected"]
            outcome.at_stake += row["at_stake"]
            outcome.lost += row["lost"]
