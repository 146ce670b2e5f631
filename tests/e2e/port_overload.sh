#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A port whose lcore does not receive: what the kernel cannot deliver is counted, what waits in the ring is
# counted, each redirected frame once; it goes on afterwards.
source "$(dirname "$0")/lib.sh"
source "$e2e_dir/lib/port.sh"
make_veth

start_probe af_xdp:$appliance_if --udp-port 5000
probe_toggle
send_datagrams 5000
wait_until 'the datagrams have passed the program' probe_has xdp_redirect 5000
assert_eq "$(counter frames)" 0 'frames received while not receiving'
assert_ge "$(counter xsk_in_ring)" 1000 'frames that wait'
assert_ge "$(counter 'xsk_ring_full + .xsk_fill_empty')" 1000 'frames lost'
assert_eq "$(counter xdp_redirect)" 5000 'frames redirected'
assert_ledger
waiting=$(counter xsk_in_ring)

probe_toggle
wait_until 'the waiting frames are received' probe_has frames "$waiting"
send_datagrams 500
wait_until 'it goes on' probe_has frames $((waiting + 500))

# A frame larger than a buffer, after the MTU was raised behind our back: counted apart.
in_sender ip link set $sender_if mtu 3000
ip link set $appliance_if mtu 3000
bytes=2500 send_datagrams 10
wait_until 'they have passed the program' probe_has xdp_redirect 5510

stop_probe
assert_eq "$(counter frames)" $((waiting + 500)) 'frames in all'
assert_eq "$(counter xsk_rx_dropped)" 10 'frames larger than a buffer'
assert_eq "$(counter xsk_in_ring)" 0 'frames left in the ring after the drain'
assert_ledger
