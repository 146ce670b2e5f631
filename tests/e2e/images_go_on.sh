#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The appliance goes on in stores that it did not write: torn, half-born, expired, with moved partitions. What
# was there stays, at its offsets, and new events come behind it.
source "$(dirname "$0")/lib.sh"

images='plain sealed torn halfborn restarts checkpoints expired times sources unknown terms rehomed outlived rich sessions session_terms
overlap overlap_halfborn'

read_sorted() { # FILE
	python3 "$reader" "$work/store" --stream plays --format json --summary "$work/summary.json" |
		LC_ALL=C sort >"$1"
}

make_veth
for image in $images; do
	rm -rf "$work/store"
	python3 "$top/tests/reader/make_store.py" "$image" "$work/store"
	read_sorted "$work/before"
	write_config partitions="$(jq '.streams[0].partition_count' "$work/summary.json")" |
		sed 's/default/fast/' >"$work/config.yaml"
	start_dataplane "$work/config.yaml"
	blast --count 50 --flows 5
	wait_until "the new events are stored in $image" stored_is 50
	stop_dataplane 0
	check_store --check
	read_sorted "$work/after"
	assert_eq "$(LC_ALL=C comm -23 "$work/before" "$work/after" | head -n 1)" '' "$image: an event that is gone"
	assert_eq "$(wc -l <"$work/after")" $(($(wc -l <"$work/before") + 50)) "$image: events"
	"$sluicectl" read plays --store "$work/store" --format raw | cmp - <(python3 "$reader" "$work/store" \
		--stream plays --format raw) || fail "$image: sluicectl reads something else"
done
