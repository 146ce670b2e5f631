#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Retention by bytes: the oldest segments expire while events arrive, and new ones are born from them; the
# store stays within its bound; both readers begin with the first offset that is left and find no hole
# behind it, after a restart too.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
write_config device=memif:"$work/memif.sock" partitions=4 retention_bytes=67108864 >"$work/config.yaml"

have_expired_and_recycled() {
	[ "$(stat_of ".lanes[0].segments_expired >= 3 and .lanes[0].segments_recycled >= 1 and
		.totals.written_bytes >= $enough_bytes")" = true ]
}
enough_bytes=$((67108864 + 2 * 16777216))

start_dataplane "$work/config.yaml"
start_testpmd "$work/memif.sock" --txpkts=1024
wait_until 'segments have expired and are recycled' have_expired_and_recycled
stop_testpmd
check_identities
stop_dataplane
end_testpmd
stored=$(report_of .stats.totals.stored)
assert_ge "$(report_of .stats.totals.written_bytes)" $enough_bytes 'bytes written'
# Four segments, and the spare that waits to become the next.
assert_le "$(du -s --block-size=1 "$work/store" | cut -f 1)" $((67108864 + 2 * 16777216)) 'bytes of the store'
[ ! -e "$work/store/lane-00000/0000000000000001.seg" ] || fail 'the first segment is still there'

check_density() { # EVENTS_EVER_STORED
	local partition first
	check_store --check --summary "$work/reader.json"
	assert_eq "$(jq '[.streams[0].partitions[] | select(.count != .last + 1 - .first)] | length' "$work/reader.json")" 0 \
		'partitions with a hole'
	assert_eq "$(jq '[.streams[0].partitions[].last + 1] | add' "$work/reader.json")" "$1" 'events ever stored'
	partition=$(jq '.streams[0].partitions | max_by(.first).partition' "$work/reader.json")
	first=$(jq '[.streams[0].partitions[].first] | max' "$work/reader.json")
	assert_ge "$first" 1 'first offset that is left'
	"$sluicectl" read plays --store "$work/store" --partition "$partition" --from 0 --count 1 --format json \
		>"$work/first" 2>"$work/said"
	assert_eq "$(jq .offset "$work/first")" "$first" 'first offset that sluicectl reads'
	assert_eq "$(cat "$work/said")" \
		"sluicectl: offsets 0 to $((first - 1)) have expired; the read began with $first" 'what sluicectl says'
}
check_density "$stored"

start_dataplane "$work/config.yaml"
check_identities
stop_dataplane
check_density "$stored"
assert_nothing_left
