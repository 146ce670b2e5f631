#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The harness itself: private namespaces, a veth pair that carries IPv4 and IPv6 both ways, frames made by
# hand that the kernel takes for real, a directory that takes O_DIRECT, assertions that fail when they should.
source "$(dirname "$0")/lib.sh"

assert_eq $$ 1 'the process id in a namespace of its own'
assert_eq "$(find /run -mindepth 1)" '' 'files in a private /run'
make_veth
in_sender ping -q -c 1 -w 60 $appliance_v4
in_sender ping -q -c 1 -w 60 $appliance_v6
dd if=/dev/zero of="$work/direct" bs=4096 count=1 oflag=direct status=none

# A socket of the kernel gets what send_frames builds, so its lengths and checksums are right.
for family in 4 6; do
	source_address=sender_v$family target_address=appliance_v$family
	nc -$family -u -l -W 3 -p 5000 >"$work/received" &
	receiver=$!
	wait_until 'the socket is open' grep -q ':1388 ' /proc/net/udp /proc/net/udp6
	send_frames --from "${!source_address}" --to "${!target_address}" --count 3 --flows 1 --text 'frame' --record "$work/sent"
	wait $receiver
	assert_eq "$(cat "$work/received")" "$(tr -d '\n' <"$work/sent")" "IPv$family datagrams"
done

expect_status 1 bash -c 'exit 1'
! (assert_eq 1 2 'one') 2>"$work/output" || fail 'assert_eq did not fail'
assert_contains "$(cat "$work/output")" 'FAILED at harness.sh' 'a failure names the line of the test'
! (assert_ge 1 2 'one') 2>"$work/output" || fail 'assert_ge did not fail'
! (assert_le 2 1 'two') 2>"$work/output" || fail 'assert_le did not fail'
! (assert_ne 1 1 'one') 2>"$work/output" || fail 'assert_ne did not fail'
! (assert_contains abc d 'abc') 2>"$work/output" || fail 'assert_contains did not fail'
! (expect_status 0 false) 2>"$work/output" || fail 'expect_status did not fail'
! (hang_guard_seconds=0 && wait_until 'never' false) 2>"$work/output" || fail 'wait_until did not give up'
