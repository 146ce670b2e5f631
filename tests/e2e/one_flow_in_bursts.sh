#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One flow in bursts of a thousand datagrams at once: all of it goes to one partition, in the order sent;
# the others stay empty.
source "$(dirname "$0")/lib.sh"
make_veth
write_config partitions=16 key=flow >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 6 "$work/sent" --flows 1 --keys 1 --burst 1000 --bind $sender_v4
check_identities
stop_dataplane
assert_eq "$(report_of .stats.totals.stored)" 6000 'events stored'
assert_content "$work/sent"
# Each thousand has a source port of its own, so a partition of its own; within it the order is the sender's.
for run in 1 2 3 4 5 6; do
	"$sluice_blast" verify --store "$work/store" --stream plays --sent "$work/sent.json.$run" >"$work/output" ||
		fail "run $run: $(cat "$work/output")"
	partitions=$("$sluicectl" read plays --store "$work/store" --format json |
		jq -s "[.[] | select(.value | contains(\"run=$(printf %08d $run)\")) | .partition] | unique | length")
	assert_eq "$partitions" 1 "partitions of the flow of run $run"
done
check_store --check
