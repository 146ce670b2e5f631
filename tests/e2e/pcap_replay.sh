#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Capture files of frames that were built by hand beside the RFCs, one for each class: each replay gives
# exactly the counters and the payloads that were written down with the frames.
source "$(dirname "$0")/lib.sh"
frames=$E2E_BUILD/tests/fixtures/frames

replay() { # CLASS
	local class=$1 expected=$frames/$1.json port
	rm -rf "$work/store"
	write_config device=pcap:"$frames/$class.pcap" port=9000 partitions=3 >"$work/config.yaml"
	sed -i 's/^classes:/  - {name: other, port: 9001, partitions: 1, class: default}\n&/' "$work/config.yaml"
	start_dataplane "$work/config.yaml"
	wait_until "all frames of $class are received" frames_are "$(jq .frames "$expected")"
	check_identities
	stop_dataplane
	assert_eq "$(report_of .stats.totals.datagrams)" "$(jq .datagrams "$expected")" "datagrams of $class"
	assert_eq "$(report_of .stats.totals.stored)" "$(jq .datagrams "$expected")" "events stored of $class"
	assert_eq "$(report_of .stats.totals.stored_bytes)" "$(jq .payload_bytes "$expected")" "payload bytes of $class"
	assert_eq "$(jq -c '[.drops.reasons[] | select(.count > 0) | {key: .reason, value: .count}] | from_entries | to_entries | sort_by(.key)' "$dataplane_report")" \
		"$(jq -c '.drops | to_entries | sort_by(.key)' "$expected")" "drops of $class"
	for port in 9000:plays 9001:other; do
		python3 "$reader" "$work/store" --stream ${port#*:} --format hex | LC_ALL=C sort >"$work/read"
		jq -r ".payloads[] | select(.port == ${port%:*}) | .hex" "$expected" | LC_ALL=C sort >"$work/expected"
		cmp "$work/expected" "$work/read" || fail "payloads of $class, stream ${port#*:}"
	done
	check_store --check
}

classes=0
for file in "$frames"/*.pcap; do
	replay "$(basename "$file" .pcap)"
	classes=$((classes + 1))
done
assert_eq $classes 6 'classes of frames'
