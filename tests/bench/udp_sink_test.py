# SPDX-License-Identifier: BSD-3-Clause
"""sluice-udp-sink itself: what comes is on disk, once, in order, and counted."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")
BLOCK_BYTES = 512 * 1024
HEAD = struct.Struct("<4sIIIQ")
JUMBO_BYTES = 9216


def read_records(path):
    """The payloads of a file in order of block numbers, and those numbers."""
    blocks = []
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            magic, used, count, _, number = HEAD.unpack_from(block)
            if magic == b"SBLK":
                blocks.append((number, block[HEAD.size:used], count))
    records = []
    for _, data, count in sorted(blocks):
        before = len(records)
        while data:
            length = int.from_bytes(data[:2], "little")
            records.append(data[2:2 + length])
            data = data[2 + length:]
        assert len(records) - before == count, "a block's count is not that of its records"
    return records, sorted(number for number, _, _ in blocks)


class SinkTest(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="udp-sink-test.", dir=BUILD)
        self.addCleanup(shutil.rmtree, self.work)
        self.file = os.path.join(self.work, "file")

    def run_sink(self, send, *options, mib=4):
        """Returns the counts; send gets a connected socket and the process."""
        sink = subprocess.Popen(
            [os.path.join(BUILD, "tests/bench/sluice-udp-sink"), "--file", self.file, "--file-mib", str(mib),
             "--json", os.path.join(self.work, "json"), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with sink, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            try:
                ready = sink.stdout.readline()
                self.assertTrue(ready.startswith("listening on 127.0.0.1:"), ready)
                out.connect(("127.0.0.1", int(ready.rpartition(":")[2])))
                send(out, sink)
                sink.send_signal(signal.SIGTERM)
                _, errors = sink.communicate()
            except BaseException:
                sink.kill()
                raise
        self.assertEqual((sink.returncode, errors), (0, ""))
        with open(os.path.join(self.work, "json"), encoding="utf-8") as file:
            return json.load(file)

    def assert_counts(self, counts, **expected):
        self.assertEqual({name: counts[name] for name in expected}, expected)

    def test_what_was_sent_is_on_disk_in_order(self):
        sent = [bytes([i % 251]) * (i % 1400) for i in range(2000)]

        def send(out, _sink):
            for payload in sent:
                out.send(payload)
        for options in ((), ("--gro",), ("--batch", "1", "--writes", "1")):
            counts = self.run_sink(send, *options)
            records, numbers = read_records(self.file)
            self.assertEqual(records, sent)
            self.assertEqual(numbers, list(range(len(numbers))))
            self.assertGreater(len(numbers), 1)
            self.assert_counts(counts, received=2000, written=2000, dropped=0, truncated=0, blocks=len(numbers),
                               received_bytes=sum(map(len, sent)), written_bytes=len(numbers) * BLOCK_BYTES)
            os.unlink(self.file)

    def test_trains_of_datagrams_are_taken_apart(self):
        train = b"".join(bytes([i]) * 100 for i in range(32))

        def send(out, _sink):
            out.setsockopt(socket.IPPROTO_UDP, 103, 100)  # UDP_SEGMENT
            for _ in range(10):
                out.send(train)
        counts = self.run_sink(send, "--gro")
        self.assertEqual(read_records(self.file)[0], [bytes([i]) * 100 for i in range(32)] * 10)
        self.assert_counts(counts, received=320, written=320)

    def test_a_file_that_is_full_is_overwritten_from_its_start(self):
        payload = bytes(8000)

        def send(out, _sink):
            for _ in range(400):
                out.send(payload)
        counts = self.run_sink(send, mib=1)
        self.assertEqual(os.path.getsize(self.file), 2 * BLOCK_BYTES)
        numbers = read_records(self.file)[1]
        self.assertEqual(numbers, [counts["blocks"] - 2, counts["blocks"] - 1])
        self.assert_counts(counts, written=400)

    def test_what_does_not_fit_into_the_socket_is_counted_as_dropped(self):
        def send(out, sink):
            sink.send_signal(signal.SIGSTOP)  # nothing is taken out meanwhile
            for _ in range(3000):
                out.send(bytes(1000))
            sink.send_signal(signal.SIGCONT)
        counts = self.run_sink(send, "--buffer-mib", "1")
        self.assertEqual(counts["received"] + counts["dropped"], 3000)
        self.assertGreater(counts["dropped"], 0)
        self.assertEqual(counts["written"], counts["received"])

    def test_a_datagram_that_is_too_long_is_counted_and_not_written(self):
        def send(out, _sink):
            out.send(bytes(JUMBO_BYTES + 1))
            out.send(b"whole")
        counts = self.run_sink(send)
        self.assertEqual(read_records(self.file)[0], [b"whole"])
        self.assert_counts(counts, truncated=1, received=1, written=1)

    def test_a_file_that_cannot_be_written_is_named(self):
        sink = subprocess.run([os.path.join(BUILD, "tests/bench/sluice-udp-sink"), "--file", "/proc/none"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(sink.returncode, 1)
        self.assertIn("/proc/none", sink.stderr)


if __name__ == "__main__":
    unittest.main()
