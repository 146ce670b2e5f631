#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A drain that hangs, because the drive does not answer any more: the first SIGTERM waits and says how much is
# not stored; the second gives up, says how much is lost, counts it as abandoned and ends with 6. What was
# stored before is there, and the next start goes on.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
make_veth
write_config >"$work/config.yaml"
# The first thousand is stored in some writes, well before the fortieth. The start's own two, the checkpoint and a
# ledger, go another way.
start_dataplane "$work/config.yaml" --fault write=hang@40
before_hang=$((2 + 39))
blast_windowed 1 "$work/sent"

frames_ge() {
	[ "$(stat_of .totals.frames)" -ge "$1" ]
}
hangs() {
	[ "$(stat_of ".lanes[0].batch_number > $before_hang and .totals.in_flight_events >= 1")" = true ]
}
all_before_is_stored() {
	[ "$(stat_of '.lanes[0].watermark_number')" -ge "$before_hang" ]
}
while ! hangs; do
	blast --payload play --count 500 --run-id $((++blast_runs)) --record "$work/part" >"$work/blast.log" 2>&1
	cat "$work/part" >>"$work/sent"
	wait_until 'they are received' frames_ge $((1000 + (blast_runs - 1) * 500))
done
wait_until 'what was written before is stored' all_before_is_stored
stored=$(stat_of .totals.stored)

kill -TERM "$dataplane_pid"
wait_until 'it says what it waits for' grep -q 'events are not stored yet; a second signal gives them up' "$dataplane_log"
assert_eq "$("$sluicectl" status --json | jq -r .state)" stopping 'state while it waits'
kill -TERM "$dataplane_pid"
wait_for_dataplane 6
check_report
assert_contains "$(cat "$dataplane_log")" 'they are counted as abandoned' 'what it says at the second signal'
assert_ge "$(reported_drop_of abandoned)" 1 'events abandoned'
assert_eq "$(report_of .stats.totals.stored)" "$stored" 'events stored'
assert_nothing_left

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
stop_dataplane
assert_stored_was_sent "$work/sent"
assert_ge "$(wc -l <"$work/read")" $((stored + 1000)) 'events in the store'
check_store --check
