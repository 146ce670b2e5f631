#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A store on two drives: partitions are spread over a lane on each and stay there; either path names the
# store to a reader. A drive that is added takes half of the partitions of one that was alone, in a new term.
# A drive that is not mounted, or is another store's, is a one-line error, and the store is left as it was.
source "$(dirname "$0")/lib.sh"
make_veth
for drive in a b; do
	make_drive $drive 200M
	mount_drive $drive
done
ln -s "$work/a" "$work/store"
started=0

send_and_stop() { # LANES
	start_dataplane "$work/config.yaml"
	assert_eq "$("$sluicectl" status --json | jq -c '[.lanes[] | select(.state == "active") | .drive]')" "$1" 'drives of the active lanes'
	blast_windowed 2 "$work/sent" --flows 32
	check_identities
	"$sluicectl" read plays >"$work/live" || fail 'sluicectl cannot read the running store'
	started=$((started + 1))
	assert_eq "$(wc -l <"$work/live")" $((started * 2000)) 'events read from the running store'
	stop_dataplane
	assert_eq "$(report_of '[.partitions.streams[].partitions[].next_offset] | add')" $((started * 2000)) 'offsets given so far'
}

refused() { # TEXT
	expect_status 1 "$dataplane" --config "$work/config.yaml"
	assert_eq "$(grep -c '^error ' "$work/output")" 1 'lines of error'
	assert_contains "$(cat "$work/output")" "$1" 'that line'
}

# One drive at first, then the other as well.
write_config store="$work/a" key=0:8 >"$work/config.yaml"
send_and_stop '[0]'
write_config store="$work/a,$work/b" key=0:8 reserve_bytes=20971520 >"$work/config.yaml"
send_and_stop '[0,1]'
assert_eq "$(report_of '[.stats.drives[].path] | join(" ")')" "$work/a $work/b" 'drives'
assert_ge "$(report_of '[.stats.drives[].free_bytes] | min')" 10000000 'bytes free on each drive'
send_and_stop '[0,1]'
assert_content "$work/sent"
check_store --check --key 0:8 --summary "$work/summary.json"
assert_eq "$(jq -c '[.streams[0].partitions[].terms] | sort' "$work/summary.json")" \
	"$(jq -n -c '[range(8) | [1]] + [range(8) | [1, 2]] | sort')" 'terms of the partitions'
"$sluicectl" store verify "$work/b" >/dev/null || fail 'sluicectl store verify finds fault'

# The other drive is not mounted.
umount "$work/b"
refused "path 1 of the store, last at '$work/b', is not there"
if "$sluicectl" read plays --store "$work/a" >"$work/output" 2>&1; then
	fail 'sluicectl reads a store of which a drive is missing'
fi
assert_contains "$(cat "$work/output")" "lies on path 1 of the store, which is not here (it was $work/b)" 'what it says'
# It is mounted elsewhere: named, it is found.
mkdir "$work/c"
mount -o loop "$work/b.img" "$work/c"
"$sluicectl" read plays --store "$work/a" --store "$work/c" >"$work/read" || fail 'the drive is not found where it is'
assert_eq "$(wc -l <"$work/read")" 6000 'events read'
write_config store="$work/c,$work/a" key=0:8 >"$work/config.yaml"
send_and_stop '[0,1]'
assert_content "$work/sent"

# A drive of another store.
mkdir "$work/other"
write_config store="$work/other" >"$work/config.yaml"
start_dataplane "$work/config.yaml"
stop_dataplane
write_config store="$work/a,$work/c,$work/other" >"$work/config.yaml"
refused "'$work/other' belongs to another store than '"
assert_nothing_left
umount "$work/a" "$work/c"
