#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Segments end by age though they are not full, give back the room they did not use, and expire by age: a
# stream with a few events keeps none that is too old, and both readers begin with the first that is left.
# A lane without events rolls no further, and a restart makes nothing younger.
source "$(dirname "$0")/lib.sh"
make_veth
write_config partitions=2 segment_age_s=1 retention_age_s=2 >"$work/config.yaml"

rolled_ge() {
	[ "$(stat_of '.lanes[0].segments_aged')" -ge "$1" ]
}

expired_ge() {
	[ "$(stat_of '.lanes[0].segments_expired')" -ge "$1" ]
}

first_is_gone() {
	[ ! -e "$work/store/lane-00000/0000000000000001.seg" ]
}

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent" --flows 64
wait_until 'the first segment has ended' rolled_ge 1
wait_until 'its footer is there' test -e "$work/store/lane-00000/0000000000000002.seg"
wait_until 'the first segment has expired' first_is_gone
# Without events nothing is too old: the lane stays where it is.
assert_eq "$(stat_of '.lanes[0].segments_aged')" 1 'segments ended by age'
assert_eq "$(stat_of '.lanes[0].segment')" 2 'segment that is written'
"$sluicectl" read plays --partition 0 --from 0 >"$work/read" 2>"$work/said" || fail "$(cat "$work/said")"
assert_eq "$(cat "$work/read")" '' 'events that are left'
thousands=1
until [ -s "$work/first" ]; do # they have two seconds to be read
	blast_windowed 1 "$work/later" --flows 64
	thousands=$((thousands + 1))
	"$sluicectl" read plays --partition 0 --from 0 --count 1 --format json >"$work/first" 2>"$work/said"
done
assert_ge "$(jq .offset "$work/first")" 1 'first offset that is left'
assert_contains "$(cat "$work/said")" "offsets 0 to $(($(jq .offset "$work/first") - 1)) have expired" 'what sluicectl says'
check_identities
stop_dataplane

# What is left goes on at the next start; the checkpoint alone says where the partitions are.
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/last"
assert_eq "$(stat_of '.totals.stored')" 1000 'events stored by the second start'
stop_dataplane
check_store --check
assert_eq "$(report_of '[.partitions.streams[0].partitions[].next_offset] | add')" $(((thousands + 1) * 1000)) 'offsets given so far'

# What the first segment of a lane holds grows old across a restart, though nothing follows it.
rm -r "$work/store"
write_config partitions=2 segment_age_s=2 retention_age_s=2 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/first"
stop_dataplane
assert_ge "$("$sluicectl" store info "$work/store" --json | jq '.lanes[0].time_first_ns')" 1700000000000000000 'first time'
start_dataplane "$work/config.yaml"
wait_until 'the first segment has expired' first_is_gone
stop_dataplane
assert_nothing_left
