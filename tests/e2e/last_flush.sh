#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The drive hangs when everything is stored and only the end of the log is to be written. The first SIGTERM
# waits for it; the second is heard at once, although the thread that waits cannot be interrupted, says that it
# leaves without, and ends with 6 as soon as the drive lets go of it. The next start finds all that was stored.
source "$(dirname "$0")/lib.sh"
make_veth
make_drive disk 400M
mount_fuse_drive disk
# No marks of its own, no ledgers: a lane that has stored all has nothing to write before it ends.
write_config store="$work/disk/store" reserve_bytes=20971520 durability=written ledger_interval_s=86400 >"$work/config.yaml"
ln -s "$work/disk/store" "$work/store"

is_idle() {
	[ "$(stat_of '.lanes[0] | .in_flight == 0 and .watermark_number == .batch_number')" = true ] &&
		[ "$(stat_of '.totals | .open_events + .in_flight_events')" = 0 ]
}
main_thread_hangs() {
	[ "$(sed 's/.*) //' "/proc/$dataplane_pid/stat" | cut -d ' ' -f 1)" = D ]
}

for signal in TERM INT; do
	start_dataplane "$work/config.yaml"
	blast_windowed 2 "$work/sent"
	wait_until 'the lane is idle' is_idle
	kill -STOP "$fuse_pid"
	kill -TERM "$dataplane_pid"
	wait_until 'it waits for the drive' main_thread_hangs
	assert_eq "$(grep -c 'during the last flush' "$dataplane_log" || true)" 0 'what it says before the second signal'
	kill -"$signal" "$dataplane_pid"
	wait_until 'it says that it leaves' grep -q 'signal during the last flush: leaving without it' "$dataplane_log"
	kill -CONT "$fuse_pid"
	wait_for_dataplane 6
done

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
check_identities
stop_dataplane
assert_content "$work/sent"
check_store --check
assert_nothing_left
umount "$work/disk"
kill -TERM "$fuse_pid"
wait "$fuse_pid" || true
