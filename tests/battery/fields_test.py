# SPDX-License-Identifier: BSD-3-Clause
"""What S8 spoils is everything: the fields read from docs/format.md cover every byte of every header."""
import sys
import unittest
from pathlib import Path

import fields

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reader"))
# pylint: disable=wrong-import-position
import sluice_batch
import sluice_index
import sluice_meta

STRUCTS = {"batch": sluice_batch.HEADER, "footer": sluice_batch.FOOTER, "index": sluice_index.HEADER,
           "store.meta": sluice_meta.STORE_HEADER, "lane.meta": sluice_meta.LANE_META}


class Fields(unittest.TestCase):
    def setUp(self):
        self.headers = fields.headers()

    def test_the_kinds_are_those_of_the_independent_reader(self):
        self.assertEqual(set(self.headers), set(STRUCTS))

    def test_fields_cover_every_byte_of_every_header(self):
        for kind, listed in self.headers.items():
            with self.subTest(kind):
                end = 0
                for field in listed:
                    self.assertEqual(field.offset, end, f"{field.name} leaves a hole, or overlaps")
                    end += field.bytes
                self.assertEqual(end, STRUCTS[kind].size)

    def test_names_come_with_the_fields(self):
        self.assertIn(("durable_mark", 56, 8), self.headers["batch"])
        self.assertIn(("epoch", 24, 8), self.headers["lane.meta"])
