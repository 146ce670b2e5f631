# SPDX-License-Identifier: BSD-3-Clause
"""The independent reader finds in the simulation's stores what the simulation's oracle knows."""

import base64
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "build" / "tests" / "sim" / "sluice-sim"
READER = ROOT / "tests" / "reader" / "sluice_reader.py"
FIRST_SEED = 7000
SEED_COUNT = 12
SEEDS_EXPIRED_INSIDE = (333, 586)  # what is older than something that has expired lies in another lane


def known_events(path):
    """(stream, its partition, offset) -> (event, bytes); streams are numbered one behind the other."""
    known = {}
    head, *lines = path.read_text().splitlines()
    streams, partitions = map(int, head.split())
    for line in lines:
        partition, offset, event, size = map(int, line.split())
        stream, partition = divmod(partition, partitions // streams)
        known[f"stream{stream}", partition, offset] = event, size
    return known


class Readers(unittest.TestCase):
    def read(self, folder):
        """The same from the reader."""
        out = subprocess.run([sys.executable, READER, folder / "store", "--format", "json"],
                             capture_output=True, text=True, check=False)
        self.assertEqual((out.returncode, out.stderr), (0, ""))
        found = {}
        for line in out.stdout.splitlines():
            event = json.loads(line)
            value = (base64.b64decode(event["value_base64"]) if "value_base64" in event
                     else event["value"].encode())
            key = event["stream"], event["partition"], event["offset"]
            self.assertNotIn(key, found)
            found[key] = int.from_bytes(value[:8], "little"), len(value)
        return found

    def test_the_independent_reader_agrees_with_the_oracle(self):
        with_events = 0
        for seed in (*range(FIRST_SEED, FIRST_SEED + SEED_COUNT), *SEEDS_EXPIRED_INSIDE):
            with self.subTest(seed), tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                run = subprocess.run([SIM, "--seeds", "1", "--seed", str(seed), "--keep", name],
                                     capture_output=True, text=True, check=False)
                if "Invalid cross-device link" in run.stdout:
                    continue  # a store on several paths is not kept
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                known, found = known_events(folder / "events"), self.read(folder)
                for key, event in found.items():
                    self.assertEqual(event, known[key], key)
                # Nothing is missing but what has expired: the first ones.
                for place in {key[:2] for key in known}:
                    kept = {key[2] for key in found if key[:2] == place}
                    last = max(key[2] for key in known if key[:2] == place)
                    self.assertTrue(not kept or last in kept, place)
                    self.assertTrue(not kept or len(kept) == last + 1 - min(kept), place)
                with_events += bool(found)
        self.assertGreater(with_events, SEED_COUNT // 2)


if __name__ == "__main__":
    unittest.main()
