#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One of two drives takes no writes any more, under load: its partitions go on in the lane of the other one, in
# new terms, with dense offsets; nothing of what was under way is lost; the other lane is not affected. What was
# stored is there after a kill and the next start, which has the drive again.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
make_drive a 400M
make_drive b 400M
mount_drive a
mount_fuse_drive b
ln -s "$work/a" "$work/store"
write_config store="$work/a,$work/b" key=0:8 retry_limit=2 backoff_us_max=20000 reserve_bytes=20971520 \
	>"$work/config.yaml"

lane_on_b() { # JQ: of the lane there
	"$sluicectl" store status --json | jq -r ".lanes[] | select(.drive == 1) | $1"
}

has_left() {
	[ "$(lane_on_b '[.rehomed, .partitions, .partitions_rehomed] | join(" ")')" = '1 0 8' ]
}

start_dataplane "$work/config.yaml"
assert_eq "$("$sluicectl" store status --json | jq -c '[.lanes[].partitions]')" '[8,8]' 'partitions of the lanes'
blast_windowed 1 "$work/sent"
start_blast --payload play --rate 20000 --flows 64 --run-id 1000 --record "$work/sent.flood" --json "$work/sent.json"
wait_until 'events are stored' stored_ge 3000
echo 'fail write 1000000000' >"$work/fuse/control"
wait_until 'the partitions of the drive have gone to the other one' has_left
check_identities
before=$(stat_of .totals.stored)
failed_before=$(drop_of drive_failed)
wait_until 'all go on' stored_ge $((before + 5000))
assert_eq "$(drop_of drive_failed)" "$failed_before" 'events refused since then'
assert_eq "$(stat_of '[.lanes[].partitions] | join(" ")')" '"16 0"' 'partitions of the lanes'
assert_eq "$(stat_of '.lanes[0] | [.writes_failed, .rehomed, .breaker] | join(" ")')" '"0 0 closed"' 'the lane on the other drive'
assert_eq "$("$sluicectl" status --json | jq -r .state)" degraded 'state of the data plane'
assert_contains "$(cat "$dataplane_log")" 'its 8 partitions of class default go on in lane 0 on' 'the line'
check_identities
stored=$(stat_of .totals.stored)
stop_blast
kill_dataplane
cat "$work/sent.flood" >>"$work/sent"

# The drive is well again, as after a restart of the machine.
echo 'fail write 0' >"$work/fuse/control"
umount "$work/b"
mount -o loop "$work/fuse/disk" "$work/b"
start_dataplane "$work/config.yaml"
assert_eq "$(stat_of '[.lanes[].partitions] | join(" ")')" '"8 8"' 'partitions of the lanes at the next start'
blast_windowed 1 "$work/sent" --run-id 5000
check_identities
stop_dataplane
assert_stored_was_sent "$work/sent"
assert_ge "$(wc -l <"$work/read")" $((stored + 1000)) 'events in the store'
check_store --check --key 0:8 --summary "$work/summary.json"
assert_eq "$(jq -c '[.streams[0].partitions[].terms | length] | max' "$work/summary.json")" 3 'terms of a partition that went and came back'
"$sluicectl" store verify "$work/b" >/dev/null || fail 'sluicectl store verify finds fault'
assert_nothing_left
umount "$work/a" "$work/b"
kill -TERM "$fuse_pid" # it sees its mounts in a namespace of its own
wait "$fuse_pid"
