#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A write that fails with EIO: the lane refuses what comes as lane_failed, one log line says so, the state is
# degraded, and an orderly stop ends with 5. The next start recovers what was stored, and goes on behind it.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
write_config partitions=4 >"$work/config.yaml"

lane_has_failed() {
	[ "$(drop_of lane_failed)" -ge 100 ] && [ "$("$sluicectl" status --json | jq -r .state)" = degraded ]
}

# A thousand events make at most a few batches, a second of rest one more: the first thousand is stored
# well before the fortieth write.
start_dataplane "$work/config.yaml" --fault write=eio@40
blast_windowed 1 "$work/sent"
start_blast --payload play --rate 20000 --run-id 1000 --record "$work/sent.flood" --json "$work/sent.json"
wait_until 'the lane has failed' lane_has_failed
assert_eq "$("$sluicectl" status --json | jq -r '.lanes[0].state')" failed 'state of the lane'
check_identities
stop_blast
stop_dataplane 5
assert_eq "$(grep -c '^error' "$dataplane_log")" 1 'lines of error'
assert_contains "$(cat "$dataplane_log")" 'lane 0 has failed: Input/output error' 'the line'
stored=$(report_of .stats.totals.stored)
assert_ge "$stored" 1000 'events stored before'
assert_eq "$(report_of .stats.totals.events)" $((stored + $(reported_drop_of lane_failed))) 'stored + lane_failed'
assert_nothing_left

# Whole behind the failure, before anything repairs it.
cat "$work/sent.flood" >>"$work/sent"
assert_stored_was_sent "$work/sent"
left=$(wc -l <"$work/read")
assert_ge "$left" "$stored" 'events in the store'
check_store --check

start_dataplane "$work/config.yaml"
assert_eq "$("$sluicectl" status --json | jq -r '.lanes[0].state')" active 'state of the lane after the next start'
blast_windowed 2 "$work/sent"
check_identities
stop_dataplane
assert_stored_was_sent "$work/sent"
assert_eq "$(wc -l <"$work/read")" $((left + 2000)) 'events in the store behind the next start'
"$sluice_blast" verify --store "$work/store" --stream plays --allow-missing --sent "$work/sent.json" >"$work/output" ||
	fail "$(cat "$work/output")"
check_store --check
