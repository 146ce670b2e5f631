#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A port that cannot be opened says in one line which device, why, and what to do; nothing is left behind.
source "$(dirname "$0")/lib.sh"
source "$e2e_dir/lib/port.sh"

assert_refused() { # DEVICE PART...
	local device=$1 part
	expect_status 1 "$probe" --device "$device"
	assert_eq "$(grep -c '^line 1: device: ' "$work/output")" 1 "lines that name $device"
	for part in "${@:2}"; do
		assert_contains "$(cat "$work/output")" "$part" "error of $device"
	done
}

assert_refused af_xdp:nope "no interface 'nope'" "'ip link'"
ip link add two0 numrxqueues 2 numtxqueues 2 type veth peer name two1 numrxqueues 2 numtxqueues 2
ip link set two0 up
assert_refused af_xdp:two0 '2 receive channels of the separate kind' "'ethtool -L two0 rx 1'"
ethtool -L two0 rx 1
expect_status 1 "$probe" --device af_xdp:two0
assert_contains "$(cat "$work/output")" "'ethtool -L PEER tx 1'" 'a veth whose peer sends on more channels'
ethtool -L two1 tx 1
start_probe af_xdp:two0
stop_probe
SLUICE_XDP_OBJECT=$work/nope.o assert_refused af_xdp:two0 "$work/nope.o" 'No such file'
ip link set two1 mtu 3400
ip link set two0 mtu 3400
assert_refused af_xdp:two0 'MTU of 3400' "'ip link set dev two0 mtu 3306'"

assert_refused "pcap:$work/nope.pcap" 'No such file' 'give a capture file'
echo 'no capture' >"$work/text"
assert_refused "pcap:$work/text" 'is not a capture file' 'tcpdump -w'
assert_refused "memif:$work/nope/memif.sock" "cannot make a socket in $work/nope" 'create the folder'
assert_refused "memif:$work/text" 'is not a socket'
assert_refused "memif-client:$work/memif.sock" "no peer listens on $work/memif.sock" 'start the peer'
assert_refused 0000:7f:1f.7 'no PCI device 0000:7f:1f.7' 'dpdk-devbind.py --status'
assert_refused 'eth0:what' 'not a device' 'give af_xdp:INTERFACE'

# A driver that does not exist is found by DPDK itself.
expect_status 1 "$probe" --device net_nonesuch
assert_contains "$(cat "$work/output")" 'DPDK does not start' 'an unknown driver'

# A socket that a killed process left goes; one that lives stays.
start_probe "memif:$work/memif.sock"
expect_status 1 "$probe" --device "memif:$work/memif.sock"
assert_contains "$(cat "$work/output")" 'another process listens' 'a second memif server'
kill_probe
[ -S "$work/memif.sock" ] || fail 'kill -9 left no socket'
start_probe "memif:$work/memif.sock"
assert_contains "$(cat "$work/probe.log")" 'removed the stale socket' 'log of the next start'
stop_probe
[ ! -e "$work/memif.sock" ] || fail 'a clean stop left the socket'
