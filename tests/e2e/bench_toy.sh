#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The bench at toy scale: it measures, reconciles, writes table, JSON, picture and page, and leaves nothing
# behind. No verdict on any figure. rsyslog is measured where it is installed.
source "$(dirname "$0")/lib.sh"

pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
before=$(<$pages)
export TMPDIR=$work
mkdir "$work/page"
cp docs/performance.md "$work/page"
# on both CPUs: the tests leave one alone
(cpus_all scripts/bench --toy core ndr_64 capacity_512 capacity_64_copied capacity_64_p1024_zipf stage_cycles_64 two_cores_64 baseline_recvmmsg_1400 baseline_rsyslog \
	store_write_512k store_verify store_read store_durable_added_us recovery_ms_per_gib --json "$work/figures.json" --page "$work/page") | tee "$work/bench.log"

rows=(capacity_64 testpmd_64 capacity_512 capacity_64_copied capacity_64_p1024_zipf capacity_1400 write_1400 write_512k_us idle_cpu cycles_append_64
	two_cores_64 ring_cycles_64 baseline_recvmmsg_1400 store_write_512k store_verify store_read_stream store_read_partition
	store_durable_p99_us store_written_p99_us recovery_ms_per_gib recovery_dd_ms_per_gib recovery_ms_per_gib_64 recovery_start_up)
if PATH=$PATH:/usr/sbin command -v rsyslogd >/dev/null; then
	rows+=(baseline_rsyslog_178)
else
	assert_eq "$(jq -r '.not_run[].row' "$work/figures.json")" baseline_rsyslog 'rows not run'
fi
for row in "${rows[@]}"; do
	assert_eq "$(jq --arg row "$row" '[.rows[] | select(.name == $row and .value > 0)] | length' "$work/figures.json")" 1 \
		"rows called $row with a value"
	grep -q "^$row " "$work/bench.log" || fail "the table has no row $row"
done
# whatever rate it was: 0 where none was stored whole
assert_eq "$(jq '[.rows[] | select(.name == "ndr_64" and .value >= 0)] | length' "$work/figures.json")" 1 'rows called ndr_64'
assert_eq "$(jq '.failures | length' "$work/figures.json")" 0 'rows that failed'
# at the paced rate of small events nothing is lost: what was sent is what was read back; of large ones a flush that
# stalls may refuse some, which are counted
assert_eq "$(jq '[.trials[] | select(.load.replayed or (.row | startswith("ndr_64")) | not) | select(.sent == 0 or (.load.size == 64 and .sent != .stored))] | length' "$work/figures.json")" 0 'trials that lost events'
assert_eq "$(jq '[.references[] | select((.testpmd // .fio // .receiver // .dd)[0] == null)] | length' "$work/figures.json")" 0 \
	'references without a command line'
# each event that is held to have been recovered was one of a segment that a crash had left
assert_eq "$(jq '[.runs[] | select(.recovery_us) | select(.recovered_events > 0 and .recovery_us > 0)] | length' "$work/figures.json")" 2 'recoveries'
grep -q 'capacity_64' "$work/page/performance.md" || fail 'the page has no figures'
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$work/page/performance.svg"

assert_eq "$(<$pages)" "$before" 'reserved hugepages'
assert_eq "$(find "$work" -mindepth 1 -maxdepth 1 -name 'sluice-bench.*')" '' 'temporary directories left'
assert_eq "$(pgrep sluice || pgrep testpmd || pgrep -x fio || true)" '' 'processes left'

expect_status 2 scripts/bench capacity_65
assert_contains "$(<"$work/output")" "'capacity_65' is no row and no group" 'the message'
