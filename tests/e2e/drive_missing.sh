#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A drive is missing at a --degraded start: the data plane says which offsets cannot be read and goes on
# behind a jump; sluicectl reads what there is when asked to. When the drive is back everything that was ever
# stored is read, no offset was given twice, and what was jumped is named as such.
source "$(dirname "$0")/lib.sh"
make_veth
write_config store="$work/a,$work/b" partitions=4 key=0:8 >"$work/config.yaml"
ln -s "$work/a" "$work/store"

state_is_degraded() {
	[ "$("$sluicectl" status --json 2>/dev/null | jq -r '"\(.state) \(.pid)"')" = "degraded $dataplane_pid" ]
}

start_degraded() {
	dataplane_log=$work/degraded-$1.log
	dataplane_report=$work/degraded-$1.json
	cpus_all "$dataplane" --config "$work/config.yaml" --report "$dataplane_report" --degraded >"$dataplane_log" 2>&1 &
	dataplane_pid=$!
	wait_until 'the data plane runs degraded' state_is_degraded
}

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent" --flows 32
stop_dataplane

mv "$work/b" "$work/away"
expect_status 1 "$dataplane" --config "$work/config.yaml"
assert_contains "$(cat "$work/output")" "'$work/b'" 'the line of error'

start_degraded 1
assert_eq "$(stat_of '[.drives[].level] | join(" ")')" '"ok missing"' 'drives'
assert_eq "$(grep -c 'cannot be read: lane 1 lies on path 1, which is missing' "$dataplane_log")" 2 'partitions it says of'
blast_windowed 1 "$work/sent" --flows 32
check_identities
state_is_degraded || fail 'the state is degraded no more, and the drive is not back'
if "$sluicectl" read plays --partition 0 >"$work/output" 2>&1; then
	fail 'sluicectl reads a store of which a drive is missing'
fi
"$sluicectl" read plays --degraded >"$work/read" 2>"$work/said" || fail "$(cat "$work/said")"
assert_contains "$(cat "$work/said")" "path 1 of the store, last at $work/b, is not here" 'what sluicectl says'
assert_ge "$(wc -l <"$work/read")" 1001 'events read without the drive'
stop_dataplane
expect_status 5 "$sluicectl" drops --check --offline "$work/a"
"$sluicectl" drops --check --offline "$work/a" --degraded --json >"$work/drops" || fail "$(cat "$work/drops")"
assert_eq "$(jq '.partial, .ok, ([.starts[].whole] | map(tostring) | join(" "))' "$work/drops" | xargs)" \
	'true true false true' 'the log without the drive, its starts whole'
assert_contains "$(jq -r '.unchecked[] | "\(.where) \(.what)"' "$work/drops")" \
	"path 1, last at $work/b is not here" 'what is not checked'
start_degraded 2
blast_windowed 1 "$work/sent" --flows 32
stop_dataplane

mv "$work/away" "$work/b"
start_dataplane "$work/config.yaml"
assert_eq "$(stat_of '[.drives[].level] | join(" ")')" '"ok ok"' 'drives'
blast_windowed 1 "$work/sent" --flows 32
check_identities
stop_dataplane
assert_content "$work/sent"
check_store --check --key 0:8
"$sluicectl" store verify "$work/a" >"$work/output" || fail "$(cat "$work/output")"
for partition in 0 1 2 3; do
	"$sluicectl" read plays --store "$work/a" --partition "$partition" --format json 2>"$work/said" | jq -r .offset >"$work/offsets"
	assert_eq "$(sort -n -u "$work/offsets" | wc -l)" "$(wc -l <"$work/offsets")" 'offsets, each once'
	assert_eq "$(grep -c 'were jumped when a path of the store was missing' "$work/said")" 1 "jumps of partition $partition"
done
assert_nothing_left
