#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A ring of 16 events that gets bursts of more: what does not fit is dropped as ring_full and counted to the
# last event, the rest is stored, and all identities hold, while it goes on and at the end.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
write_config partitions=1 ring_entries=16 rx_cpus=1 worker_cpus=0 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
start_blast --payload play --burst 1000 --record "$work/sent" --json "$work/sent.json" --run-id 1

ring_was_full() {
	[ "$(drop_of ring_full)" -ge 1000 ] && stored_ge 1000
}
wait_until 'events were dropped for a full ring, and others stored' ring_was_full
check_identities
check_identities
stop_blast
stop_dataplane
assert_ge "$(reported_drop_of ring_full)" 1000 'events dropped as ring_full'
assert_eq "$(report_of '.stats.rings[0].entries')" 16 'entries of the ring'
assert_eq "$(report_of '.stats.totals.stored + .drops.dropped_events')" "$(report_of .stats.totals.datagrams)" \
	'stored and dropped events'
assert_stored_was_sent "$work/sent"
"$sluice_blast" verify --store "$work/store" --stream plays --allow-missing --sent "$work/sent.json" >"$work/output" ||
	fail "$(cat "$work/output")"
assert_gaps ring_full
assert_eq "$(jq -c '[.gaps[] | select(.reason == "ring_full") | [.source, .stream]] | unique' "$work/gaps.json")" \
	"[[\"$sender_v4\",\"plays\"]]" 'whose the dropped events were'
