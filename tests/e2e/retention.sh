#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Retention by bytes: the oldest segments vanish while events arrive, the store stays within its bound, both
# readers begin with the first offset that is left and find no hole behind it, after a restart too.
source "$(dirname "$0")/lib.sh"
write_config device=memif:"$work/memif.sock" partitions=4 retention_bytes=67108864 >"$work/config.yaml"

segments_have_expired() {
	[ "$(stat_of '.lanes[0].segments_expired')" -ge "$1" ]
}

start_dataplane "$work/config.yaml"
start_testpmd "$work/memif.sock" --txpkts=1024
wait_until 'segments have expired' segments_have_expired 3
stop_testpmd
check_identities
stop_dataplane
stored=$(report_of .stats.totals.stored)
assert_ge "$(report_of .stats.totals.written_bytes)" $((67108864 + 3 * 15728640)) 'bytes written'
# Four segments, and the spare that waits to become the next.
assert_le "$(du -s --block-size=1 "$work/store" | cut -f 1)" $((67108864 + 2 * 16777216)) 'bytes of the store'

check_density() {
	check_store --check --summary "$work/reader.json"
	assert_eq "$(jq '[.streams[0].partitions[] | select(.count != .last + 1 - .first)] | length' "$work/reader.json")" 0 \
		'partitions with a hole'
	assert_eq "$(jq '[.streams[0].partitions[].last + 1] | add' "$work/reader.json")" "$1" 'events ever stored'
	assert_ge "$(jq '[.streams[0].partitions[].first] | max' "$work/reader.json")" 1 'first offset that is left'
	partition=$(jq '.streams[0].partitions | max_by(.first).partition' "$work/reader.json")
	first=$(jq '[.streams[0].partitions[].first] | max' "$work/reader.json")
	"$sluicectl" read plays --store "$work/store" --partition "$partition" --from 0 --count 1 --format json \
		>"$work/first" 2>"$work/said"
	assert_eq "$(jq .offset "$work/first")" "$first" 'first offset that sluicectl reads'
	assert_contains "$(cat "$work/said")" "$first" 'what sluicectl says of the events that are gone'
}
check_density "$stored"

start_dataplane "$work/config.yaml"
stop_dataplane
check_density "$stored"
