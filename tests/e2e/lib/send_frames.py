#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends UDP datagrams in hand-made Ethernet frames, with VLAN tags if asked, through a packet socket.

Works on kernels without VLAN devices, and shares no code with the parser under test. Every payload is
different; --record writes them, one a line, in the order sent.
"""
import argparse
import ipaddress
import socket
import struct
import sys


def ones_complement_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def udp(source, target, source_port, target_port, payload):
    length = 8 + len(payload)
    pseudo = source.packed + target.packed
    pseudo += struct.pack("!BBH" if source.version == 4 else "!IxxxB",
                          *((0, 17, length) if source.version == 4 else (length, 17)))
    header = struct.pack("!HHHH", source_port, target_port, length, 0)
    checksum = ~ones_complement_sum(pseudo + header + payload) & 0xFFFF
    return header[:6] + struct.pack("!H", checksum or 0xFFFF) + payload


def ip(source, target, content):
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(content), 17, 64) + source.packed + target.packed + content
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 1, 0x4000, 64, 17, 0)
    header += source.packed + target.packed
    checksum = ~ones_complement_sum(header) & 0xFFFF
    return header[:10] + struct.pack("!H", checksum) + header[12:] + content


def ethernet(arguments, version):
    frame = bytes.fromhex((arguments.destination_mac + arguments.source_mac).replace(":", ""))
    for tag in arguments.vlan:
        ethertype, _, vid = tag.rpartition(":")
        frame += struct.pack("!HH", int(ethertype or "8100", 16), int(vid))
    return frame + struct.pack("!H", 0x0800 if version == 4 else 0x86DD)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--source-mac", required=True)
    parser.add_argument("--destination-mac", required=True)
    parser.add_argument("--from", dest="source", type=ipaddress.ip_address, required=True)
    parser.add_argument("--to", type=ipaddress.ip_address, required=True)
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--flows", type=int, default=8, help="source ports, from 40000 on")
    parser.add_argument("--vlan", action="append", default=[], metavar="[ETHERTYPE:]VID", help="outermost first")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--text", default="frame", help="start of each payload")
    parser.add_argument("--record", type=argparse.FileType("w"))
    arguments = parser.parse_args()
    head = ethernet(arguments, arguments.to.version)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.bind((arguments.interface, 0))
        for number in range(arguments.count):
            text = f"{arguments.text} {number}"
            content = udp(arguments.source, arguments.to, 40000 + number % arguments.flows, arguments.port,
                          text.encode())
            packets.send(head + ip(arguments.source, arguments.to, content))
            if arguments.record:
                arguments.record.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
