#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The disk fills up while events arrive: an alarm comes first, then they are refused as disk_full before the
# reserve is touched, nothing stored is harmed; as soon as there is room it goes on by itself. A disk that is
# full at the start is a one-line error, and a store that it was to hold is not left behind in part.
source "$(dirname "$0")/lib.sh"
make_veth
make_drive disk 240M
mount_drive disk
fallocate --length 124M "$work/disk/ballast"
write_config store="$work/disk/store" partitions=4 reserve_bytes=20971520 >"$work/config.yaml"
ln -s "$work/disk/store" "$work/store"

disk_is_full() {
	[ "$(drop_of disk_full)" -ge 100 ] && [ "$("$sluicectl" status --json | jq -r '.lanes[0].state')" = disk_full ]
}

level_is() {
	[ "$(stat_of '.drives[0].level')" = "\"$1\"" ]
}

start_dataplane "$work/config.yaml"
assert_eq "$(stat_of '.drives | length')" 1 'drives'
assert_eq "$(stat_of '.drives[0].path')" "\"$work/disk/store\"" 'path of the drive'
assert_eq "$(stat_of '.drives[0].reserve_bytes')" 20971520 'reserve of the drive'
assert_eq "$(stat_of '.drives[0].low_count')" 0 'alarms at first'
start_blast --payload play --size 1400 --rate 4000 --run-id 1 --json "$work/sent.json" --record "$work/sent"
wait_until 'the disk is full' disk_is_full
check_identities
wait_until 'the drive says that it is full' level_is full
assert_eq "$(stat_of '.drives[0].low_count')" 1 'alarms before it was full'
assert_contains "$(cat "$dataplane_log")" "$work/disk/store is low on room:" 'the log'
assert_contains "$(cat "$dataplane_log")" "$work/disk/store is full:" 'the log'
free=$(df --output=avail --block-size=1 "$work/disk" | tail -n 1)
assert_ge "$free" 20971520 'bytes of the reserve that are left'
assert_le "$free" $((20971520 + 16777216)) 'bytes that are free'
stored=$(stat_of .totals.stored)
rm "$work/disk/ballast"
wait_until 'it goes on' stored_ge $((stored + 1000))
wait_until 'the drive has left its alarm' grep -q "$work/disk/store has room again:" "$dataplane_log"
check_identities
stop_blast
stop_dataplane
assert_ge "$(reported_drop_of disk_full)" 100 'events refused as disk_full'
assert_stored_was_sent "$work/sent"
"$sluice_blast" verify --store "$work/store" --stream plays --allow-missing --sent "$work/sent.json" >"$work/output" ||
	fail "$(cat "$work/output")"
check_store --check
assert_eq "$(jq .totals.events "$work/reader.json")" "$(report_of .stats.totals.stored)" 'events in the store'

# Full at the start.
write_config store="$work/disk/other" >"$work/config.yaml"
free=$(df --output=avail --block-size=1 "$work/disk" | tail -n 1)
fallocate --length $((free - 1048576)) "$work/disk/ballast"
expect_status 1 "$dataplane" --config "$work/config.yaml"
assert_eq "$(grep -c '^error ' "$work/output")" 1 'lines of error of a start on a full disk'
assert_contains "$(cat "$work/output")" "no room for a segment of 16777216 bytes in $work/disk/other" 'that line'
assert_contains "$(cat "$work/output")" 'free some' 'its remedy'
assert_eq "$(find "$work/disk/other" -mindepth 1)" '' 'what the start has left'
assert_nothing_left
umount "$work/disk"
