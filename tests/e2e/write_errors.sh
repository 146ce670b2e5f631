#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Writes that fail with EIO. One: what is not stored is written again to the next segment, and nothing is lost.
# Some hundred: the breaker opens, events are refused as drive_failed, and a probe closes it. All, or none finds
# room any more: an orderly stop ends with 5, and the next start recovers what was stored, and goes on behind it.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
write_config partitions=4 retry_limit=2 backoff_us_max=20000 >"$work/config.yaml"

lane_is() { # STATE OF-THE-DATA-PLANE
	[ "$("$sluicectl" status --json | jq -r '.lanes[0].state + " " + .state')" = "$1 $2" ]
}

# A thousand events make at most a few batches, a second of rest one more: the first thousand is stored
# well before the fortieth write.
flood_into() { # FAULT: a thousand events one by one, then a flood
	start_dataplane "$work/config.yaml" --fault "$1"
	blast_windowed 1 "$work/sent"
	start_blast --payload play --rate 20000 --run-id $((++floods * 1000)) --record "$work/sent.flood" \
		--json "$work/sent.json"
}
floods=0

mended() {
	[ "$(stat_of .lanes[0].segments_mended)" -ge 1 ] && lane_is active running
}

assert_accounted() {
	stored=$(report_of .stats.totals.stored)
	assert_eq "$(report_of .stats.totals.events)" \
		$((stored + $(reported_drop_of drive_failed) + $(reported_drop_of lane_full) +
			$(reported_drop_of disk_full))) 'stored + refused'
	cat "$work/sent.flood" >>"$work/sent"
	assert_stored_was_sent "$work/sent"
	total=$((${total-0} + stored))
	assert_eq "$(wc -l <"$work/read")" "$total" 'events in the store'
	"$sluice_blast" verify --store "$work/store" --stream plays --allow-missing --sent "$work/sent.json" \
		>"$work/output" || fail "$(cat "$work/output")"
	check_store --check
}

flood_into write=eio@40
wait_until 'the lane is whole again' mended
check_identities
blast_before=$(stat_of .totals.stored)
wait_until 'it goes on' stored_ge $((blast_before + 1000))
stop_blast
stop_dataplane
assert_contains "$(cat "$dataplane_log")" 'what is not stored is written again to the next segment' 'the warning'
assert_eq "$(grep -c '^error' "$dataplane_log")" 0 'lines of error'
assert_eq "$(report_of '.stats.lanes[0] | [.writes_failed, .breaker_opened, .breaker] | join(" ")')" '1 0 closed' \
	'failed writes'
assert_accounted

flood_into write=eio@40+200
wait_until 'the breaker opens' lane_is halted degraded
check_identities
wait_until 'the probe closes it' mended
check_identities
stop_blast
stop_dataplane
assert_ge "$(report_of '.stats.lanes[0].breaker_opened')" 1 'times that the breaker opened'
assert_eq "$(report_of '.stats.lanes[0].writes_failed')" 200 'failed writes'
assert_eq "$(grep -c '^error' "$dataplane_log")" 1 'lines of error'
assert_contains "$(cat "$dataplane_log")" 'the drive takes its writes again' 'what it says when it does'
assert_accounted

lacks_room() {
	[ "$(drop_of disk_full)" -ge 100 ] && lane_is disk_full running
}

flood_into write=full@40+1000000000
wait_until 'events are refused for want of room' lacks_room
check_identities
stop_blast
stop_dataplane 5
assert_contains "$(cat "$dataplane_log")" 'lane 0 has failed: No space left on device' 'the line'
assert_ge "$(report_of .stats.totals.stored)" 1000 'events stored before'
assert_accounted

refuses() {
	[ "$(drop_of drive_failed)" -ge 100 ] && lane_is halted degraded
}

flood_into write=eio@40+1000000000
wait_until 'events are refused' refuses
check_identities
stop_blast
stop_dataplane 5
assert_contains "$(cat "$dataplane_log")" 'lane 0 has failed: Input/output error' 'the line'
assert_ge "$(report_of .stats.totals.stored)" 1000 'events stored before'
assert_accounted
assert_nothing_left

start_dataplane "$work/config.yaml"
assert_eq "$("$sluicectl" status --json | jq -r '.lanes[0].state')" active 'state of the lane after the next start'
blast_windowed 2 "$work/sent"
check_identities
stop_dataplane
assert_stored_was_sent "$work/sent"
assert_eq "$(wc -l <"$work/read")" $((total + 2000)) 'events in the store behind the next start'
check_store --check
