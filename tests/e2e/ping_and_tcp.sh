#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The interface stays the kernel's for everything else: ping over IPv4 and IPv6, ARP and a TCP connection work
# across it while the data plane takes a flood from it.
source "$(dirname "$0")/lib.sh"
make_veth
write_config >"$work/config.yaml"
start_dataplane "$work/config.yaml"
start_blast --payload play --rate 100000 --run-id 1 --record "$work/sent"
wait_until 'the flood arrives' stored_ge 1000

in_sender ip neighbour del $appliance_v4 dev $sender_if # so that the next ping has to ask
in_sender ping -q -c 2 -i 0.2 -w 60 $appliance_v4
in_sender ping -q -c 2 -i 0.2 -w 60 $appliance_v6
nc -l -p 7000 >"$work/tcp" &
receiver=$!
wait_until 'the TCP socket is open' grep -q ':1B58 ' /proc/net/tcp
head -c 200000 /dev/urandom >"$work/file"
in_sender nc -N $appliance_v4 7000 <"$work/file"
wait $receiver
cmp "$work/file" "$work/tcp" || fail 'TCP across the interface brought something else'

stored=$(stat_of .totals.stored)
wait_until 'the flood has gone on' stored_ge $((stored + 1000))
check_identities
stop_blast
stop_dataplane
assert_eq "$(report_of '[.drops.reasons[] | select(.unit == "frames") | .count] | add')" 0 \
	'frames that reached the data plane and were not its own'
assert_stored_was_sent "$work/sent"
check_store --check
