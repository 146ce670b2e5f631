# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the Python reader share: running it, images, editing a store's files."""

import contextlib
import io
import json
import os
import re
import shutil
import tempfile
import unittest

import make_store
import sluice_reader
from make_store import new_store
from store_writer import BLOCK, SEGMENT_BYTES, Batch

SEGMENT_1 = "lane-00000/0000000000000001.seg"
FOOTER_AT = SEGMENT_BYTES - BLOCK
META_SLOT = 4 << 20  # where the first generation is written


def read(*arguments):
    """(exit code, stdout bytes, stderr text) of the reader."""
    out, err = io.BytesIO(), io.StringIO()
    verdict = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(verdict):
        try:
            code = sluice_reader.main(list(arguments), out)
        except SystemExit as usage:
            code = usage.code
    return code, out.getvalue() + verdict.getvalue().encode(), err.getvalue()


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-reader-")
        self.addCleanup(shutil.rmtree, self.folder)

    def image(self, name):
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        make_store.IMAGES[name](folder)
        return folder

    def json(self, store, *arguments):
        code, out, err = read(store, "--format", "json", *arguments)
        self.assertEqual((code, err), (0, ""))
        return [json.loads(line) for line in out.splitlines()]

    def texts(self, store, *arguments):
        code, out, err = read(store, *arguments)
        self.assertEqual((code, err), (0, ""))
        return out.decode().splitlines()

    def summary(self, store):
        path = os.path.join(self.folder, "summary.json")
        self.assertEqual(read(store, "--check", "--summary", path)[0], 0)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


class DamageTest(Folder):
    def path(self, name=SEGMENT_1):
        return os.path.join(self.folder, name)

    def edit(self, name, position, data):
        with open(self.path(name), "r+b") as file:
            file.seek(position)
            file.write(data)

    def flip(self, name, position):
        with open(self.path(name), "r+b") as file:
            file.seek(position)
            byte = file.read(1)[0]
            file.seek(position)
            file.write(bytes((byte ^ 0x10,)))

    def damaged(self, meaning, name=SEGMENT_1, position=None):
        """The reader exits 1 and names this file, this byte, this meaning."""
        code, _, err = read(self.folder, "--check")
        self.assertEqual(code, 1, err or "the store is whole")
        match = re.fullmatch(r"damage: (.*): byte (\d+): (.*)\n", err)
        self.assertTrue(match, err)
        self.assertRegex(match[3], meaning)
        self.assertEqual(match[1], self.path(name))
        if position is not None:
            self.assertEqual(int(match[2]), position)

    def unreadable(self, meaning):
        code, _, err = read(self.folder)
        self.assertEqual(code, 3, err)
        self.assertRegex(err, meaning)

    def store(self, partitions=2):
        """A store whose lane has a checkpoint and one batch of events, at 0 and 4096."""
        store, lane = new_store(self.folder, partitions)
        lane.open_segment().events(Batch().event(0, b"first").event(1, b"second", 5))
        return store, lane
