#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lcores.stage_cycles: every stage that ran has its cycles, those of one lcore stay below the time that has
# passed, and what they count is what the counters count; where the key is off there are none.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth

stages_that_ran() { # the report's, as words
	report_of '[.stats.stages[].stage] | unique | join(" ")'
}

expect_count() { # STAGE JQ_PATH
	assert_eq "$(report_of "[.stats.stages[] | select(.stage == \"$1\") | .count] | add")" "$(report_of "$2")" \
		"what stage $1 has dealt with"
}

expect_plausible() {
	report_of '.stats.stages[] | select(.cycles <= 0 or .calls <= 0 or .share_percent <= 0)' >"$work/odd"
	report_of '[.stats.stages[] | select(.count > 0 and .cycles_per_event <= 0)] | .[]' >>"$work/odd"
	assert_eq "$(cat "$work/odd")" '' 'stages without cycles'
	report_of '.stats.stages | group_by(.lcore) | .[] | select((map(.share_percent) | add) > 100)' >"$work/odd"
	assert_eq "$(cat "$work/odd")" '' 'lcores whose stages took longer than the time that has passed'
	expect_count receive .stats.totals.frames
	expect_count parse .stats.totals.frames
	expect_count steer .stats.totals.datagrams
	expect_count dispatch .stats.totals.events
	expect_count append .stats.totals.events
	for stage in seal submit reap; do
		expect_count $stage .stats.totals.stored
	done
}

write_config stage_cycles=true rx_cpus=1 worker_cpus=0 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 5 "$work/sent"
"$sluicectl" stats >"$work/output"
assert_contains "$(cat "$work/output")" 'cycles each' 'columns of sluicectl stats'
# shellcheck disable=SC2119
stop_dataplane
assert_eq "$(stages_that_ran)" \
	'append dequeue dequeue_empty dispatch parse reap receive receive_empty seal steer submit' 'stages of two lcores'
expect_count dequeue .stats.totals.events
expect_plausible

write_config stage_cycles=true store="$work/one" >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 5 "$work/sent"
# shellcheck disable=SC2119
stop_dataplane
assert_eq "$(stages_that_ran)" 'append dispatch parse reap receive receive_empty seal steer submit' \
	'stages of one lcore that does both'
expect_plausible

write_config store="$work/off" >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 1 "$work/sent"
assert_eq "$(stat_of '.stages | length')" 0 'stages where the key is off'
# shellcheck disable=SC2119
stop_dataplane
