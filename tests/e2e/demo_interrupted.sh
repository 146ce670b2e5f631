#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The demo interrupted in the middle by Ctrl-C, and killed outright: the first leaves nothing behind, and
# what the second leaves is taken down by the next demo.
source "$(dirname "$0")/lib.sh"

export TMPDIR=$work

start_demo() {
	# a shell without job control starts what runs beside it deaf to SIGINT
	cpus_all python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
		"$top/scripts/run" --count 100000000 --rate 100000 >"$work/demo.log" 2>&1 &
	demo_pid=$!
	wait_until 'events are stored' demo_stores
}

demo_stores() {
	kill -0 $demo_pid 2>/dev/null || fail 'the demo ended early'
	[ "$("$sluicectl" --runtime-dir /run/sluice-demo stats --json 2>/dev/null | jq .totals.stored)" -gt 1000 ] 2>/dev/null
}

assert_nothing_left() {
	assert_eq "$(ip netns list)" '' 'network namespaces left'
	assert_eq "$(find "$work" -mindepth 1 -maxdepth 1 -name 'sluice.*')" '' 'temporary directories left'
	[ ! -e /sys/class/net/sluice0 ] || fail 'the veth pair is left'
	assert_eq "$(pgrep sluice || true)" '' 'processes left'
}

start_demo
kill -INT $demo_pid
status=0
wait $demo_pid || status=$?
assert_eq $status 130 'exit code after Ctrl-C'
assert_nothing_left

start_demo
kill -KILL $demo_pid
wait $demo_pid 2>/dev/null || true
(cpus_all scripts/run --stop)
assert_nothing_left
