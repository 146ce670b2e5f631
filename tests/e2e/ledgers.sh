#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the data plane has counted can be checked again from its log alone, by sluicectl and by the
# independent reader: under overload, after an orderly stop exactly, after kill -9 up to the newest ledger,
# and that there is none behind it is said. A counter that somebody changes in the log is found.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
write_config partitions=2 ring_entries=16 rx_cpus=1 worker_cpus=0 ledger_interval_s=1 >"$work/config.yaml"

ledger_is_written() { # COUNT
	[ "$(stat_of '[.workers[].ledger_runs] | add')" -ge "$1" ]
}
# Its figures may be older than what the lane held when it was written.
ledger_has_stored() { # START COUNT
	"$sluicectl" drops --check --offline "$work/store" --json >"$work/live.json" || fail "$(jq .wrong "$work/live.json")"
	[ "$(jq ".starts[$1].stored // 0" "$work/live.json")" -ge "$2" ]
}
ring_was_full() {
	[ "$(drop_of ring_full)" -ge 1000 ] && stored_ge 1000
}
start_of() { # JQ_PATH of the last start
	jq -r ".starts[-1]$1" "$work/offline.json"
}

# Overload, and an orderly stop: to the last event, and the drops are those that the gaps name.
start_dataplane "$work/config.yaml"
start_blast --payload play --burst 1000 --run-id 1
wait_until 'events were dropped for a full ring, and others stored' ring_was_full
wait_until 'ledgers were written while it went on' ledger_is_written 4
"$sluicectl" drops --check --offline "$work/store" --json >"$work/live.json" || fail "$(jq .wrong "$work/live.json")"
assert_eq "$(jq -r '.starts[-1].end' "$work/live.json")" running 'how a start that goes on ended'
stop_blast
stop_dataplane
check_offline
assert_eq "$(start_of .end)" clean 'the end of an orderly stop'
assert_eq "$(start_of .whole)" true 'all of it is in the log'
assert_eq "$(start_of .stored)" "$(report_of .stats.totals.stored)" 'stored, as the ledger and the report say'
assert_eq "$(start_of .frames)" "$(report_of .stats.totals.frames)" 'frames, as the ledger and the report say'
assert_eq "$(start_of .dropped_events)" "$(report_of .drops.dropped_events)" 'dropped, as the ledger and the report say'
assert_eq "$(start_of '.ledger.identities[] | select(.name == "ring_full") | .left')" "$(reported_drop_of ring_full)" \
	'dropped events in gaps'
assert_eq "$(jq '[.epochs[] | .first_ledger and .last_ledger] | all' "$work/offline.json")" true \
	'every lane begins and ends with a ledger'

# From here on nothing is dropped.
write_config partitions=2 rx_cpus=1 worker_cpus=0 ledger_interval_s=1 >"$work/config.yaml"

# kill -9: what came behind the newest ledger cannot be checked, and that is said.
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
blast_windowed 1 "$work/sent"
wait_until 'a ledger behind the first thousand' ledger_has_stored 1 1000
kill_dataplane
check_offline
assert_eq "$(start_of .end)" 'without a last ledger' 'the end of a start that was killed'
assert_eq "$(start_of .events)" 2000 'its events in the log'
assert_ge "$(start_of .stored)" 1000 'stored at its newest ledger'
assert_contains "$(jq -r '.unchecked[].what' "$work/offline.json")" 'ended without a last ledger' 'what cannot be checked'

# The next start goes on behind it; its ledgers are its own.
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
stop_dataplane
check_offline
assert_eq "$(jq '.starts | length' "$work/offline.json")" 3 'starts in the log'
assert_eq "$(start_of .stored)" 1000 'stored by the last one'
assert_eq "$(jq '.streams[0].events' "$work/offline.json")" "$(jq '[.starts[].events] | add' "$work/offline.json")" \
	'events of all starts, and of all partitions'
expect_status 0 "$sluicectl" drops --check --offline "$work/store"
assert_contains "$(cat "$work/output")" 'without a last ledger' 'the same as text'

# Somebody makes the last ledger say less, with right checksums; then one in the middle.
sequence=$(start_of .sequence)
cp -a "$work/store" "$work/untouched"
for field in stored frames events; do
	python3 "$e2e_dir/lib/tamper_ledger.py" "$work/store" 0 "$sequence" $field -1
	expect_status 0 "$sluicectl" store verify "$work/store"
	check_offline 1
	assert_ge "$(jq '.wrong | length' "$work/offline.json")" 1 "identities that a changed counter of $field breaks"
	rm -r "$work/store"
	cp -a "$work/untouched" "$work/store"
done
python3 "$e2e_dir/lib/tamper_ledger.py" "$work/store" 0 1 datagrams 1
check_offline 1

# Bad command lines.
expect_status 2 "$sluicectl" drops --offline "$work/store"
assert_contains "$(cat "$work/output")" '--offline needs --check' 'a --offline alone'
expect_status 5 "$sluicectl" drops --check --offline "$work/nothing"
