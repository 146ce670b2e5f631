#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One of two drives is full, under load: the partitions of its lane go on in the lane of the other one, in new
# terms, with dense offsets, and nothing is refused any more. When there is room again its lane is whole; the
# next start spreads the partitions over both. A stop meanwhile is an orderly one, though ledgers go on.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
for drive in a b; do
	make_drive $drive 400M
	mount_drive $drive
done
ln -s "$work/a" "$work/store"
write_config store="$work/a,$work/b" key=0:8 reserve_bytes=20971520 ledger_interval_s=1 \
	>"$work/config.yaml"

lane_on_b() { # JQ: of the lane there
	"$sluicectl" store status --json | jq -r ".lanes[] | select(.drive == 1) | $1"
}
has_left() {
	[ "$(lane_on_b '[.rehomed, .partitions, .partitions_rehomed] | join(" ")')" = '1 0 8' ]
}
is_active() {
	[ "$("$sluicectl" status --json | jq -r '.lanes[1].state')" = active ]
}
ledgers_ge() {
	[ "$(stat_of '[.workers[].ledger_runs] | add')" -ge "$1" ]
}
fill_drive() { # leaves the reserve and a bit
	local free
	free=$(df --output=avail --block-size=1 "$work/b" | tail -n 1)
	fallocate --length $((free - 24 * 1048576)) "$work/b/ballast"
}

for life in 1 2; do
	start_dataplane "$work/config.yaml"
	assert_eq "$("$sluicectl" store status --json | jq -c '[.lanes[].partitions]')" '[8,8]' "partitions of the lanes, life $life"
	fill_drive
	start_blast --payload play --size 1400 --rate 8000 --flows 64 --run-id $((life * 1000)) --record "$work/sent.flood" \
		--json "$work/sent.json.$life"
	wait_until 'the partitions of the full drive have gone to the other one' has_left
	check_identities
	refused=$(drop_of disk_full)
	before=$(stat_of .totals.stored)
	wait_until 'all go on' stored_ge $((before + 5000))
	ledgers=$(stat_of '[.workers[].ledger_runs] | add')
	wait_until 'ledgers are written' ledgers_ge $((ledgers + 2))
	assert_eq "$(drop_of disk_full)" "$refused" 'events refused since then'
	assert_eq "$(stat_of '.lanes[1] | [.writes_failed, .breaker] | join(" ")')" '"0 closed"' 'the lane on the full drive'
	assert_contains "$(cat "$dataplane_log")" 'No space left on device: its 8 partitions of class default go on in lane 0' 'the line'
	if [ $life = 1 ]; then
		rm "$work/b/ballast"
		wait_until 'its lane is whole again' is_active
	fi
	stop_blast
	cat "$work/sent.flood" >>"$work/sent"
	stop_dataplane
	rm -f "$work/b/ballast"
done

start_dataplane "$work/config.yaml"
assert_eq "$(stat_of '[.lanes[].partitions] | join(" ")')" '"8 8"' 'partitions of the lanes at the next start'
blast_windowed 1 "$work/sent" --run-id 5000
check_identities
stop_dataplane
assert_stored_was_sent "$work/sent"
check_store --check --key 0:8
"$sluicectl" drops --check --offline "$work/a" >"$work/output" || fail "$(cat "$work/output")"
"$sluicectl" store verify "$work/b" >/dev/null || fail 'sluicectl store verify finds fault'
assert_nothing_left
umount "$work/a" "$work/b"
