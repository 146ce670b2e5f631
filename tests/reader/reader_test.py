# SPDX-License-Identifier: BSD-3-Clause
"""The Python reader on whole stores: checksum, hash, what it prints and what it counts."""

import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import unittest

import make_store
import sluice_reader
from reader_case import Folder, read
from sluice_crc import POLYNOMIAL, SPARSE_MULTIPLES, crc32c, crc32c_plain
from sluice_lane import READERS_LOCK_BYTE
from sluice_siphash import siphash13
from store_writer import Batch, StoreWriter, with_crc


class ChecksumTest(unittest.TestCase):
    def test_crc_gives_the_known_value(self):
        self.assertEqual(crc32c_plain(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(b"6789", crc32c(b"12345")), 0xE3069283)
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)

    def test_crc_multiples_are_multiples_of_the_polynomial(self):
        for terms in SPARSE_MULTIPLES:
            rest = sum(1 << term for term in terms)
            while rest.bit_length() >= POLYNOMIAL.bit_length():
                rest ^= POLYNOMIAL << rest.bit_length() - POLYNOMIAL.bit_length()
            self.assertEqual(rest, 0, terms)

    def test_crc_of_any_length_equals_the_plain_loop(self):
        source = random.Random(1)
        lengths = [*range(0, 300), *(source.randrange(300, 20000) for _ in range(100)),
                   (512 << 10) - 1, 512 << 10, (512 << 10) + 1]
        for length in lengths:
            data, before = source.randbytes(length), source.getrandbits(32)
            self.assertEqual(crc32c(data, before), crc32c_plain(data, before), length)

    def test_siphash_equals_the_one_in_the_interpreter(self):
        # CPython 3.11 hashes bytes with SipHash-1-3; a seed of 0 is a key of zeros.
        if sys.hash_info.algorithm != "siphash13":
            self.skipTest(f"this interpreter hashes with {sys.hash_info.algorithm}")
        program = "for n in range(1, 70): print(hash(bytes(range(n))))"
        out = subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": "0"},
                             check=True, capture_output=True, text=True).stdout
        for length, value in enumerate(map(int, out.split()), 1):
            self.assertEqual(siphash13(bytes(16), bytes(range(length))), value % (1 << 64))

    def test_siphash_uses_both_halves_of_the_key(self):
        key = bytes(range(16))
        hashes = {siphash13(key[:i] + bytes((key[i] ^ 1,)) + key[i + 1:], b"x") for i in range(16)}
        self.assertEqual(len(hashes), 16)


class WholeStoreTest(Folder):
    def test_every_image_is_whole(self):
        for name in make_store.IMAGES:
            with self.subTest(name):
                code, out, err = read(self.image(name), "--check")
                self.assertEqual((code, err), (0, ""))
                self.assertTrue(out.startswith(b"whole: "), out)

    def test_lines_come_back_in_order_with_all_bytes(self):
        lines = self.texts(self.image("sealed"), "--stream", "plays")
        self.assertEqual(lines, ["u%03d plays track %d" % (i * 37 % 1000, i) for i in range(1200)])

    def test_raw_and_hex_carry_the_same_payloads(self):
        store = self.image("large")
        raw = read(store, "--format", "raw")[1]
        self.assertEqual(bytes.fromhex(read(store, "--format", "hex")[1].decode()), raw)
        self.assertEqual(len(raw), sum(i * 1500 + 10 * j for i in range(4) for j in range(150)))

    def test_offsets_are_dense_in_each_partition(self):
        seen = {}
        for event in self.json(self.image("checkpoints")):
            self.assertEqual(event["offset"], seen.get(event["partition"], 0))
            seen[event["partition"]] = event["offset"] + 1
        self.assertEqual(sum(seen.values()), 800)

    def test_a_stream_and_a_partition_are_selected(self):
        store = self.image("streams")
        self.assertEqual(len(self.texts(store)), 624)
        self.assertEqual(self.texts(store, "--stream", "logs", "--partition", "7"),
                         ["log 13 0", "log 13 1"])
        skips = self.json(store, "--stream", "skips")
        self.assertEqual([(e["partition"], e["offset"], e["value"]) for e in skips],
                         [(0, i, "%d of 5" % n) for i, n in enumerate((0, 2, 3, 5))])

    def test_sources_are_looked_up_in_their_batch(self):
        sources = [event.get("source") for event in self.json(self.image("sources"))]
        self.assertEqual(sources, ["192.0.2.33:40001", None, "[2001:db8::7]:65535",
                                   "192.0.2.33:40001", "[2001:db8::7]:1"])

    def test_a_payload_that_is_no_text_is_base64_in_json(self):
        _, lane = make_store.new_store(self.folder, 1)
        lane.open_segment().events(Batch().event(0, b"\xff\0").event(0, "\u00e9\0\"".encode())
                                   .event(0, b""))
        self.assertEqual([(e.get("value"), e.get("value_base64")) for e in self.json(self.folder)],
                         [(None, "/wA="), ("\u00e9\0\"", None), ("", None)])

    def test_times_follow_the_base_in_force(self):
        times = [e["receive_ns"] - make_store.TIME_0 for e in self.json(self.image("times"))]
        self.assertEqual(times, [0, 0xFFFFFFFF, 5_000_000_017, -3_599_999_999_999, 5])

    def test_void_events_are_left_out(self):
        store = self.image("terms")
        self.assertEqual(self.texts(store, "--stream", "plays", "--partition", "0"),
                         ["term 1, %d" % i for i in range(25)] +
                         ["term 2, %d" % i for i in range(0, 40, 2)] + ["term 2, last"])
        self.assertEqual(self.texts(store, "--stream", "plays", "--partition", "1"),
                         ["term 1, %d" % i for i in range(15)] + ["term 3, 15", "term 3, 16"])
        self.assertEqual([e["offset"] for e in self.json(store, "--stream", "plays",
                                                         "--partition", "0")], list(range(46)))
        self.assertEqual(self.summary(store)["totals"]["void_events"], 40)

    def test_terms_of_a_partition_are_read_in_order_whatever_their_lanes(self):
        folder = os.path.join(self.folder, "back")
        store = StoreWriter(folder).storage_class("fast").stream("plays", 1)
        low, high = store.lane().start(), store.lane().start()
        for term, lane in ((1, high), (2, low), (3, high)):
            store.place(0, lane, term, term - 1)
            lane.open_segment().events(Batch().event(0, b"term %d" % term)).seal()
            del lane.states[0]
        store.write_meta()
        self.assertEqual(self.texts(folder, "--stream", "plays", "--partition", "0"),
                         ["term 1", "term 2", "term 3"])
        self.assertEqual(self.texts(folder, "--stream", "plays"), ["term 1", "term 2", "term 3"])
        self.assertEqual(self.texts(folder), ["term 2", "term 1", "term 3"])

    def test_a_partition_that_moves_without_a_checkpoint_goes_on(self):
        store = self.image("rehomed")
        events = self.json(store, "--stream", "plays", "--partition", "0")
        self.assertEqual([(e["offset"], e["value"]) for e in events],
                         [(0, "here"), (1, "moved"), (2, "stays")])

    def test_what_is_older_than_what_expired_in_a_later_lane_has_expired(self):
        store = self.image("outlived")
        events = self.json(store, "--stream", "plays")
        self.assertEqual([e["offset"] for e in events], [3, 4])
        partition = self.summary(store)["streams"][0]["partitions"][0]
        self.assertEqual((partition["first"], partition["last"], partition["count"]), (3, 4, 2))

    def test_unknown_kinds_and_types_are_skipped_and_counted(self):
        store = self.image("unknown")
        self.assertEqual(self.texts(store), ["known", "known too", "and on"])
        totals = self.summary(store)["totals"]
        self.assertEqual(totals["unknown_run_types"], 3)
        self.assertEqual(totals["batches"], {"events": 2, "checkpoint": 1, "epoch_start": 0, "fence": 0,
                                             "mark": 1, "unknown": 2})

    def test_gaps_are_counted_by_reason_and_take_no_offset(self):
        store = self.image("gaps")
        self.assertEqual(self.texts(store), ["before", "behind", "and on"])
        summary = self.summary(store)
        self.assertEqual(summary["gaps"], {"lane_full": 40, "port_missed": 500, "ring_full": 5})
        self.assertEqual(summary["port_gaps"], {"1": 500})
        self.assertEqual((summary["totals"]["gap_runs"], summary["totals"]["unknown_run_types"]),
                         (4, 0))

    def test_a_torn_tail_ends_the_log_and_what_lies_behind_is_not_read(self):
        self.assertEqual(len(self.texts(self.image("torn"))), 400)
        self.assertEqual(len(self.texts(self.image("halfborn"))), 30)

    def test_the_summary_counts_from_the_first_retained_offset(self):
        summary = self.summary(self.image("expired"))
        self.assertEqual((summary["whole"], summary["damage"]), (True, None))
        stream = summary["streams"][0]
        self.assertEqual((stream["name"], stream["count"]), ("plays", 300))
        self.assertEqual([entry["partition"] for entry in stream["partitions"]], [1, 2, 3])
        for entry in stream["partitions"]:
            self.assertEqual(entry["last"] - entry["first"] + 1, entry["count"])
            self.assertGreater(entry["first"], 0)
        self.assertEqual((summary["totals"]["segments"], summary["totals"]["segments_sealed"]),
                         (3, 2))

    def test_the_steering_of_a_key_range_is_recomputed(self):
        store = self.image("sealed")
        self.assertEqual(read(store, "--check", "--key", "0:4")[0], 0)
        code, _, err = read(store, "--check", "--key", "0:5")
        self.assertEqual(code, 1)
        self.assertRegex(err, r"an event of partition \d belongs to \d by its key")

    def test_the_newer_slot_of_store_meta_wins(self):
        folder = os.path.join(self.folder, "slots")
        store = StoreWriter(folder).storage_class("fast").stream("old", 1)
        store.lane().start()
        for name in ("newer", "newest"):
            store.write_meta()
            store.streams[0] = (name, *store.streams[0][1:])
        store.write_meta()
        self.assertEqual(self.summary(folder)["streams"][0]["name"], "newest")
        with open(os.path.join(folder, "store.meta"), "r+b") as meta:
            meta.seek((4 << 20) + 200)
            meta.write(b"torn")
        self.assertEqual(self.summary(folder)["streams"][0]["name"], "newer")

    def test_a_lane_on_another_path_is_counted_and_left_out(self):
        store, _ = make_store.new_store(self.folder, 1)
        away = store.lane()
        shutil.rmtree(away.folder)
        away.path_index = 1
        store.recorded = (self.folder, "/nonexistent")
        store.write_meta()
        totals = self.summary(self.folder)["totals"]
        self.assertEqual(totals["lanes_on_other_paths"], 1)

    def test_a_lane_on_a_path_that_is_not_counted_is_damage(self):
        store, lane = make_store.new_store(self.folder, 1)
        lane.path_index = 1
        store.write_meta()
        code, _, err = read(self.folder, "--check")
        self.assertEqual(code, 1)
        self.assertIn("lane 0 lies on path 1 of 1", err)

    def test_paths_are_found_where_they_are_said_to_be(self):
        folder = self.image("paths")
        other = os.path.join(folder, "path-1")
        self.assertEqual(len(self.texts(folder)), 40)
        self.assertEqual(sorted(self.texts(other)), sorted(self.texts(folder)))

    def test_a_copy_does_not_mix_with_its_original(self):
        folder = self.image("paths")
        copy, other = os.path.join(self.folder, "a"), os.path.join(self.folder, "b")
        shutil.copytree(os.path.join(folder, "path-1"), other)
        shutil.copytree(folder, copy)
        self.assertEqual(self.summary(copy)["totals"]["lanes_on_other_paths"], 1)
        self.assertEqual(sorted(self.texts(copy, "--path", other)), sorted(self.texts(folder)))

    def test_a_path_twice_or_of_another_store_is_refused(self):
        folder = self.image("paths")
        code, _, err = read(folder, "--path", folder)
        self.assertEqual(code, 3)
        self.assertIn("is path 0 of the store", err)
        file = os.path.join(folder, "path-1", "store.meta")
        with open(file, "r+b") as meta:
            slots = meta.read()
            for at in (0, 4 << 20):
                slot = bytearray(slots[at:at + struct.unpack_from("<I", slots, at + 24)[0]])
                slot[48] ^= 1  # in the salt
                meta.seek(at)
                slot[12:16] = bytes(4)
                meta.write(with_crc(bytes(slot), 12, 0))
        code, _, err = read(folder, "--path", os.path.join(folder, "path-1"))
        self.assertEqual(code, 3)
        self.assertIn("belongs to another store", err)

    def test_the_newest_copy_counts(self):
        self.assertEqual(self.summary(self.image("paths"))["generation"], 2)

    def test_a_segment_that_is_being_removed_has_expired(self):
        store = self.image("sealed")
        first = os.path.join(store, "lane-00000", "0000000000000001.seg")
        lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, READERS_LOCK_BYTE, 1, 0)
        with open(first, "r+b") as file:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
            self.assertEqual(len(self.texts(store)), 800)
        self.assertEqual(len(self.texts(store)), 1200)

    def test_temporary_segments_and_foreign_files_are_ignored(self):
        store = self.image("plain")
        for name in ("0000000000000002.tmp", "notes.txt", "0000000000000002.seg.bak"):
            with open(os.path.join(store, "lane-00000", name), "wb") as file:
                file.write(b"x")
        self.assertEqual(len(self.texts(store)), 150)


class CommandLineTest(Folder):
    def test_what_is_no_store_exits_3(self):
        self.assertEqual(read(os.path.join(self.folder, "nowhere"))[0], 3)
        code, _, err = read(self.folder)
        self.assertEqual(code, 3)
        self.assertIn("not a store", err)
        with open(os.path.join(self.folder, "store.meta"), "wb") as meta:
            meta.write(b"something else" * 100)
        self.assertEqual(read(self.folder)[0], 3)

    def test_wrong_usage_exits_2(self):
        store = self.image("plain")
        for arguments in ((), (store, "--format", "xml"), (store, "--key", "4"),
                          (store, "--key", "0:0"), (store, "--partition", "1"),
                          (store, "--stream", "none"),
                          (store, "--stream", "plays", "--partition", "4"),
                          (store, "--stream", "plays", "--partition", "-1")):
            with self.subTest(arguments):
                self.assertEqual(read(*arguments)[0], 2)

    def test_it_runs_as_a_command(self):
        store = self.image("plain")
        script = os.path.join(os.path.dirname(sluice_reader.__file__), "sluice_reader.py")
        done = subprocess.run([sys.executable, script, store, "--format", "raw"],
                              capture_output=True, check=True)
        self.assertTrue(done.stdout.startswith(b"u000 plays track 0u037 plays track 1"))
        self.assertEqual(done.stderr, b"")

    def test_a_reader_of_its_output_that_leaves_is_no_error(self):
        store = self.image("large")
        script = os.path.join(os.path.dirname(sluice_reader.__file__), "sluice_reader.py")
        with subprocess.Popen([sys.executable, script, store, "--format", "hex"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.read(1)
            process.stdout.close()
            self.assertEqual((process.stderr.read(), process.wait()), (b"", 0))


if __name__ == "__main__":
    unittest.main()
