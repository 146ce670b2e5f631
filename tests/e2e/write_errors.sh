#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A write that fails: the lane refuses as lane_failed, says so, and the exit code is 5 after an orderly stop;
# the next start recovers what was stored and goes on. A short write and EAGAIN lose nothing at all.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
make_veth

# ---- EIO
write_config partitions=4 >"$work/config.yaml"
start_dataplane "$work/config.yaml" --fault write=eio@5
lane_has_failed() {
	[ "$(drop_of lane_failed)" -ge 100 ] && [ "$("$sluicectl" status --json | jq -r .state)" = degraded ]
}
start_blast --payload play --rate 20000 --run-id 1000 --record "$work/sent.1" --json "$work/sent.json"
wait_until 'the lane has failed' lane_has_failed
check_identities
stop_blast
stop_dataplane 5
assert_contains "$(cat "$dataplane_log")" 'lane 0 has failed: Input/output error' 'what it says'
assert_ge "$(reported_drop_of lane_failed)" 100 'events refused as lane_failed'
stored=$(report_of .stats.totals.stored)
assert_ge "$stored" 1 'events stored before'

start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
check_identities
stop_dataplane
cat "$work/sent.1" >>"$work/sent"
assert_stored_was_sent "$work/sent"
assert_ge "$(wc -l <"$work/read")" $((stored + 1000)) 'events in the store behind the restart'
check_store --check

# ---- short, and EAGAIN
rm -rf "$work/store" "$work"/sent*
write_config partitions=4 >"$work/config.yaml"
start_dataplane "$work/config.yaml" --fault write=short@3,write=eagain@4
blast_windowed 3 "$work/sent"
check_identities
stop_dataplane
assert_content "$work/sent"
check_store --check
