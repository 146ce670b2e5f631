#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The histogram from receive to stored: it has every stored event once, its percentiles follow from its
# buckets, and it knows how long an event has lingered. With two paths each lane has its own.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth

expect_whole() { # PATH [EVENTS]: of a latency in the report
	assert_eq "$(report_of "$1.events")" "${2:-$(report_of .stats.totals.stored)}" "events in $1"
	assert_eq "$(report_of "[$1.buckets[].events] | add")" "$(report_of "$1.events")" "sum of the buckets of $1"
	assert_eq "$(report_of "$1 | [.p50_us, .p95_us, .p99_us, .p999_us, .max_us] | . == sort")" true \
		"percentiles of $1 rise"
	# p99 a second time: the first bucket that has 99 % of the events below its end
	assert_eq "$(report_of "$1 | .p99_us * 1000 | round")" "$(report_of "$1 | . as \$all |
		[foreach .buckets[] as \$b (0; . + \$b.events; select(. * 100 >= \$all.events * 99) | \$b.last_ns)] |
		[.[0], (\$all.max_us * 1000 | round)] | min")" "p99 of $1, computed from its buckets"
}

write_config linger_us=200000 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
for number in 1 2 3 4 5; do
	blast --count 1 --payload play --run-id "$number" >"$work/blast.log"
	wait_until 'the event is stored' stored_is "$number"
done
"$sluicectl" stats >"$work/output"
assert_contains "$(cat "$work/output")" 'FROM RECEIVE TO STORED' 'tables of sluicectl stats'
# shellcheck disable=SC2119
stop_dataplane
expect_whole .stats.latency
expect_whole '.stats.latency.lanes[0]'
assert_eq "$(report_of '.stats.latency.buckets[0].last_ns >= 200000000')" true 'the shortest of events that lingered 200 ms'

write_config rx_cpus=1 worker_cpus=0 store="$work/two" linger_us=100 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 5 "$work/sent"
# shellcheck disable=SC2119
stop_dataplane
expect_whole .stats.latency
assert_eq "$(report_of '.stats.latency.buckets[0].last_ns < 200000000')" true 'the fastest of the events that lingered 0.1 ms at most'

# Each lane has the events of its own partitions.
write_config store="$work/p,$work/q" partitions=4 key=0:8 linger_us=100 >"$work/config.yaml"
start_dataplane "$work/config.yaml"
blast_windowed 3 "$work/sent" --flows 32
# shellcheck disable=SC2119
stop_dataplane
expect_whole .stats.latency
assert_eq "$(report_of '.stats.latency.lanes | length')" 2 'lanes with ages'
for lane in 0 1; do
	events=$("$sluicectl" store info "$work/p" --json | jq "[.partitions[] | select(.lane == $lane) | .next_offset] | add")
	assert_ge "$events" 1 "events of lane $lane"
	expect_whole ".stats.latency.lanes[$lane]" "$events"
done
