#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The bench ended by a signal in the middle of a trial: nothing stays behind but the figures so far, and what was
# not measured is named.
source "$(dirname "$0")/lib.sh"

pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
autogroups=/proc/sys/kernel/sched_autogroup_enabled
[ -f $autogroups ] || autogroups=/dev/null
export TMPDIR=$work

is_measuring() {
	kill -0 "$bench_pid" 2>/dev/null || fail "the bench ended early: $(<"$work/bench.log")"
	pgrep sluice-blast >"$work/output"
}

for signal in INT TERM; do
	before=$(<$pages)
	grouped=$(<$autogroups)
	# a shell without job control starts what runs beside it deaf to SIGINT
	python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
		"$top/scripts/bench" --toy capacity_64 idle_cpu --json "$work/figures.json" >"$work/bench.log" 2>&1 &
	bench_pid=$!
	wait_until 'a generator is running' is_measuring
	[ -z "$grouped" ] || assert_eq "$(<$autogroups)" 0 'autogroups while a bench runs'
	kill -$signal $bench_pid
	status=0
	wait $bench_pid || status=$?
	assert_eq "$(jq -r '[.not_run[].row] | join(" ")' "$work/figures.json")" 'capacity_64 idle_cpu' 'rows not run'
	rm "$work/figures.json"
	assert_eq $status $((128 + $(kill -l $signal))) "exit code after SIG$signal"
	assert_eq "$(<$pages)" "$before" "reserved hugepages after SIG$signal"
	assert_eq "$(<$autogroups)" "$grouped" "autogroups after SIG$signal"
	assert_eq "$(find "$work" -mindepth 1 -maxdepth 1 -name 'sluice-bench.*')" '' 'temporary directories left'
	assert_eq "$(pgrep sluice || pgrep testpmd || pgrep -x fio || true)" '' 'processes left'
done
