#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The assertion can fail: one event lost at the ring, at the batch or at the completion breaks the identities,
# live and in the final report, with rings and in run to completion; without the switch they hold.
E2E_FAULTS=1
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth

datagrams_are() {
	[ "$(stat_of .totals.datagrams)" -eq "$1" ] && [ "$(stat_of '.totals.open_events + .totals.in_flight_events')" -eq 0 ]
}

try() { # RX_CPU WORKER_CPU [FAULT]
	local worker=$2 fault=${3-} status=0 expected=0
	rm -rf "$work/store"
	write_config rx_cpus="$1" worker_cpus="$worker" >"$work/config.yaml"
	start_dataplane "$work/config.yaml" ${fault:+--fault "$fault"}
	for run in 1 2; do
		blast --payload play --count 1000 --run-id $run >"$work/blast.log" 2>&1
		wait_until 'the datagrams are received' datagrams_are $((run * 1000))
	done
	"$sluicectl" drops --check >"$work/output" || status=$?
	[ -z "$fault" ] || expected=1
	assert_eq $status $expected "drops --check with fault '$fault', worker on CPU $worker: $(cat "$work/output")"
	lost_on_purpose=1 stop_dataplane
	assert_eq "$(report_of .ledger.ok)" "$([ -n "$fault" ] && echo false || echo true)" \
		"the ledger of the final report with fault '$fault', worker on CPU $worker"
	assert_eq "$(report_of .stats.totals.stored)" $((2000 - expected)) "stored with fault '$fault', worker on CPU $worker"
}

for worker in 0 1; do
	try 1 $worker
	for place in ring batch completion; do
		try 1 $worker lose=$place
	done
done
