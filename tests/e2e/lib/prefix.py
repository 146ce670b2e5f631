#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""After kill -9: is everything below the published watermarks there, and does it stay as it was?

prefix.py FIGURES EVENTS [LATER]: FIGURES is what segment_probe shows of the dead data plane, EVENTS and
LATER are `sluicectl read --format json` of the store. Offsets must be dense from 0 in each partition,
reach the watermark, and be the same events, byte for byte, in LATER. Prints how many are below the watermarks.
"""
import collections
import json
import sys


def read_partitions(path):
    partitions = collections.defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            found = partitions[event["partition"]]
            if event["offset"] != len(found):
                sys.exit(f"{path}: partition {event['partition']}: offset {event['offset']} "
                         f"where {len(found)} belongs")
            found.append(event)
    return partitions


def main(figures, events, later=None):
    with open(figures, encoding="utf-8") as file:
        stream = json.load(file)["partitions"]["streams"][0]
    found = read_partitions(events)
    after = read_partitions(later) if later else found
    below = 0
    for entry in stream["partitions"]:
        partition, watermark = entry["partition"], entry["watermark"]
        if len(found[partition]) < watermark:
            sys.exit(f"{events}: partition {partition} ends at {len(found[partition])}, "
                     f"below its watermark {watermark}")
        if after[partition][:watermark] != found[partition][:watermark]:
            sys.exit(f"{later}: partition {partition}: other events below the watermark {watermark}")
        below += watermark
    print(below)


if __name__ == "__main__":
    main(*sys.argv[1:])
