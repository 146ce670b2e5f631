#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A start behind a clean stop takes the end of the log from the bookmark, reads no segment, and goes on in the
# same one. One behind a kill reads what is unsealed. Either way everything is there, once, in order.
source "$(dirname "$0")/lib.sh"
make_veth
write_config partitions=4 key=0:8 >"$work/config.yaml"

segments() {
	find "$work/store" -name '*.seg' | wc -l
}
# Of the last start: what it has read, and whether it says that a clean stop has marked the end.
recovered() {
	"$sluicectl" status --json | jq -r '[.lanes[] | "\(.recovered_batches) \(.recovered_events)"] | join(", ")'
}
is_marked() {
	grep -c 'as its clean stop has marked it' "$dataplane_log" || true
}

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent" --keys 20
stop_dataplane
for life in 1 2 3; do
	start_dataplane "$work/config.yaml"
	assert_eq "$(recovered)" '0 0' "batches and events read by start $life behind a clean stop"
	assert_eq "$(is_marked)" 1 "what start $life says of it"
	blast_windowed 1 "$work/sent" --keys 20
	check_identities
	stop_dataplane
done
assert_eq "$(segments)" 1 'segments after four lives'

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent" --keys 20
kill_dataplane
start_dataplane "$work/config.yaml"
assert_eq "$(is_marked)" 0 'what a start behind a kill says of a clean stop'
assert_ge "$("$sluicectl" status --json | jq '[.lanes[].recovered_events] | add')" 5000 'events that it has read'
stop_dataplane
assert_content "$work/sent"
check_store --check --key 0:8
"$sluicectl" store verify "$work/store" >"$work/output" || fail "$(cat "$work/output")"
"$sluicectl" drops --check --offline "$work/store" >"$work/output" || fail "$(cat "$work/output")"
assert_nothing_left
