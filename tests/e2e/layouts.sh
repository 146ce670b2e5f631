#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One store under changing layouts: run to completion on one CPU, rings between two CPUs, one worker and
# two and one again. Partitions that move to another worker's lane get a higher term, offsets go on
# densely, and everything that was ever sent is read back in its order.
source "$(dirname "$0")/lib.sh"
keep_up_with_pollers
make_veth
rounds=0

run_layout() { # RX_CPUS WORKER_CPUS LCORES WORKERS RINGS
	rounds=$((rounds + 1))
	write_config key=0:8 rx_cpus="$1" worker_cpus="$2" >"$work/config.yaml"
	start_dataplane "$work/config.yaml"
	assert_eq "$("$sluicectl" status --json | jq -r '[.lcores[].role] | sort | join(" ")')" "$3" "lcores of rx [$1], workers [$2]"
	assert_eq "$("$sluicectl" status --json | jq '[.lanes[] | select(.state == "active")] | length')" "$4" \
		"active lanes of rx [$1], workers [$2]"
	assert_eq "$(stat_of '[.rings[] | select(.entries > 0)] | length > 0')" "$5" "rings of rx [$1], workers [$2]"
	blast_windowed 2 "$work/sent" --flows 8 --keys 300
	check_identities
	stop_dataplane
	assert_eq "$(report_of .stats.totals.stored)" 2000 "events stored with rx [$1], workers [$2]"
	assert_eq "$(report_of '[.partitions.streams[].partitions[].next_offset] | add')" $((rounds * 2000)) \
		'offsets given so far'
}

run_layout 1 1 rx+worker 1 false
run_layout 1 0 'rx worker' 1 true
run_layout 1 0,1 'rx+worker worker' 2 true
run_layout 0,1 0,1 'rx+worker rx+worker' 2 true
run_layout 1 1 rx+worker 1 false
assert_content "$work/sent"
check_store --check --key 0:8
# Half of the partitions went to the second worker's lane and came back: three terms; the others have one.
assert_eq "$(jq -c '[.streams[0].partitions[].terms] | sort' "$work/reader.json")" \
	"$(jq -n -c '[range(8) | [1]] + [range(8) | [1, 2, 3]] | sort')" 'terms of the partitions'
"$sluice_blast" verify --store "$work/store" --stream plays --sent "$work/sent.json.1"
