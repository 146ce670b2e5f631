# SPDX-License-Identifier: BSD-3-Clause
"""CRC-32C (Castagnoli) for the independent reader, fast without a C extension.

A byte-wise table loop gives about 10 MB/s in CPython, a tenth of what the reader needs. So a long
input is first made short: it is one big integer, a polynomial over GF(2), and adding a multiple of
the CRC's polynomial P does not change the remainder. Multiples with four or six terms move the high
half of the polynomial onto the low half with three or five shifts and XORs of big integers, which
run at memory speed. P(x)^(2^k) = P(x^(2^k)), so each such multiple scales by any power of two. What
is left, some fifty bytes, goes through the table.
"""

POLYNOMIAL = 0x11EDC6F41  # x^32 + x^28 + ... + 1, highest power first
REFLECTED = 0x82F63B78    # the same without x^32, lowest power first

# Exponents of sparse multiples of P, found by search; the unit tests divide them by P again.
SPARSE_MULTIPLES = (
    (5685, 1362, 426, 0),
    (266, 143, 121, 88, 71, 0),
)


def _make_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (REFLECTED if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


TABLE = _make_table()


CHUNK_BYTES = 512 << 10  # longer inputs are taken in chunks, which stay within the caches


def _make_folds():
    """(bits needed, bits folded away, their mask, shifts of the part folded), the largest first."""
    folds = []
    for terms, scales in zip(SPARSE_MULTIPLES, (range(10), range(4))):
        top = terms[0]
        for k in scales:
            away = (top - terms[1]) << k
            shifts = tuple(((top - term) << k) - away for term in terms[1:])
            folds.append((away + (top << k), away, (1 << away) - 1, shifts))
    return tuple(sorted((fold for fold in folds if fold[0] <= 8 * CHUNK_BYTES), reverse=True))


FOLDS = _make_folds()


def crc32c_plain(data, crc=0):
    """The textbook table loop; `crc` is the checksum of what came before."""
    table = TABLE
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def crc32c(data, crc=0):
    """The checksum of `data`, which follows data with the checksum `crc`."""
    if len(data) < 128:
        return crc32c_plain(data, crc)
    for start in range(0, len(data), CHUNK_BYTES):
        crc = _crc32c_chunk(data[start:start + CHUNK_BYTES], crc)
    return crc


def _crc32c_chunk(data, crc):
    bits = 8 * len(data)
    if bits < 32:
        return crc32c_plain(data, crc)
    # Bit 0 is the first on the wire and so the highest power: the register adds to the first 32.
    poly = int.from_bytes(data, "little") ^ crc ^ 0xFFFFFFFF
    for needed, away, mask, shifts in FOLDS:
        while bits >= needed:
            high = poly & mask
            poly >>= away
            for shift in shifts:
                poly ^= high << shift
            bits -= away
    # Zero bits in front leave a zero register alone, so they fill up the first byte.
    rest = (poly << -bits % 8).to_bytes((bits + 7) // 8, "little")
    return crc32c_plain(rest, 0xFFFFFFFF)
