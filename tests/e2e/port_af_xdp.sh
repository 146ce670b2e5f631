#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An AF_XDP port takes the datagrams of its UDP port, every one and no other frame; ping and TCP go on
# working on the interface while it is flooded; a clean stop leaves nothing attached.
source "$(dirname "$0")/lib.sh"
source "$e2e_dir/lib/port.sh"
make_veth

start_probe af_xdp:$appliance_if --udp-port 5000
assert_eq "$(attached_program)" sl_prefilter 'program on the interface'
read -r _ pool_bytes _ announced_bytes < <(grep '^pool_bytes' "$work/probe.out")
assert_le "$pool_bytes" "$announced_bytes" 'memory of the pool of mbufs'
assert_ge "$pool_bytes" $((announced_bytes * 9 / 10)) 'memory of the pool of mbufs'

# The driver keeps 2048 buffers with the kernel: of 1000 datagrams under way none is lost.
expected=0
for target in $appliance_v4 $appliance_v6 $appliance_v4 $appliance_v6; do
	target=$target send_datagrams 1000
	expected=$((expected + 1000))
	wait_until 'the datagrams are received' probe_has frames $expected
done
assert_eq "$(counter frames)" $expected 'datagrams over IPv4 and IPv6'
assert_ledger

# Tags stay in the frame; more than two are not looked through.
tagged() {
	send_frames --from $sender_v4 --to $appliance_v4 --count 10 --flows 1 --text t --record "$work/sent" "$@"
}
tagged --vlan 5
tagged --vlan 88a8:6 --vlan 7
tagged --vlan 5 --vlan 6 --vlan 7
expected=$((expected + 20))
wait_until 'the tagged datagrams are received' probe_has frames $expected

# Another port is the kernel's.
send_datagrams 100 5001
probe_counters
assert_eq "$(counter frames)" $expected 'frames received after datagrams for another port'
assert_eq "$(counter xdp_redirect)" $expected 'frames redirected'
assert_ge "$(counter xdp_pass)" 110 'frames passed'

verdicts_agree() {
	probe_counters
	[ "$(counter interface_rx_packets)" = "$(counter 'xdp_pass + .xdp_redirect')" ]
}

# While it is flooded, the kernel gets its own. What the flood loses is counted.
send_datagrams 50000 &
sender=$!
in_sender ping -q -c 3 -i 0.2 -w 60 $appliance_v4
in_sender ping -q -c 1 -w 60 $appliance_v6
nc -l -p 7000 >"$work/tcp" &
receiver=$!
wait_until 'the TCP socket is open' grep -q ':1B58 ' /proc/net/tcp
head -c 100000 /dev/urandom >"$work/file"
in_sender nc -N $appliance_v4 7000 <"$work/file"
wait $receiver
cmp "$work/file" "$work/tcp" || fail 'TCP across the interface brought something else'
wait $sender
expected=$((expected + 50000))
wait_until 'the flood has passed the program' probe_has xdp_redirect $expected
# A frame that nobody asked for may come between the two readings, but not for ever.
wait_until 'the frames on the interface are as many as the verdicts' verdicts_agree

stop_probe
assert_eq "$(counter xdp_redirect)" $expected 'frames redirected in all'
assert_eq "$(counter xsk_in_ring)" 0 'frames left in the ring after the drain'
assert_ledger
assert_eq "$(attached_program)" '' 'program left on the interface'
assert_eq "$(find /run/dpdk -mindepth 1 2>/dev/null || true)" '' "DPDK's files left behind"
