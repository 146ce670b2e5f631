#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The disk fills up while events arrive: they are refused as disk_full, nothing stored is harmed; as soon as
# there is room it goes on by itself. A disk that is full at the start is a one-line error.
source "$(dirname "$0")/lib.sh"
make_veth
truncate --size 112M "$work/disk.img"
mkfs.ext4 -q -m 0 "$work/disk.img"
mkdir "$work/disk"
mount -o loop "$work/disk.img" "$work/disk"
fallocate --length 44M "$work/disk/ballast"
write_config store="$work/disk/store" partitions=4 >"$work/config.yaml"
ln -s "$work/disk/store" "$work/store"

disk_is_full() {
	[ "$(drop_of disk_full)" -ge 100 ] && [ "$("$sluicectl" status --json | jq -r '.lanes[0].state')" = disk_full ]
}

start_dataplane "$work/config.yaml"
start_blast --payload play --size 1400 --rate 20000 --run-id 1 --json "$work/sent.json" --record "$work/sent"
wait_until 'the disk is full' disk_is_full
check_identities
stored=$(stat_of .totals.stored)
rm "$work/disk/ballast"
wait_until 'it goes on' stored_ge $((stored + 1000))
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
assert_nothing_left
umount "$work/disk"
