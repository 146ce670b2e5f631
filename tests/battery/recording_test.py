# SPDX-License-Identifier: BSD-3-Clause
"""Cuts of a recording made by hand: what was flushed is there, of the rest some is, nothing else."""
import os
import random
import tempfile
import unittest

from recording import FLUSH, RECORD, WRITE, Images, Recording

BLOCK = 4096


class Cuts(unittest.TestCase):
    """Writes 1 and 2, a flush, write 3 over half of write 1, write 4; a watermark rises with each."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.base, self.log = f"{self.folder.name}/base", f"{self.folder.name}/log"
        with open(self.base, "wb") as file:
            file.truncate(16 * BLOCK)
        self.data = b""
        with open(self.log, "wb") as file:
            for kind, position, data in ((WRITE, 0, b"1" * 2 * BLOCK), (WRITE, 4 * BLOCK, b"2" * BLOCK),
                                         (FLUSH, 0, b""), (WRITE, BLOCK, b"3" * BLOCK),
                                         (WRITE, 8 * BLOCK, b"4" * BLOCK)):
                count = file.tell() // RECORD.size
                file.write(RECORD.pack(kind, position, len(data), len(self.data), 0, 1, 0, 0,
                                       count, *[0] * 15))
                self.data += data
        with open(self.log + ".data", "wb") as file:
            file.write(self.data)
        self.recording = Recording(self.base, self.log)

    def test_cuts_have_something_at_stake_and_the_promises_before_them(self):
        self.assertEqual([(cut.index, cut.at_stake, cut.watermarks[0]) for cut in self.recording.cuts()],
                         [(1, 1, 1), (2, 2, 2), (4, 1, 4)])

    def images(self, index, count=60):
        cut = next(cut for cut in self.recording.cuts() if cut.index == index)
        for seed in range(count):
            images = Images(self.recording, self.folder.name)
            with open(images.build(cut, random.Random(seed)), "rb") as file:
                yield file.read()
            images.close()

    def test_what_was_flushed_is_there(self):
        for image in self.images(4):
            self.assertEqual(image[:BLOCK], b"1" * BLOCK)
            self.assertEqual(image[4 * BLOCK:5 * BLOCK], b"2" * BLOCK)
            self.assertEqual(image[8 * BLOCK:], bytes(8 * BLOCK))
            self.assertFalse(set(image[BLOCK:2 * BLOCK]) - set(b"13"))

    def test_what_was_not_is_there_whole_torn_or_not_at_all(self):
        seen = {image[BLOCK:2 * BLOCK].count(b"3") for image in self.images(4)}
        self.assertIn(0, seen)
        self.assertIn(BLOCK, seen)
        self.assertTrue(seen - {0, BLOCK})
        self.assertFalse({count % 512 for count in seen} - {0})

    def test_the_first_block_is_not_torn(self):
        self.assertEqual({image[:BLOCK].count(b"1") for image in self.images(1)}, {0, BLOCK})

    def test_the_same_seed_makes_the_same_image(self):
        self.assertEqual(list(self.images(2, 5)), list(self.images(2, 5)))

    def test_later_cuts_build_on_earlier_ones(self):
        images = Images(self.recording, self.folder.name)
        for cut in self.recording.cuts():
            path = images.build(cut, random.Random(1))
        with open(path, "rb") as file:
            self.assertEqual(file.read(BLOCK), b"1" * BLOCK)
        self.assertEqual(os.path.getsize(path), 16 * BLOCK)
        images.close()
