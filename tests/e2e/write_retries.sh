#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A write that is cut short goes on where it ended, one that gets EAGAIN is sent again: nothing is lost,
# doubled or out of order, and the counters tell of both.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth

try() { # FAULTS SHORT RETRIED
	rm -rf "$work/store" "$work"/sent*
	write_config partitions=4 key=0:8 >"$work/config.yaml"
	start_dataplane "$work/config.yaml" --fault "$1"
	blast_windowed 3 "$work/sent" --keys 50 --size 1400 # a write is larger than a block
	check_identities
	stop_dataplane
	assert_eq "$(report_of '[.stats.workers[].writes_short] | add')" "$2" "writes_short with $1"
	assert_eq "$(report_of '[.stats.workers[].writes_retried] | add')" "$3" "writes_retried with $1"
	assert_content "$work/sent"
	check_store --check --key 0:8
	for summary in "$work"/sent.json.*; do
		"$sluice_blast" verify --store "$work/store" --stream plays --sent "$summary" >"$work/output" ||
			fail "$(cat "$work/output")"
	done
}

try write=short@2 1 0
try write=eagain@2 0 1
try write=eagain@2,write=short@3 1 1
assert_nothing_left
