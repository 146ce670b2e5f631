#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 leaves our program attached: the kernel gets everything meanwhile, and the next start replaces
# it. The program of a running process is not touched, nor one that is not ours.
source "$(dirname "$0")/lib.sh"
source "$e2e_dir/lib/port.sh"
make_veth

start_probe af_xdp:$appliance_if
expect_status 1 "$probe" --device af_xdp:$appliance_if
assert_contains "$(cat "$work/output")" "running data plane (pid $probe_pid)" 'a second one on the interface'
assert_eq "$(attached_program)" sl_prefilter 'program of the first one'
send_datagrams 100
wait_until 'the first one still receives' probe_has frames 100

kill_probe
assert_eq "$(attached_program)" sl_prefilter 'program left by kill -9'
nc -u -l -W 1 -p 5000 >"$work/received" &
receiver=$!
wait_until 'the socket is open' grep -q ':1388 ' /proc/net/udp
send_datagrams 1
wait $receiver
assert_eq "$(cat "$work/received")" 'datagram 0' 'what the kernel gets behind a stale program'

start_probe af_xdp:$appliance_if
assert_contains "$(cat "$work/probe.log")" "detached a stale 'sl_prefilter'" 'log of the next start'
send_datagrams 100
wait_until 'the next one receives' probe_has frames 100
stop_probe
assert_eq "$(attached_program)" '' 'program left on the interface'

# One that is not ours: named, with the remedy, and left alone.
clang -target bpf -O2 -g -c -o "$work/foreign.o" -x c - <<'SOURCE'
__attribute__((section("xdp"))) int foreign_pass(void *context) { return 2; }
char text[] __attribute__((section("license"))) = "GPL";
SOURCE
for mode in xdpdrv xdpgeneric; do
	ip link set dev $appliance_if $mode object "$work/foreign.o" section xdp
	expect_status 1 "$probe" --device af_xdp:$appliance_if
	assert_contains "$(cat "$work/output")" "XDP program 'foreign_pass'" "a foreign program in mode $mode"
	assert_contains "$(cat "$work/output")" "'ip link set dev $appliance_if xdp" 'the remedy'
	assert_eq "$(attached_program)" foreign_pass 'the foreign program, afterwards'
	ip link set dev $appliance_if $mode off
done
