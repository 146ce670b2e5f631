# SPDX-License-Identifier: BSD-3-Clause
"""SipHash-1-3, the keyed hash that steers events to partitions."""

MASK = 0xFFFFFFFFFFFFFFFF


def _rounds(v0, v1, v2, v3, count):
    for _ in range(count):
        v0 = (v0 + v1) & MASK
        v1 = (v1 << 13 | v1 >> 51) & MASK ^ v0
        v0 = (v0 << 32 | v0 >> 32) & MASK
        v2 = (v2 + v3) & MASK
        v3 = (v3 << 16 | v3 >> 48) & MASK ^ v2
        v0 = (v0 + v3) & MASK
        v3 = (v3 << 21 | v3 >> 43) & MASK ^ v0
        v2 = (v2 + v1) & MASK
        v1 = (v1 << 17 | v1 >> 47) & MASK ^ v2
        v2 = (v2 << 32 | v2 >> 32) & MASK
    return v0, v1, v2, v3


def siphash13(key, data):
    """64 bits for `data` (bytes) under the 16-byte `key`."""
    k0 = int.from_bytes(key[:8], "little")
    k1 = int.from_bytes(key[8:16], "little")
    v0 = k0 ^ 0x736F6D6570736575
    v1 = k1 ^ 0x646F72616E646F6D
    v2 = k0 ^ 0x6C7967656E657261
    v3 = k1 ^ 0x7465646279746573
    whole = len(data) & ~7
    words = [int.from_bytes(data[i:i + 8], "little") for i in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3 ^ word, 1)
        v0 ^= word
    v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ 0xFF, v3, 3)
    return v0 ^ v1 ^ v2 ^ v3
