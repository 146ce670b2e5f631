#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A generator on shared memory that is faster than a lane with one small batch under way at a time: what finds
# no free batch is refused as lane_full and counted to the last event; the rings stay empty, the identities hold.
source "$(dirname "$0")/lib.sh"
write_config device=memif:"$work/memif.sock" in_flight_max=1 batch_bytes=65536 segment_bytes=67108864 \
	rx_cpus=1 worker_cpus=1 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
start_testpmd "$work/memif.sock"

lane_was_full() {
	[ "$(drop_of lane_full)" -ge 1000 ] && stored_ge 10000
}
wait_until 'events were refused for want of a batch, and others stored' lane_was_full
check_identities
check_identities
stop_testpmd
check_identities
stop_dataplane
end_testpmd
assert_eq "$(report_of .stats.totals.frames)" "$testpmd_frames" 'frames received, against those sent'
assert_ge "$(reported_drop_of lane_full)" 1000 'events refused as lane_full'
assert_eq "$(reported_drop_of ring_full)" 0 'events dropped as ring_full'
assert_eq "$(report_of "$(printf '.stats.totals.stored + ([.drops.reasons[] | select(.unit == "events") | .count] | add)')")" \
	"$testpmd_frames" 'stored and refused events'
assert_gaps lane_full
assert_eq "$(sed -n 's/^whole: \([0-9]*\) events.*/\1/p' "$work/store-check")" "$(report_of .stats.totals.stored)" \
	'events that the independent reader finds'
