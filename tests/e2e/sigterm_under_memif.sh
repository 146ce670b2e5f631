#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM while a memif peer sends flat out, which nobody can turn away: receiving ends all the same, what was
# received is stored, and nothing is left behind.
source "$(dirname "$0")/lib.sh"
write_config device=memif:"$work/memif.sock" segment_bytes=67108864 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
start_testpmd "$work/memif.sock"
wait_until 'events are stored' stored_ge 20000
stop_dataplane
kill_testpmd # its count is gone with the connection
assert_ge "$(report_of .stats.totals.stored)" 20000 'events stored'
check_store --check
assert_eq "$(sed -n 's/^whole: \([0-9]*\) events.*/\1/p' "$work/store-check")" "$(report_of .stats.totals.stored)" \
	'events that the independent reader finds'
[ ! -e "$work/memif.sock" ] || fail 'the socket is left'
assert_nothing_left
