#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sealed segments get an index in the background; sluicectl reads the same with it, without it and with a spoilt one; a
# start builds what is missing; the independent reader finds each index as the segment is.
source "$(dirname "$0")/lib.sh"

partitions='0 7 15'
indexes_ge() { # COUNT
	[ "$(stat_of '[.lanes[].segments_indexed] | add')" -ge "$1" ]
}

all_are_indexed() {
	[ "$(stat_of '[.lanes[] | .segment_count - .segments_indexed] | max')" -le 2 ] && [ "$(stat_of '[.lanes[].segments_indexed] | add')" -ge 2 ]
}

read_all() { # FILE: one partition after the other, from several offsets on, and the stream
	local partition from
	for partition in $partitions; do
		for from in 0 1000; do
			"$sluicectl" read plays --store "$work/store" --partition "$partition" --from "$from" --format json
		done
	done >"$1"
	"$sluicectl" read plays --store "$work/store" --format json >>"$1"
}

make_veth
write_config batch_bytes=65536 key=0:3 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
# What a slow machine loses of it is sent again, so to speak.
until [ "$(stat_of .totals.stored)" -ge 40000 ] && all_are_indexed; do
	blast --count 10000 --size 1000 --rate 25000 --flows 64 >"$work/blast.log"
done
stop_dataplane
check_store --check --summary "$work/summary.json"
right=$(jq .totals.indexes_right "$work/summary.json")
assert_ge "$right" 2 'indexes that the independent reader finds right'
assert_eq "$(jq .totals.indexes_ignored "$work/summary.json")" 0 'indexes that do not count'

read_all "$work/with"
assert_ge "$(wc -l <"$work/with")" 30000 'events read'
mapfile -t indexes < <(find "$work/store" -name '*.idx' | sort)
for index in "${indexes[@]}"; do
	printf 'spoilt' | dd of="$index" bs=1 seek=200 conv=notrunc status=none
done
read_all "$work/spoilt"
cmp "$work/with" "$work/spoilt" || fail 'a read with spoilt indexes is another one'
rm "${indexes[@]}"
read_all "$work/without"
cmp "$work/with" "$work/without" || fail 'a read without indexes is another one'

start_dataplane "$work/config.yaml"
wait_until 'the indexes are built again' indexes_ge "$right"
stop_dataplane
check_store --check --summary "$work/summary.json"
assert_ge "$(jq .totals.indexes_right "$work/summary.json")" "$right" 'indexes after a start without any'
