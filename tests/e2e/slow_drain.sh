#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A drain that takes long, with lcores that only receive and a worker whose writes never end: `sluicectl drops
# --check` is answered before it and while it lasts, and everything adds up.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
write_config rx_cpus=0 worker_cpus=1 >"$work/config.yaml"
start_dataplane "$work/config.yaml" --fault write=hang@8
before_hang=$((2 + 7)) # the start writes two of its own, which go another way
assert_eq "$("$sluicectl" status --json | jq -r '[.lcores[].role] | sort | join(" ")')" 'rx worker' 'lcores'
hangs() {
	[ "$(stat_of ".lanes[0].batch_number > $before_hang and .totals.in_flight_events >= 1")" = true ]
}
frames_ge() {
	[ "$(stat_of .totals.frames)" -ge "$1" ]
}
while ! hangs; do
	blast --payload play --count 500 --run-id $((++blast_runs)) --record "$work/part" >"$work/blast.log" 2>&1
	wait_until 'they are received' frames_ge $((blast_runs * 500))
done
check_identities

kill -TERM "$dataplane_pid"
wait_until 'it drains' grep -q 'events are not stored yet; a second signal gives them up' "$dataplane_log"
for _ in 1 2 3; do
	check_identities
done
assert_eq "$("$sluicectl" status --json | jq -r .state)" stopping 'state while it drains'
kill -TERM "$dataplane_pid"
wait_for_dataplane 6
check_report
assert_nothing_left
