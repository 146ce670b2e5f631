#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A datagram that fits no batch is refused as too_large; the largest that fits is stored whole; an empty
# datagram is an empty event.
source "$(dirname "$0")/lib.sh"

# Sizes around the limit of a batch of 65536 bytes, twelve of them above it.
python3 - "$work/frames.pcap" "$work/sent" <<'MAKE'
import random, struct, sys
payloads = [random.Random(size).randbytes(size) for size in (0, 0, 1, 1472, 9000, 40000, 65000)]
fitting = len(payloads)
payloads += [random.Random(size).randbytes(size) for size in range(65480, 65492)]
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    for payload in payloads:
        udp = struct.pack("!HHHH", 4000, 5000, 8 + len(payload), 0) + payload  # no checksum: RFC 768
        ip = bytearray(struct.pack("!BBHHHBBH4B4B", 0x45, 0, 20 + len(udp), 1, 0x4000, 64, 17, 0,
                                   198, 18, 0, 1, 198, 18, 0, 2))
        total = sum(struct.unpack("!10H", ip))
        total = (total & 0xFFFF) + (total >> 16)
        ip[10:12] = struct.pack("!H", ~total & 0xFFFF)
        frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + bytes(ip) + udp
        file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
with open(sys.argv[2], "w") as file:
    for payload in payloads[:fitting]:
        file.write(payload.hex() + "\n")
MAKE
write_config device=pcap:"$work/frames.pcap" partitions=1 batch_bytes=65536 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
wait_until 'all frames are received' frames_are 19
wait_until 'what fits is stored' stored_is 7
check_identities
assert_eq "$(drop_of too_large)" 12 'datagrams refused as too_large'
stop_dataplane
assert_eq "$(report_of .stats.totals.stored)" 7 'events stored'
python3 "$reader" "$work/store" --stream plays --format hex >"$work/read"
cmp "$work/sent" "$work/read" || fail 'the payloads that fit'
assert_eq "$("$sluicectl" read plays --store "$work/store" --count 2 --format json | jq -c '[.offset, .value]')" \
	$'[0,""]\n[1,""]' 'empty events'
check_store --check
