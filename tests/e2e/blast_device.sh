#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluice-blast through a DPDK device into a sink that knows every byte: whatever the mix, each frame arrives
# whole, in order and once, and what the generator says it sent is what arrived.
source "$(dirname "$0")/lib.sh"

source "$e2e_dir/lib/sink.sh"
socket=$work/memif.sock
sink_device=net_memif0,role=server,socket=$socket,socket-abstract=no,rsize=12
blast_device=net_memif0,role=client,socket=$socket,socket-abstract=no,rsize=12

is_connected() {
	grep -q memif_region "/proc/$blast_pid/maps"
}

check_send '64-byte frames flat out' "${to[@]}" -- --rate 0 --duration 1
assert_contains "$(cat "$work/output")" '64.0 bytes each with FCS' 'the summary'
assert_eq "$(sent frame_bytes)" $(($(sent frames) * 64)) 'bytes of 64-byte frames'
check_send 'IMIX' "${to[@]}" --imix simple -- --count 120000
assert_eq "$(sent frame_bytes)" $((10000 * (7 * 64 + 4 * 570 + 1518))) 'bytes of the mix'
check_send 'Zipf keys, many flows, checksums' "${to[@]}" --zipf 1.1 --keys 50000 --flows 200 --udp-checksum \
	-- --count 100000
check_send '1400-byte frames at a rate' "${to[@]}" --frame-size 1400 -- --count 20000 --rate 100000
check_send 'text' "${to[@]}" --payload play --size 200 -- --count 20000

# A capture with frames that no template makes, one of them no UDP at all.
python3 - "$work/capture.pcap" <<'PYTHON'
import struct, sys
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i in range(1000):
        frame = bytes((i + j * j) & 0xff for j in range(14 + i * 37 % 1501))
        out.write(struct.pack("<IIII", i, 0, len(frame), len(frame)) + frame)
PYTHON
check_send 'a replay' --replay "$work/capture.pcap" -- --loop 30
assert_eq "$(sent sent)" 30000 'frames of 30 loops'
assert_eq "$(sent payload)" replay 'what the summary calls it'
expect_status 2 "$sluice_blast" verify --store "$work" --sent "$work/sent.json"
check_send 'a replay until a count' --replay "$work/capture.pcap" -- --loop 0 --count 2500 --rate 200000

# Interrupted: what had left is known exactly.
start_sink "${to[@]}"
start_blast "${to[@]}" --rate 200000 --record "$work/record"
wait_until 'frames flow' test -s "$work/record"
kill -INT $blast_pid
wait_until 'the summary is written' blast_has_sent
stop_sink
stop_blast
assert_eq "$(sent interrupted)" true 'the summary says that it was interrupted'
assert_eq "$(arrived frames)" "$(sent sent)" 'frames of an interrupted run'
assert_eq "$(arrived good)" true 'they are right'
assert_eq "$(stat -c %s "$work/record")" $(($(sent sent) * 18)) 'bytes of the record'

# The receiver goes away in the middle: said, with what had left. DPDK's memif unmaps the rings of a peer that
# has died, also below who sends at that moment: it seldom does.
start_sink "${to[@]}"
start_blast "${to[@]}" --rate 10
wait_until 'the generator is connected' is_connected
kill -KILL $sink_pid
wait $sink_pid || true
status=0
wait $blast_pid || status=$?
assert_eq $status 1 'exit code without a receiver'
assert_contains "$(cat "$work/output")" '--device net_memif0' 'the error names the device'
rm -f "$socket"

# Devices that are none.
expect_status 1 "$sluice_blast" send "${to[@]}" --count 1 --device net_nothing0
assert_contains "$(cat "$work/output")" 'net_nothing0' 'the error names the device'
expect_status 2 "$sluice_blast" send "${to[@]}" --count 1 --device af_xdp:eth0
assert_contains "$(cat "$work/output")" 'give it as DPDK does' 'the remedy'
expect_status 2 "$sluice_blast" send "${to[@]}" --count 1 --cpu 999 --device net_null0
assert_contains "$(cat "$work/output")" '--cpu 999' 'the error names the CPU'
