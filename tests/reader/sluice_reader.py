#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads a Sluice store and checks everything that docs/format.md says about it.

It shares no code with the appliance and was written from that page alone, so that a store on which
both agree is what the page describes. Standard library only. Exit codes: 0 the store is whole,
1 damage (the first one is named on stderr), 2 usage, 3 not a store or of an unknown version.
"""

import argparse
import base64
import gc
import json
import os
import resource
import socket
import sys
import time

from sluice_meta import Damage, NotReadable
from sluice_store import KeyCheck, Store

WHOLE, DAMAGED, USAGE, NOT_READABLE = 0, 1, 2, 3


class Usage(Exception):
    """What was asked for does not exist in this store."""


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        description="Read a Sluice store and check it against docs/format.md.",
        epilog="exit codes: 0 whole, 1 damage, 2 usage, 3 not a store or an unknown version")
    parser.add_argument("store", metavar="STORE", help="the store's folder, or one of several")
    parser.add_argument("--path", metavar="DIR", action="append", default=[],
                        help="another of the store's folders, when it is not where the store's "
                        "metadata say")
    parser.add_argument("--stream", metavar="NAME", help="print this stream only")
    parser.add_argument("--partition", metavar="N", type=int,
                        help="print this partition of the stream only, counted from 0")
    parser.add_argument("--format", choices=sorted(FORMATS), default="lines",
                        help="lines: each payload and a newline (default); raw: payloads only; "
                        "hex: each payload in hex; json: an object a line, as sluicectl read "
                        "writes it, and the stream's name without --stream")
    parser.add_argument("--check", action="store_true", help="print no event, only the verdict")
    parser.add_argument("--key", metavar="OFFSET:LENGTH", type=_key_range,
                        help="recompute the partition of each event from these payload bytes")
    parser.add_argument("--summary", metavar="JSONFILE", help="write counts and verdict there")
    options = parser.parse_args(arguments)
    if options.partition is not None and options.stream is None:
        parser.error("--partition needs --stream")
    return options


def _key_range(text):
    offset, colon, length = text.partition(":")
    if not (colon and offset.isdecimal() and length.isdecimal() and int(length)):
        raise argparse.ArgumentTypeError(f"{text!r} is not OFFSET:LENGTH")
    return int(offset), int(length)


def format_lines(_names, batch):
    payloads = [event[3] for event in batch.events]
    payloads.append(b"")
    return b"\n".join(payloads)


def format_raw(_names, batch):
    return b"".join([event[3] for event in batch.events])


def format_hex(_names, batch):
    return "".join([event[3].hex() + "\n" for event in batch.events]).encode()


def format_json(names, batch):
    lines = []
    for offset, (partition, source, time_ns, payload, attributes) in batch.numbered():
        stream = names.stream_of[partition]
        event = {"partition": partition - stream.first_partition, "offset": offset,
                 "receive_ns": time_ns}
        if source:
            event["source"] = source_text(batch.sources[source])
        if attributes:
            add_attributes(event, attributes)
        add_bytes(event, "value", payload)
        if names.with_stream:
            event["stream"] = stream.name
        lines.append(json.dumps(event, separators=(",", ":")))
    lines.append("")
    return "\n".join(lines).encode()


def add_bytes(event, name, data):
    try:
        event[name] = data.decode()
    except UnicodeDecodeError:
        event[name + "_base64"] = base64.b64encode(data).decode()


def add_attributes(event, attributes):
    if attributes.operation != "append":
        event["op"] = attributes.operation
    if attributes.event_ns is not None:
        event["event_ns"] = attributes.event_ns
    if attributes.weight is not None:
        event["weight"] = attributes.weight
    if attributes.session is not None:
        event["session"] = f"{attributes.session:016x}"
        event["sequence"] = attributes.sequence
    if attributes.key is not None:
        add_bytes(event, "key", attributes.key)


FORMATS = {"lines": format_lines, "raw": format_raw, "hex": format_hex, "json": format_json}


def source_text(entry):
    family, port, address = entry
    if family == 4:
        return f"{socket.inet_ntop(socket.AF_INET, address[:4])}:{port}"
    return f"[{socket.inet_ntop(socket.AF_INET6, address)}]:{port}"


class Selection:
    """The partitions that are printed, how they are called, and in which order they come."""

    def __init__(self, store, stream_name, index):
        self.by_term = None
        self.stream_of, self.with_stream = store.stream_of, stream_name is None
        if stream_name is None:
            self.partitions = None
            return
        stream = next((s for s in store.meta.streams if s.name == stream_name), None)
        if stream is None:
            names = ", ".join(s.name for s in store.meta.streams)
            raise Usage(f"there is no stream {stream_name!r}; the store has: {names}")
        first, count = stream.first_partition, stream.partition_count
        if index is None and count > 1:
            self.partitions = frozenset(range(first, first + count))
            return
        index = index or 0
        if not 0 <= index < count:
            raise Usage(f"stream {stream_name} has no partition {index}, only 0 to {count - 1}")
        self.partitions = frozenset((first + index,))
        if len(store.join.ranges.get(first + index, ())) > 1:
            self.by_term = {}  # the lanes of its terms are not in order: kept until all are read

    def pick(self, batch):
        if self.partitions is not None and not self.partitions.issuperset(batch.offsets):
            batch.events = [event for event in batch.events if event[0] in self.partitions]
        return batch


def print_events(store, options, key_checks, out):
    """Walk the whole store; print what is selected."""
    selection = Selection(store, options.stream, options.partition)
    render = FORMATS[options.format]
    for terms, batch in store.walk(key_checks):
        if options.check or not selection.pick(batch).events:
            continue
        text = render(selection, batch)
        if selection.by_term is None:
            out.write(text)
        else:
            term = terms[batch.events[0][0]]
            selection.by_term.setdefault(term, []).append(text)
    for _, texts in sorted((selection.by_term or {}).items()):
        out.write(b"".join(texts))
    out.flush()


def read_store(options, out, summary):
    """Read STORE; fills `summary` as far as it comes."""
    store = Store(options.store, *options.path)
    try:
        key_checks = {}
        if options.key:
            key_checks = {stream.name: KeyCheck(stream, *options.key)
                          for stream in store.meta.streams
                          if options.stream in (None, stream.name)}
        print_events(store, options, key_checks, out)
    finally:
        summary.update(store.summary())
        store.close()


def raise_file_limit():
    """Every segment stays open, and locked, while the store is read."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments=None, out=None):
    options = parse_arguments(arguments)
    raise_file_limit()
    gc.disable()  # a million short-lived tuples and no cycles
    began = time.monotonic()
    summary = {"store": os.fspath(options.store), "whole": False, "damage": None}
    try:
        read_store(options, out or sys.stdout.buffer, summary)
        summary["whole"], code = True, WHOLE
    except Damage as damage:
        summary["damage"] = {"file": damage.file, "position": damage.position,
                             "meaning": damage.meaning}
        print(f"damage: {damage}", file=sys.stderr)
        code = DAMAGED
    except NotReadable as error:
        print(f"error: {error}", file=sys.stderr)
        code = NOT_READABLE
    except Usage as error:
        print(f"error: {error}", file=sys.stderr)
        code = USAGE
    except BrokenPipeError:
        # Whoever reads the output has enough; Python must not complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = WHOLE
    summary["seconds"] = round(time.monotonic() - began, 3)
    if options.summary and code in (WHOLE, DAMAGED):
        with open(options.summary, "w", encoding="utf-8") as file:
            json.dump(summary, file, indent=2)
            file.write("\n")
    if options.check and code == WHOLE:
        totals = summary["totals"]
        print(f"whole: {totals['events']} events, {totals['void_events']} void, in "
              f"{sum(totals['batches'].values())} batches, {totals['segments']} segments, "
              f"{summary['lanes']} lanes")
    return code


if __name__ == "__main__":
    sys.exit(main())
