#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sluicectl watches a data plane at work: stats --watch counts what comes, drops --check holds under load, and
# both say so when the data plane stops or dies.
source "$(dirname "$0")/lib.sh"

make_veth
# shellcheck disable=SC2119
write_config >"$work/config.yaml"
start_dataplane "$work/config.yaml"

"$sluicectl" stats --watch --json >"$work/samples" &
watch_pid=$!
blast --rate 20000 --count 100000 >"$work/blast.log" &
blast_pid=$!
# Each check takes place while frames arrive, or the last ones after they have.
checks=0
while kill -0 $blast_pid 2>/dev/null; do
	check_identities
	checks=$((checks + 1))
done
wait $blast_pid
assert_ge $checks 3 'checks under load'
check_identities

assert_eq "$("$sluicectl" stats --watch --count 1 | wc -l)" 2 'lines of one sample: a header and a row'
# shellcheck disable=SC2119
stop_dataplane
status=0
wait $watch_pid || status=$?
assert_eq $status 0 'exit code of stats --watch when the data plane stops'
stored=$(report_of .stats.totals.stored)
assert_ge "$stored" 1 'events stored'
assert_eq "$(jq -s '.[-1].totals.stored' "$work/samples")" "$stored" 'events in the last sample'
jq -s -e '[.[].rates.stored // 0] | max > 0' "$work/samples" >/dev/null || fail 'no sample has a rate'
expect_status 3 "$sluicectl" drops --check

write_config store="$work/other" >"$work/config.yaml"
start_dataplane "$work/config.yaml"
"$sluicectl" stats --watch >"$work/samples" 2>"$work/watch.err" &
watch_pid=$!
wait_until 'the first sample is there' test -s "$work/samples"
kill_dataplane
status=0
wait $watch_pid || status=$?
assert_eq $status 3 'exit code of stats --watch when the data plane is killed'
assert_contains "$(cat "$work/watch.err")" 'has died' 'its last word'
expect_status 3 "$sluicectl" drops --check
