#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A producer of what no load generator would send: send.py HOST PORT, the payloads in hex on standard
input, a line each; one socket, in their order."""
import socket
import sys


def main(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as producer:
        for line in sys.stdin:
            producer.sendto(bytes.fromhex(line), (host, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
